//! Making one call with all that may stand before it: the last looks, the claim, the permit, and the call itself.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use super::hold::{Look, called_instead};
use super::options::Timing;
use super::running::{Finished, Occupancy, Running, Whose, end_panicked, frame, poll_slot};
use super::{Core, blocking};
use crate::clock::{self, Instant};
use crate::context::{Frame, Lease};
use crate::event::{Event, Held};
use crate::listener::{Blocked, Call, Payload, Slot, Step};
use crate::metrics::{Draw, Stopwatch};
use crate::outcome::{Cause, Skip, catch};
use crate::pool::Permit;
use crate::registry::{Entry, Sides};

/// How far a call came in its first poll.
pub(super) enum Started<E> {
    Finished(Finished<E>),
    Suspended(Running<E>),
}

/// One call that is about to be made, by an emission that is pinned.
pub(super) struct Start<'a, E: Event> {
    pub(super) core: &'a Arc<Core>,
    pub(super) index: usize,
    pub(super) entry: &'a Arc<dyn Entry<E>>,
    pub(super) payload: &'a mut Payload<E>,
    /// Whether no listener after this one needs the event.
    pub(super) last: bool,
    /// The listener has held the event: its switch has been looked at.
    pub(super) of_held: bool,
    /// The permit for the call. Put back if the call finishes at once.
    pub(super) permit: &'a mut Option<Permit>,
    /// A share of the emission's turn, for a thread that nobody can stop.
    pub(super) turn: Option<&'a Held>,
    pub(super) timed_from: Option<Instant>,
    /// If the emission is drawn, some of its calls are timed.
    pub(super) draw: Option<Draw>,
    /// The number of the emission's list.
    pub(super) list: u64,
    pub(super) sides: &'a Sides,
}

impl<E: Event> Start<'_, E> {
    /// Claims and calls the listener, and polls it once.
    pub(super) fn run(
        self,
        mut slot: Pin<&mut Slot>,
        base: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> Started<E> {
        let look = Look {
            checked: Some(self.entry),
            list: self.list,
            sides: self.sides,
            of_held: self.of_held,
        };
        let (entry, refusal) = look.at(self.entry, self.payload);
        if !Arc::ptr_eq(entry, self.entry) {
            // It took the place of the one that was looked at, a moment ago.
            called_instead(self.entry, entry);
        }
        if let Some(cause) = refusal {
            return self.refuse(entry, cause);
        }
        if let Some(listener) = entry.blocked() {
            return self.run_blocking(entry, listener, slot, base, cx);
        }
        // The claim is the last step before the call. A blocking listener claims on its thread.
        if !entry.record().claim() {
            return self.refuse(entry, Cause::Skipped(Skip::Spent));
        }
        let timed = self.is_timed(entry);
        let started = self.started(timed);
        let lease = self.permit.take().map(Lease::new);
        let mut taking = None;
        let step = frame(entry.record(), lease.as_ref(), base).enter(|| {
            let (payload, last) = (&mut *self.payload, self.last);
            // The closure itself may lend its permit out, and have none when it is done; its future is polled with one only.
            let put_only = lease.is_some();
            let now = if put_only { None } else { Some(&mut *cx) };
            let call = || {
                let call = Call { payload, last };
                entry.call(call, slot.as_mut(), now)
            };
            let step = match catch(call) {
                Ok(step) => step,
                Err(message) => return end_panicked(slot.as_mut(), message),
            };
            match &lease {
                Some(lease) if matches!(step, Step::Pending) => {
                    if lease.poll_may_run(cx, &mut taking).is_pending() {
                        return Step::Pending;
                    }
                    poll_slot(slot.as_mut(), cx)
                }
                _ => step,
            }
        });
        if !matches!(step, Step::Pending) {
            *self.permit = lease.and_then(|lease| lease.end());
            note_time(entry, started.filter(|_| timed));
            return Started::Finished(Finished::called(self.index, entry, step, started));
        }
        let occupancy = Occupancy::of(entry, lease);
        if let Some(lease) = &occupancy.lease {
            lease.suspend();
        }
        Started::Suspended(Running {
            index: self.index,
            whose: Whose::Marked(occupancy),
            watch: watch(started.filter(|_| timed)),
            started: started.or_else(|| Some(clock::now())),
            taking,
        })
    }

    /// Sends the call to the blocking pool.
    #[inline(never)]
    fn run_blocking(
        self,
        entry: &Arc<dyn Entry<E>>,
        listener: &Blocked<E>,
        slot: Pin<&mut Slot>,
        base: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> Started<E> {
        let timed = self.is_timed(entry);
        let started = self.started(timed);
        let occupancy = Occupancy::of(entry, self.permit.take().map(Lease::new));
        let not_done = |cause| {
            let step = Step::not(cause);
            Started::Finished(Finished::called(self.index, entry, step, started))
        };
        // The event's `Clone` is user code.
        let event = match catch(|| self.payload.own(self.last)) {
            Ok(event) => event,
            Err(message) => {
                note_time(entry, started.filter(|_| timed));
                return not_done(Cause::Panicked(message));
            }
        };
        let outer = base.outer.to_link();
        let turn = self.turn.cloned();
        let thread = match blocking::start(
            self.core,
            listener,
            event,
            outer,
            (occupancy, turn, base.turn),
            timed,
        ) {
            Ok(thread) => thread,
            Err(cause) => {
                return Started::Finished(Finished::not_called(self.index, entry, cause));
            }
        };
        match slot.start(thread, Some(cx)) {
            Step::Pending => Started::Suspended(Running {
                index: self.index,
                whose: Whose::OnThread(Arc::clone(entry)),
                // The thread times itself.
                watch: Stopwatch::default(),
                started: started.or_else(|| Some(clock::now())),
                taking: None,
            }),
            step => Started::Finished(Finished::called(self.index, entry, step, started)),
        }
    }

    /// Whether its time is recorded.
    fn is_timed(&self, entry: &Arc<dyn Entry<E>>) -> bool {
        let meter = || entry.record().known_meter();
        self.core.home.meters.times_call(self.draw, meter)
    }

    /// When the call began, if it is timed from its start.
    fn started(&self, timed: bool) -> Option<Instant> {
        let timing = timed || self.core.options.timing == Timing::On;
        self.timed_from.or_else(|| timing.then(clock::now))
    }

    fn refuse(&self, entry: &Arc<dyn Entry<E>>, cause: Cause) -> Started<E> {
        Started::Finished(Finished::not_called(self.index, entry, cause))
    }
}

/// A call that began then has ended in its first poll, and is timed.
fn note_time<E>(entry: &Arc<dyn Entry<E>>, began: Option<Instant>) {
    if let Some(took) = began.map(clock::since) {
        entry.record().timed(took, took);
    }
}

/// The watch of a call that began then, has suspended, and is timed.
#[inline]
fn watch(began: Option<Instant>) -> Stopwatch {
    began.map_or_else(Stopwatch::default, |began| {
        Stopwatch::running(clock::since(began))
    })
}
