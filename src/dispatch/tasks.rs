//! Calls that run as tasks of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tracing::{Instrument as _, Span};

use super::Core;
use super::running::{Finished, Place};
use super::start::Start;
use super::timing::timed_if;
use crate::clock;
use crate::context::{Frame, Link, Outer};
use crate::event::{Event, Held};
use crate::listener::{Payload, Step};
use crate::metrics::Draw;
use crate::outcome::{Cancellation, Cause, message};
use crate::pool::{Acquire, Permit};
use crate::registry::{Entry, Registry, Sides};
use crate::sync::{Handle, JoinSet, TaskId};

/// The tasks of one emission. Dropping it aborts them: each ends at its next await point.
pub(super) struct Tasks<E: Event> {
    handle: Handle,
    shared: Arc<Shared<E>>,
    set: JoinSet<(usize, Finished<E>)>,
    /// Which listener a task runs, in the order of starts and so of indices, for the tasks that cannot say so themselves any more.
    started: Vec<Task<E>>,
}

struct Task<E> {
    id: TaskId,
    index: usize,
    entry: Arc<dyn Entry<E>>,
    ended: bool,
}

/// What the calls of one emission share.
pub(super) struct Shared<E> {
    pub(super) core: Arc<Core>,
    pub(super) registry: Arc<Registry<E>>,
    /// What the emission was made in.
    pub(super) outer: Option<Arc<Link>>,
    /// A share of the emission's turn: a task that is aborted may be in the middle of a poll.
    pub(super) turn: Option<Held>,
    /// The key of that turn, as a frame has it.
    pub(super) turn_of: u64,
    /// The number of the emission's list.
    pub(super) list: u64,
    pub(super) sides: Sides,
    /// The event was held for its listener, which is called with it now.
    pub(super) of_held: bool,
    /// If the emission is drawn, some of its calls are timed.
    pub(super) draw: Option<Draw>,
}

pin_project! {
    /// One call in a task. It is done with the listener's index, and what came of the call.
    struct Errand<E: Event> {
        #[pin]
        place: Place<E>,
        begun: bool,
        shared: Arc<Shared<E>>,
        index: usize,
        entry: Arc<dyn Entry<E>>,
        payload: Payload<E>,
        permit: Option<Permit>,
        acquire: Option<Acquire>,
    }

    impl<E: Event> PinnedDrop for Errand<E> {
        fn drop(this: Pin<&mut Self>) {
            // Aborted before its turn.
            if !this.begun {
                this.entry.record().not_called();
            }
        }
    }
}

impl<E: Event> Future for Errand<E> {
    type Output = (usize, Finished<E>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let core = &this.shared.core;
        if let (None, Some(pool), false) = (&this.permit, &core.options.pool, *this.begun) {
            if this.acquire.is_none() {
                *this.permit = pool.try_acquire();
            }
            if this.permit.is_none() {
                let drawn = core.home.meters.times(this.shared.draw);
                let acquire = this
                    .acquire
                    .get_or_insert_with(|| timed_if(drawn, core, pool.acquire()));
                *this.permit = ready!(acquire.as_mut().poll(cx)).ok();
                *this.acquire = None;
            }
        }
        let version = this.shared.registry.hold();
        let outer = this.shared.outer.as_ref();
        let outer = outer.map_or(Outer::Nothing, Outer::Link);
        let base = Frame {
            calls: this.entry.record(),
            place: 0.into(),
            lease: None,
            version: version.number,
            marked: false,
            inside: true,
            turn: this.shared.turn_of,
            depth: outer.depth() + 1,
            outer,
        };
        let finished = base.enter(|| {
            if std::mem::replace(this.begun, true) {
                return this.place.poll_call(cx, None);
            }
            let start = Start {
                core,
                index: *this.index,
                entry: this.entry,
                payload: this.payload,
                last: true,
                of_held: this.shared.of_held,
                permit: this.permit,
                turn: this.shared.turn.as_ref(),
                timed_from: Some(clock::now()),
                draw: this.shared.draw,
                list: this.shared.list,
                sides: &this.shared.sides,
            };
            let finished = this.place.start(start, &base, cx);
            finished.map_or(Poll::Pending, Poll::Ready)
        });
        finished.map(|finished| (*this.index, finished))
    }
}

impl<E: Event> Tasks<E> {
    /// For so many tasks.
    pub(super) fn new(handle: Handle, shared: Shared<E>, tasks: usize) -> Self {
        Self {
            handle,
            shared: Arc::new(shared),
            set: JoinSet::default(),
            started: Vec::with_capacity(tasks),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    pub(super) fn sides(&self) -> &Sides {
        &self.shared.sides
    }

    /// Spawns one call. Without a permit of the emission's own it waits for one in the task.
    pub(super) fn spawn(
        &mut self,
        index: usize,
        entry: &Arc<dyn Entry<E>>,
        payload: Payload<E>,
        permit: Option<Permit>,
    ) {
        let entry = Arc::clone(entry);
        let errand = Errand {
            place: Place::new(),
            begun: false,
            shared: Arc::clone(&self.shared),
            index,
            entry: Arc::clone(&entry),
            payload,
            permit,
            acquire: None,
        };
        let span = Span::current();
        let task = if span.is_none() {
            self.set.spawn_on(errand, &self.handle)
        } else {
            self.set.spawn_on(errand.instrument(span), &self.handle)
        };
        self.started.push(Task {
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
                let place = self.started.binary_search_by_key(&index, |task| task.index);
                (place.ok(), Ok(finished))
            }
            Err(error) => {
                let place = self.started.iter().position(|task| task.id == error.id());
                (place, Err(error))
            }
        };
        let task = &mut self.started[place.expect("every task of the set is in the list")];
        task.ended = true;
        let finished = finished.unwrap_or_else(|error| {
            let cause = match error.try_into_panic() {
                Ok(payload) => Cause::Panicked(message(payload)),
                Err(_) => Cause::Cancelled(Cancellation::RuntimeEnded),
            };
            Finished::called(task.index, &task.entry, Step::not(cause), None)
        });
        if self.set.is_empty() {
            self.started.clear();
        }
        Poll::Ready(Some(finished))
    }

    /// Aborts the tasks and says whose they were.
    pub(super) fn cancel(self) -> impl Iterator<Item = (usize, Arc<dyn Entry<E>>)> {
        drop(self.set);
        let left = self.started.into_iter().filter(|task| !task.ended);
        left.map(|task| (task.index, task.entry))
    }
}
