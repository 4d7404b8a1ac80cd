//! Starting one call: the checks and claims before it, in their one order, and the call itself.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::options::Timing;
use super::payload::Payload;
use super::running::{Finished, Mark, Running, poll_slot};
use super::{Core, blocking};
use crate::clock::{self, Instant};
use crate::context::{self, CallContext, Lease};
use crate::event::{Delivery, Event};
use crate::listener::{Blocked, Callee, Slot};
use crate::outcome::{Cause, Flow, Skip, Verdict, catch};
use crate::pool::Permit;
use crate::registry::{Entry, Record};

/// Where a call comes from. The same for all calls of an emission.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) core: Arc<Core>,
    pub(super) parent: Option<Arc<CallContext>>,
    pub(super) emission: u64,
}

/// How far a call came in its first poll.
pub(super) enum Started {
    Finished(Finished),
    Suspended(Running),
}

/// One call that is about to be made.
pub(super) struct Start<'a, E> {
    pub(super) site: &'a Site,
    pub(super) index: usize,
    pub(super) entry: &'a Arc<Entry<E>>,
    pub(super) payload: &'a mut Payload<E>,
    /// Whether no listener after this one needs the event.
    pub(super) last: bool,
    /// The permit for the call. Put back if the call finishes at once.
    pub(super) permit: &'a mut Option<Permit>,
    pub(super) timed_from: Option<Instant>,
    pub(super) common: &'a mut Common,
}

/// What the calls that begin in one poll of their emission have in common.
#[derive(Default)]
pub(super) struct Common {
    /// One reading of the clock, taken when the first call needs it.
    called_at: Option<Instant>,
    /// The context of a call that has ended, for the next one.
    context: Option<Arc<CallContext>>,
}

impl<E: Event> Start<'_, E> {
    /// Marks, claims and calls the listener, and polls it once.
    pub(super) fn run(mut self, cx: &mut Context<'_>) -> Started {
        let Some((entry, mark)) = enter(self.entry) else {
            let entry = self.entry.current();
            return self.refuse(entry, Cause::Skipped(why_skipped(&entry.record)));
        };
        if !Arc::ptr_eq(entry, self.entry) {
            // It took the place of the one that was looked at, a moment ago.
            if let Some(cause) = refused(entry, self.payload) {
                return self.refuse(entry, cause);
            }
        }
        if let Callee::Blocking(listener) = &entry.callee {
            return self.run_blocking(entry, listener, mark);
        }
        // The claim is the last step before the call. A blocking listener claims on its thread.
        if !entry.record.claim() {
            return self.refuse(entry, Cause::Skipped(Skip::Spent));
        }
        let started = self.started();
        let now = started.unwrap_or_else(|| *self.common.called_at.get_or_insert_with(clock::now));
        entry.record.counters.called(now);
        let lease = self.permit.take().map(Lease::new);
        let entered = context::enter(self.context(&entry.record, lease.clone()));
        let (mut slot, mut taking) = (None, None);
        let first = match catch(|| call(self.site, entry, self.payload, self.last)) {
            Ok(Called::Done(verdict)) => Poll::Ready(verdict.0),
            Ok(Called::Future(future)) => {
                slot = Some(future);
                match &lease {
                    // The closure itself has lent its permit out, and there was none when it wanted it back.
                    Some(lease) if lease.poll_may_run(cx, &mut taking).is_pending() => {
                        Poll::Pending
                    }
                    _ => poll_slot(&mut slot, cx),
                }
            }
            Err(message) => Poll::Ready(Flow::Not(Cause::Panicked(message))),
        };
        let context = entered.leave();
        match first {
            Poll::Ready(flow) => {
                *self.permit = lease.and_then(|lease| lease.end());
                self.common.context = Some(context);
                Started::Finished(Finished::new(self.index, &entry.record, flow, started))
            }
            Poll::Pending => {
                if let Some(lease) = &lease {
                    lease.suspend();
                }
                Started::Suspended(Running {
                    index: self.index,
                    record: Arc::clone(&entry.record),
                    slot,
                    call: Some((context, mark.keep(lease))),
                    started: started.or_else(|| Some(clock::now())),
                    taking,
                })
            }
        }
    }

    /// Sends the call to the blocking pool.
    fn run_blocking(mut self, entry: &Entry<E>, listener: &Blocked<E>, mark: Mark<'_>) -> Started {
        let started = self.started();
        let lease = self.permit.take().map(Lease::new);
        let context = self.context(&entry.record, lease.clone());
        let occupancy = mark.keep(lease);
        let not_started = |cause| {
            let flow = Flow::Not(cause);
            Started::Finished(Finished::new(self.index, &entry.record, flow, started))
        };
        // The event's `Clone` is user code.
        let event = match catch(|| self.payload.own(self.last)) {
            Ok(event) => event,
            Err(message) => {
                *self.permit = occupancy.end();
                return not_started(Cause::Panicked(message));
            }
        };
        match blocking::start(&self.site.core, listener, event, context, occupancy) {
            Ok(slot) => Started::Suspended(Running {
                index: self.index,
                record: Arc::clone(&entry.record),
                slot: Some(slot),
                call: None,
                started: started.or_else(|| Some(clock::now())),
                taking: None,
            }),
            Err(cause) => not_started(cause),
        }
    }

    /// When the call began, if it is timed from its start.
    fn started(&self) -> Option<Instant> {
        let timing = self.site.core.options.timing == Timing::On;
        self.timed_from.or_else(|| timing.then(clock::now))
    }

    fn context(&mut self, record: &Record, lease: Option<Arc<Lease>>) -> Arc<CallContext> {
        let listener = Arc::clone(&record.identity);
        if let Some(mut before) = self.common.context.take() {
            // Something that the call before has started may still be inside it: that keeps its context.
            if let Some(context) = Arc::get_mut(&mut before) {
                context.listener = listener;
                context.lease = lease;
                return before;
            }
        }
        let parent = &self.site.parent;
        Arc::new(CallContext {
            listener,
            lease,
            depth: parent.as_ref().map_or(0, |parent| parent.depth) + 1,
            parent: parent.clone(),
        })
    }

    fn refuse(&self, entry: &Entry<E>, cause: Cause) -> Started {
        let flow = Flow::Not(cause);
        Started::Finished(Finished::new(self.index, &entry.record, flow, None))
    }
}

