//! Calls that run as tasks of their own.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tracing::Instrument as _;

use super::Core;
use super::running::{Finished, Place};
use super::start::Start;
use crate::clock;
use crate::context::{Frame, Link, Outer};
use crate::event::Event;
use crate::listener::Payload;
use crate::outcome::{Cancellation, Cause, message};
use crate::pool::Permit;
use crate::registry::{Entry, Registry};
use crate::sync::{Handle, JoinSet, TaskId};

/// The tasks of one emission. Dropping it aborts them: each ends at its next await point.
pub(super) struct Tasks<E: Event> {
    set: JoinSet<(usize, Finished<E>)>,
    /// Which listener a task runs, in the order of starts and so of indices, for the tasks that cannot say so themselves any more.
    tasks: Vec<Task<E>>,
}

struct Task<E> {
    id: TaskId,
    index: usize,
    entry: Arc<dyn Entry<E>>,
    ended: bool,
}

impl<E: Event> Default for Tasks<E> {
    fn default() -> Self {
        Self {
            set: JoinSet::default(),
            tasks: Vec::new(),
        }
    }
}

/// One call that is to be made in a task.
pub(super) struct Errand<E> {
    pub(super) core: Arc<Core>,
    pub(super) registry: Arc<Registry<E>>,
    /// What the emission was made in.
    pub(super) outer: Option<Arc<Link>>,
    pub(super) index: usize,
    pub(super) entry: Arc<dyn Entry<E>>,
    pub(super) payload: Payload<E>,
    /// Without a permit of the emission's own it waits for one in the task.
    pub(super) permit: Option<Permit>,
    pub(super) begun: bool,
}

impl<E> Drop for Errand<E> {
    fn drop(&mut self) {
        // Aborted before its turn.
        if !self.begun {
            self.entry.record().not_called();
        }
    }
}

impl<E: Event> Errand<E> {
    async fn run(mut self) -> (usize, Finished<E>) {
        if let (None, Some(pool)) = (&self.permit, &self.core.options.pool) {
            self.permit = pool.acquire().await.ok();
        }
        let timed_from = Some(clock::now());
        let link = self.outer.take();
        let entry = Arc::clone(&self.entry);
        let mut place = pin!(Place::new());
        let finished = poll_fn(|cx| {
            let version = self.registry.hold();
            let outer = link.as_ref().map_or(Outer::Nothing, Outer::Link);
            let base = Frame {
                calls: entry.record(),
                place: 0.into(),
                lease: None,
                version: version.number,
                marked: false,
                inside: true,
                depth: outer.depth() + 1,
                outer,
            };
            base.enter(|| {
                if std::mem::replace(&mut self.begun, true) {
                    return place.as_mut().poll_call(cx, None);
                }
                let start = Start {
                    core: &self.core,
                    index: self.index,
                    entry: &entry,
                    payload: &mut self.payload,
                    last: true,
                    permit: &mut self.permit,
                    timed_from,
                };
                let finished = place.as_mut().start(start, &base, cx);
                finished.map_or(Poll::Pending, Poll::Ready)
            })
        });
        let finished = finished.await;
        (self.index, finished)
    }
}

impl<E: Event> Tasks<E> {
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Spawns one call.
    pub(super) fn spawn(&mut self, handle: &Handle, errand: Errand<E>) {
        let (index, entry) = (errand.index, Arc::clone(&errand.entry));
        let task = errand.run().in_current_span();
        let task = self.set.spawn_on(task, handle);
        self.tasks.push(Task {
            id: task.id(),
            index,
            entry,
            ended: false,
        });
    }

    /// The next task that has ended, in the order of ends.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished<E>>> {
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
            entry: Arc::clone(&task.entry),
            cause: match error.try_into_panic() {
                Ok(payload) => Cause::Panicked(message(payload)),
                Err(_) => Cause::Cancelled(Cancellation::RuntimeEnded),
            },
            duration: None,
            called: true,
        });
        if self.set.is_empty() {
            self.tasks.clear();
        }
        Poll::Ready(Some(finished))
    }

    /// Aborts the tasks and says whose they were.
    pub(super) fn cancel(self) -> impl Iterator<Item = (usize, Arc<dyn Entry<E>>)> {
        drop(self.set);
        let left = self.tasks.into_iter().filter(|task| !task.ended);
        left.map(|task| (task.index, task.entry))
    }
}
