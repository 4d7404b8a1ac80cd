//! The fast path: one pass over plain listeners, called and finished in place.
//!
//! Nothing here is written that another emitter reads or writes, and nothing is allocated: the calls share one frame, one slot and one catch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use super::emission::State;
use super::running::{Finished, Occupancy, Place, Running, Whose, end_panicked};
use super::timing::Laps;
use crate::context::{Calls, Frame, Outer, PlaceCell};
use crate::event::Event;
use crate::listener::{Call, Payload, Slot, Step};
use crate::outcome::{Cause, catch};
use crate::registry::{Entry, Snapshot};

/// Why a pass stopped, at the place that its frame says.
enum Halt {
    /// Behind the last listener.
    End,
    /// This listener needs more than a pass.
    NotPlain,
    /// This one asked that nobody after it be called.
    Break,
    /// This one has suspended: its future is in the slot.
    Suspended,
    /// The filter of this one keeps it from being called.
    Refused(Box<Cause>),
    /// This one did not succeed.
    Not(Box<Cause>),
}

impl<E: Event> State<'_, E> {
    /// Calls listeners from the first on, until one suspends, asks to stop, or is not plain. True if all of them have succeeded, which is not in the tally then.
    #[inline]
    pub(super) fn pass(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        version: u64,
        laps: impl Laps,
        cx: &mut Context<'_>,
    ) -> bool {
        loop {
            let from = self.next;
            let Some(snapshot) = self.list.snapshot() else {
                return false;
            };
            let frame = Frame {
                calls: &**snapshot,
                place: from.into(),
                lease: None,
                version,
                marked: false,
                inside: false,
                turn: 0,
                depth: outer.depth() + 1,
                outer,
            };
            let (payload, entries) = (&mut self.payload, &snapshot.entries);
            let (place, mut here, cx) = (&frame.place, own.as_mut(), &mut *cx);
            // Both take what they use by value: a copy that is lent would be one pointer more.
            let halt = frame.enter(move || {
                let slot = here.as_mut().slot();
                let calls = move || call_plain(entries, place, payload, slot, laps, cx);
                match catch(calls) {
                    Ok(halt) => halt,
                    Err(message) => match end_panicked(here.as_mut().slot(), message) {
                        Step::Not(cause) => Halt::Not(cause),
                        _ => unreachable!("a panic is no success"),
                    },
                }
            });
            let place = frame.place.get();
            if matches!(halt, Halt::End) && from == 0 {
                return true;
            }
            self.next = place;
            self.tally.done(place - from);
            match halt {
                Halt::End | Halt::NotPlain => return false,
                _ => self.next += 1,
            }
            match halt {
                Halt::Break => {
                    self.tally.done(1);
                    self.stopped = true;
                }
                Halt::Refused(cause) => {
                    let entry = &self.snapshot().entries[place];
                    let finished = Finished::not_called(place, entry, *cause);
                    self.settle(finished);
                    laps.skip();
                }
                Halt::Not(cause) => {
                    let entry = &self.snapshot().entries[place];
                    laps.ended(entry);
                    let finished = Finished::called(place, entry, Step::Not(cause), None);
                    self.settle(finished);
                    // Whoever is told of it takes time of nobody's.
                    laps.skip();
                }
                _ => {
                    let entry = &self.snapshot().entries[place];
                    let whose = Whose::Marked(Occupancy::of(entry, None));
                    let (began, watch) = laps.suspended(entry);
                    own.as_mut().keep(Running {
                        index: place,
                        whose,
                        started: Some(began),
                        watch,
                        taking: None,
                    });
                    self.more().own_polled = true;
                    return false;
                }
            }
            if self.stopped {
                return false;
            }
        }
    }
}

#[inline]
fn call_plain<E: Event>(
    entries: &[Arc<dyn Entry<E>>],
    place: &PlaceCell,
    payload: &mut Payload<E>,
    mut slot: Pin<&mut Slot>,
    laps: impl Laps,
    cx: &mut Context<'_>,
) -> Halt {
    let from = place.get();
    for (at, entry) in entries.iter().enumerate().skip(from) {
        place.set(at);

        let call = Call {
            payload,
            last: at + 1 == entries.len(),
        };
        match entry.call_plain(call, slot.as_mut(), cx) {
            Step::Done => laps.ended(entry),
            Step::Break => {
                laps.ended(entry);
                return Halt::Break;
            }
            Step::Pending => return Halt::Suspended,
            Step::NotPlain => return Halt::NotPlain,
            Step::Refused(cause) => return Halt::Refused(cause),
            Step::Not(cause) => return Halt::Not(cause),
        }
    }
    place.set(entries.len());
    Halt::End
}

impl<E: Event> Calls for Snapshot<E> {
    fn listener(&self, place: usize) -> u64 {
        self.entries.get(place).map_or(0, |entry| entry.record().id)
    }

    fn signal(&self) -> u64 {
        self.home.id
    }

    fn name(&self) -> &Arc<str> {
        &self.home.name
    }
}
