//! The places beside a slow, obvious twin: one list of calls in the order of their arrival, of which the first few run.

use proptest::prelude::*;

use super::state::{Arrival, Place, Places, Ticket};

#[derive(Clone, Debug)]
enum Step {
    Arrive {
        waits: bool,
    },
    /// One that has a place leaves.
    Leave(usize),
    /// One that has a ticket says how to wake it, and learns whether it has a place.
    Poll(usize),
    /// One that has a ticket is dropped, whether it has a place by now or not.
    Drop(usize),
    /// Another limit.
    Change(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(|waits| Step::Arrive { waits }),
        2 => any::<usize>().prop_map(Step::Leave),
        3 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => (1..5_usize).prop_map(Step::Change),
    ];
    proptest::collection::vec(step, 1..150)
}

/// A call that has arrived and has not left.
#[derive(Clone, Copy, Debug)]
struct Call {
    id: u32,
    /// `None` once it knows that it has a place.
    ticket: Option<Ticket>,
    /// It has said how to wake it.
    wakes: bool,
    has_place: bool,
}

/// The calls in the order of their arrival, and which of them have a place: as soon as there is one, the first that has none.
struct Twin {
    limit: usize,
    calls: Vec<Call>,
}

impl Twin {
    fn has_place(&self, at: usize) -> bool {
        self.calls[at].has_place
    }

    fn running(&self) -> usize {
        self.calls.iter().filter(|call| call.has_place).count()
    }

    /// Gives the places that there are now, and says to whom.
    fn fill(&mut self) -> Vec<Call> {
        let free = self.limit.saturating_sub(self.running());
        let next = self.calls.iter_mut().filter(|call| !call.has_place);
        let given = next.take(free).map(|call| {
            call.has_place = true;
            *call
        });
        given.collect()
    }

    /// Removes a call, and says who gets its place.
    fn remove(&mut self, at: usize) -> Option<Call> {
        self.calls.remove(at);
        self.fill().first().copied()
    }

    fn pick(&self, which: usize, of: impl Fn(usize, &Call) -> bool) -> Option<usize> {
        let fitting = self.calls.iter().enumerate();
        let fitting: Vec<usize> = fitting
            .filter(|(at, call)| of(*at, call))
            .map(|(at, _)| at)
            .collect();
        (!fitting.is_empty()).then(|| fitting[which % fitting.len()])
    }
}

/// What the twin says that a place that was left goes to.
fn handed(next: Option<Call>) -> Place<u32> {
    next.map_or(Place::Free, |call| {
        Place::Handed(call.wakes.then_some(call.id))
    })
}

proptest! {
    #[test]
    fn never_more_than_the_limit_in_order_and_no_place_is_lost(limit in 1..5_usize, steps in steps()) {
        let mut places = Places::<u32>::default();
        let mut twin = Twin { limit, calls: Vec::new() };
        let (mut ids, mut peak) = (0, 0);
        for step in steps {
            match step {
                Step::Arrive { waits } => {
                    ids += 1;
                    let free = twin.running() < twin.limit;
                    let arrival = places.arrive(twin.limit, waits);
                    let ticket = match arrival {
                        Arrival::Runs => {
                            prop_assert!(free);
                            None
                        }
                        Arrival::Waits(ticket) => {
                            prop_assert!(!free && waits);
                            Some(ticket)
                        }
                        Arrival::Full => {
                            prop_assert!(!free && !waits);
                            continue;
                        }
                    };
                    let has_place = ticket.is_none();
                    twin.calls.push(Call { id: ids, ticket, wakes: false, has_place });
                }
                Step::Leave(which) => {
                    if let Some(at) = twin.pick(which, |_, call| call.ticket.is_none()) {
                        let left = places.leave(twin.limit);
                        prop_assert_eq!(left, handed(twin.remove(at)));
                    }
                }
                Step::Poll(which) => {
                    if let Some(at) = twin.pick(which, |_, call| call.ticket.is_some()) {
                        let has_place = twin.has_place(at);
                        let call = &mut twin.calls[at];
                        let polled = places.wake_with(call.ticket.unwrap(), call.id);
                        if has_place {
                            prop_assert_eq!(polled, Err(call.id));
                            call.ticket = None;
                        } else {
                            prop_assert_eq!(polled, Ok(call.wakes.then_some(call.id)));
                            call.wakes = true;
                        }
                    }
                }
                Step::Change(limit) => {
                    twin.limit = limit;
                    let given = twin.fill();
                    let wakes: Vec<_> = given.iter().map(|call| call.wakes.then_some(call.id)).collect();
                    prop_assert_eq!(places.change(limit), wakes);
                }
                Step::Drop(which) => {
                    if let Some(at) = twin.pick(which, |_, call| call.ticket.is_some()) {
                        let (call, has_place) = (twin.calls[at], twin.has_place(at));
                        let next = twin.remove(at);
                        let given_up = places.give_up(call.ticket.unwrap());
                        prop_assert_eq!(given_up.is_err(), has_place);
                        if let Ok(waker) = given_up {
                            prop_assert_eq!(waker, call.wakes.then_some(call.id));
                        } else {
                            prop_assert_eq!(places.leave(twin.limit), handed(next));
                        }
                    }
                }
            }
            let with_place = twin.running();
            peak = peak.max(with_place);
            prop_assert_eq!(places.running(), with_place);
            prop_assert_eq!(places.waiting(), twin.calls.len() - with_place);
            prop_assert_eq!(places.is_idle(), twin.calls.is_empty());
            prop_assert_eq!(places.peak(), peak);
        }
    }
}
