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
    set: JoinSet<Finished>,
    /// Which listener a task runs, for the tasks that cannot say so themselves any more.
    running: Vec<(Id, usize, Arc<Record>)>,
}

impl Tasks {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
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
            match first.await {
                Started::Finished(finished) => finished,
                Started::Suspended(running) => running.await,
            }
        };
        let task = self.set.spawn_on(call.in_current_span(), handle);
        self.running.push((task.id(), index, record));
    }

    /// The next task that has ended, in the order of ends.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished>> {
        let Some(joined) = ready!(self.set.poll_join_next_with_id(cx)) else {
            return Poll::Ready(None);
        };
        let (id, result) = match joined {
            Ok((id, finished)) => (id, Ok(finished)),
            Err(error) => (error.id(), Err(error)),
        };
        let place = self.running.iter().position(|(task, ..)| *task == id);
        let (_, index, record) = self
            .running
            .swap_remove(place.expect("every task of the set is in the list"));
        let finished = result.unwrap_or_else(|error| Finished::NotDone {
            index,
            record,
            cause: match error.try_into_panic() {
                Ok(payload) => Cause::Panicked(message(payload)),
                Err(_) => Cause::Cancelled(Cancellation::RuntimeEnded),
            },
            duration: None,
        });
        Poll::Ready(Some(finished))
    }

    /// Aborts the tasks and says whose they were.
    pub(super) fn cancel(self) -> impl Iterator<Item = (usize, Arc<Record>)> {
        drop(self.set);
        self.running
            .into_iter()
            .map(|(_, index, record)| (index, record))
    }
}
