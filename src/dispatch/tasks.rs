//! Calls that run as tasks of their own.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::task::{Id, JoinSet};
use tracing::Instrument as _;

use super::payload::Payload;
use super::running::Finished;
use super::start::{Common, Site, Start, Started};
use crate::clock;
use crate::event::Event;
use crate::outcome::{Cancellation, Cause, message};
use crate::pool::Permit;
use crate::registry::{Entry, Record};

/// The tasks of one emission. Dropping it aborts them: each ends at its next await point.
#[derive(Default)]
pub(super) struct Tasks {
    set: JoinSet<(usize, Finished)>,
    /// Which listener a task runs, in the order of starts and so of indices, for the tasks that cannot say so themselves any more.
    tasks: Vec<Task>,
}

struct Task {
    id: Id,
    index: usize,
    record: Arc<Record>,
    ended: bool,
}

impl Tasks {
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Spawns one call. Without a permit of the emission's own it waits for one in the task.
    pub(super) fn spawn<E: Event>(
        &mut self,
        handle: &Handle,
        site: Site,
        index: usize,
        entry: Arc<Entry<E>>,
        mut payload: Payload<E>,
        permit: Option<Permit>,
    ) {
        let record = Arc::clone(&entry.record);
        let call = async move {
            let mut permit = match (permit, &site.core.options.pool) {
                (None, Some(pool)) => pool.acquire().await.ok(),
                (permit, _) => permit,
            };
            let timed_from = Some(clock::now());
            let mut started = Some((entry, &mut payload));
            let first = poll_fn(|cx| {
                let (entry, payload) = started.take().expect("ready at the first poll");
                Poll::Ready(
                    Start {
                        site: &site,
                        index,
                        entry: &entry,
                        payload,
                        last: true,
                        permit: &mut permit,
                        timed_from,
                        common: &mut Common::default(),
                    }
                    .run(cx),
                )
            });
            let finished = match first.await {
                Started::Finished(finished) => finished,
                Started::Suspended(running) => running.await,
            };
            (index, finished)
        };
        let task = self.set.spawn_on(call.in_current_span(), handle);
        self.tasks.push(Task {
            id: task.id(),
            index,
            record,
            ended: false,
        });
    }

    /// The next task that has ended, in the order of ends.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished>> {
        let Some(joined) = ready!(self.set.poll_join_next(cx)) else {
            return Poll::Ready(None);
        };
        let (place, finished) = match joined {
            Ok((index, finished)) => {
                let place = self.tasks.binary_search_by_key(&index, |task| task.index);
                (place.ok(), Ok(finished))
            }
            Err(error) => {
                let place = self.tasks.iter().position(|task| task.id == error.id());
                (place, Err(error))
            }
        };
        let task = &mut self.tasks[place.expect("every task of the set is in the list")];
        task.ended = true;
        let finished = finished.unwrap_or_else(|error| Finished::NotDone {
            index: task.index,
            record: Arc::clone(&task.record),
            cause: match error.try_into_panic() {
                Ok(payload) => Cause::Panicked(message(payload)),
                Err(_) => Cause::Cancelled(Cancellation::RuntimeEnded),
            },
            duration: None,
        });
        if self.set.is_empty() {
            self.tasks.clear();
        }
        Poll::Ready(Some(finished))
    }

    /// Aborts the tasks and says whose they were.
    pub(super) fn cancel(self) -> impl Iterator<Item = (usize, Arc<Record>)> {
        drop(self.set);
        let left = self.tasks.into_iter().filter(|task| !task.ended);
        left.map(|task| (task.index, task.record))
    }
}