/// Why the listener's filter keeps it from being called, if it does.
pub(super) fn refused<E: Event>(entry: &Entry<E>, payload: &Payload<E>) -> Option<Cause> {
    let filter = entry.filter.as_ref()?;
    match catch(|| filter(payload.borrow())) {
        Ok(true) => None,
        Ok(false) => Some(Cause::Skipped(Skip::Filtered)),
        Err(message) => Some(Cause::Panicked(message)),
    }
}

/// Why a listener that may not be called is passed over.
pub(super) fn why_skipped(record: &Record) -> Skip {
    if record.is_spent() {
        Skip::Spent
    } else {
        Skip::Removed
    }
}

/// Marks a call of the entry, or of the one that has taken its place. `None` if it was removed.
fn enter<E>(entry: &Arc<Entry<E>>) -> Option<(&Arc<Entry<E>>, Mark<'_>)> {
    let mut entry = entry.current();
    loop {
        if let Some(mark) = Mark::set(&entry.record) {
            return Some((entry, mark));
        }
        // Removed: by a replacement, whose successor is known by now, or for good.
        let current = entry.current();
        if Arc::ptr_eq(current, entry) {
            return None;
        }
        entry = current;
    }
}

enum Called {
    Done(Verdict),
    Future(Slot),
}

/// Calls the listener with the event in the form that it takes. Runs user code: the closure, and the event's `Clone`.
fn call<E: Event>(site: &Site, entry: &Entry<E>, payload: &mut Payload<E>, last: bool) -> Called {
    match &entry.callee {
        Callee::Owned(listener) => Called::Future(listener(payload.own(last))),
        Callee::Shared(listener) => Called::Future(listener(payload.share())),
        Callee::Borrowed(listener) => Called::Done(listener(payload.borrow())),
        Callee::Service(listener) => {
            let identity = Arc::clone(&entry.record.identity);
            Called::Future(listener(Delivery::first(
                payload.share(),
                site.emission,
                identity,
            )))
        }
        Callee::Blocking(_) => unreachable!("blocking listeners are started on their own pool"),
    }
}
