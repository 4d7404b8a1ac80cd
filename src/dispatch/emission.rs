//! One emission, from the call of `emit` to its report.
//!
//! An emission to plain listeners (no pool, no filter, no budget, in the emitter's task) is one pass over the list: `pass.rs`. Whatever needs more, from the listener on that does,
//! takes the way of `course.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;

use super::core::LONG;
use super::course::More;
use super::options::Timing;
use super::running::Place;
use super::timing::{Clocked, Untimed, ended};
use super::turn::Its;
use super::watch::Ended;
use super::{Core, Pass};
use crate::buffer::Queued;
use crate::clock::{self, Coarse};
use crate::context::{Frame, Outer, cause, within};
use crate::event::{Envelope, Event};
use crate::keyed::Turn;
use crate::listener::Payload;
use crate::outcome::{Cancellation, Report, Tally};
use crate::pool::Permit;
use crate::registry::{Deliveries, Held, Registry, Snapshot};
use crate::sync::Ordering;
use crate::sync::shard::{self, Seat};

/// One poll in so many, on each thread, reads the clock: for `last_called`, and to find listeners whose polls are long. A prime, so that it is not always the same of the
/// few polls that each emission has.
const SAMPLE: u32 = 31;

pin_project! {
    /// One emission. Field order is drop order: the call in its own place first.
    pub(crate) struct Emission<'a, E: Event> {
        #[pin]
        own: Place<E>,
        state: State<'a, E>,
    }

    impl<E: Event> PinnedDrop for Emission<'_, E> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.state.dropped(this.own);
        }
    }
}

/// What an emission is beside the place of its first call that suspends.
pub(super) struct State<'a, E: Event> {
    pub(super) core: &'a Arc<Core>,
    /// None if there is no signal: nobody has ever listened.
    pub(super) registry: Option<&'a Arc<Registry<E>>>,
    pub(super) list: List<E>,
    pub(super) payload: Payload<E>,
    /// The next listener to start, as an index into the list.
    pub(super) next: usize,
    pub(super) phase: Phase,
    /// No further listener is to start.
    pub(super) stopped: bool,
    /// What it means if the emission is dropped.
    pub(super) if_dropped: Cancellation,
    pub(super) tally: Tally,
    /// What an emission that is one pass does not need.
    pub(super) more: Option<Box<More<'a, E>>>,
}

/// The listeners that the emission sees.
pub(super) enum List<E> {
    Nobody,
    /// The list of this number, until the first poll.
    Number(u64),
    /// The newest version, during the first poll.
    Held(Held<E>),
    /// A list without its version, which `removed()` would wait for.
    Kept(Arc<Snapshot<E>>),
}

impl<E> List<E> {
    #[inline]
    pub(super) fn snapshot(&self) -> Option<&Arc<Snapshot<E>>> {
        match self {
            Self::Nobody | Self::Number(_) => None,
            Self::Held(version) => Some(&version.snapshot),
            Self::Kept(snapshot) => Some(snapshot),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    New,
    Running,
    /// All listeners are done; the outer listener takes its permit back before it sees the report.
    Returning,
    Finished,
}

impl<'a, E: Event> Emission<'a, E> {
    #[inline(always)]
    pub(crate) fn new(
        core: &'a Arc<Core>,
        registry: Option<&'a Arc<Registry<E>>>,
        event: E,
    ) -> Self {
        let list = registry.map_or(List::Nobody, |registry| List::Number(registry.number()));
        Self::to(core, registry, list, Payload::new(event))
    }

    #[inline(always)]
    pub(super) fn to(
        core: &'a Arc<Core>,
        registry: Option<&'a Arc<Registry<E>>>,
        list: List<E>,
        payload: Payload<E>,
    ) -> Self {
        let state = State {
            core,
            registry,
            list,
            payload,
            next: 0,
            phase: Phase::New,
            stopped: false,
            if_dropped: Cancellation::Dropped,
            tally: Tally::default(),
            more: None,
        };
        // Made last, where it is to be: there is nothing in it yet, and much of it to move.
        Self {
            state,
            own: Place::new(),
        }
    }

    /// One that was let in before, and that has a task of its own: only the end of the runtime drops it.
    pub(crate) fn in_task(mut self, pass: Pass) -> Self {
        self.state.if_dropped = Cancellation::RuntimeEnded;
        self.state.more().pass = Some(pass);
        self
    }

    /// One whose turn it is, and that has its first permit.
    pub(crate) fn in_turn(mut self, turn: Turn<Queued<E>>, permit: Permit) -> Self {
        let more = self.more();
        more.turn = Its::waiting(turn);
        more.admit(permit);
        self
    }

    pub(super) fn more(&mut self) -> &mut More<'a, E> {
        self.state.more()
    }

    pub(crate) fn set_deadline(&mut self, given: Duration) {
        // A deadline beyond the clock's range is none.
        let deadline = clock::now().checked_add(given).map(|at| (at, given));
        self.state.more().watch.deadline = deadline;
    }

    pub(crate) fn set_token(&mut self, token: CancellationToken) {
        self.state.more().watch.token = Some(token);
    }

    pub(crate) fn envelope(&mut self) -> &mut Envelope {
        self.state.payload.envelope_mut()
    }

    #[inline]
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Report> {
        let this = self.project();
        within(|outer| this.state.poll(this.own, outer, cx))
    }
}

impl<'a, E: Event> State<'a, E> {
    #[inline]
    fn poll(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        if self.phase != Phase::New {
            return self.poll_again(own, outer, cx);
        }
        let Some(registry) = self.registry else {
            return Poll::Ready(self.nobody());
        };
        #[cfg(fanfare_plant = "gate-looked-at-first")]
        let marks = self.core.gate.marks();
        // Before anything is looked at: whoever closes the signal or removes a listener waits for this version.
        let held = registry.hold();
        let version = held.number;
        let mut kept = None;
        match self.list {
            List::Number(number)
                if held.snapshot.number == number || cfg!(fanfare_plant = "newest-list-called") =>
            {
                self.list = List::Held(held);
            }
            // Listeners came or went between the call and this poll.
            List::Number(number) => {
                self.list = List::Kept(registry.list_of(number));
                kept = Some(held);
            }
            _ => kept = Some(held),
        }
        #[cfg(not(fanfare_plant = "gate-looked-at-first"))]
        let marks = self.core.gate.marks();
        if marks.is_closed() && !self.is_inside() {
            self.phase = Phase::Finished;
            self.list = List::Nobody;
            return Poll::Ready(Report::closed());
        }
        self.phase = Phase::Running;
        let list = self.snapshot();
        let shares = list.shares;
        let sampled = list.shards.begin(Seat::of_this_thread()) | shard::tick(SAMPLE);
        if shares {
            self.share();
        }
        if sampled || kept.is_some() || marks.is_slow() || !self.may_pass(outer) {
            return self.poll_first(own, outer, version, sampled, cx);
        }
        if self.pass(own.as_mut(), outer, version, Untimed, cx) {
            return Poll::Ready(self.all_done());
        }
        self.poll_on(own, outer, version, false, cx)
    }

    /// Some listener shares the event, or takes a delivery of it.
    #[inline(never)]
    fn share(&mut self) {
        self.payload.share_from_now_on();
        let list = self.list.snapshot().expect("looked at by the caller");
        // What was held has with it what its emission was given.
        if list.deliveries == Deliveries::None || list.of_held {
            return;
        }
        let stamped = list.deliveries == Deliveries::Timed || self.core.options.timestamps;
        let deadline = self.more.as_ref().and_then(|more| more.watch.deadline);
        let envelope = self.payload.envelope_mut();
        envelope.emitted = stamped.then(clock::now);
        envelope.deadline = deadline.map(|(at, _)| at);
        envelope.unattended = self.if_dropped == Cancellation::RuntimeEnded;
        if let Some(cause) = cause() {
            envelope.caused_by(&cause);
        }
    }

    /// A poll after the first.
    #[inline(never)]
    fn poll_again(
        &mut self,
        own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        let registry = self.registry.expect("nothing runs without a signal");
        let version = registry.hold();
        let sample = (shard::tick(SAMPLE) && self.phase == Phase::Running)
            .then(|| (self.note_time(), Arc::clone(self.snapshot())));
        let suspect = |list: &Snapshot<E>| list.later_suspect.load(Ordering::Relaxed);
        let probe = sample.as_ref().is_some_and(|(_, list)| suspect(list));
        let polled = self.go_on(false, own, outer, version.number, probe, cx);
        if let Some((since, list)) = sample {
            // A poll that is short says nothing of the others of its emission.
            if clock::since(since) >= LONG {
                list.later_suspect.store(true, Ordering::Relaxed);
            }
        }
        polled
    }

    /// What came of an event that no signal is there for.
    #[cold]
    fn nobody(&mut self) -> Report {
        assert!(
            self.phase == Phase::New,
            "an emission was polled after it was ready"
        );
        self.phase = Phase::Finished;
        self.core.unknown_event(std::any::type_name::<E>())
    }

    /// The first poll of an emission that needs more than a pass, or is looked at closely.
    #[inline(never)]
    fn poll_first(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        version: u64,
        sampled: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        if self.snapshot().entries.is_empty() {
            self.core.dead_event(self.core.event_type);
            return Poll::Ready(self.all_done());
        }
        if self.core.in_tasks && self.snapshot().lends && !self.snapshot().shares {
            self.share();
        }
        let timed = sampled || self.core.options.timing == Timing::On;
        let since = timed.then(|| self.note_time());
        let sample = sampled.then(|| Arc::clone(self.snapshot()));
        let suspect = self.snapshot().suspect.load(Ordering::Relaxed);
        let drawn = self.drawn();
        let polled = if self.core.plain && !self.is_traced() && self.may_pass(outer) && !suspect {
            // Unless it is drawn, not the listeners but the pass as a whole is timed.
            let all_done = match drawn {
                None => self.pass(own.as_mut(), outer, version, Untimed, cx),
                Some(draw) => {
                    let laps = &Clocked::new(self.core, draw);
                    self.pass(own.as_mut(), outer, version, laps, cx)
                }
            };
            if all_done {
                ended(self.core, drawn);
                Poll::Ready(self.all_done())
            } else {
                self.more().draw = drawn;
                self.poll_on(own, outer, version, false, cx)
            }
        } else {
            self.more().draw = drawn;
            self.go_on(true, own, outer, version, sampled && suspect, cx)
        };
        if let (Some(since), Some(list)) = (since, sample) {
            let long = clock::since(since) >= LONG;
            list.suspect.store(long, Ordering::Relaxed);
        }
        polled
    }

    /// Goes on with what a pass has left, or what suspended in an earlier poll.
    #[inline(never)]
    pub(super) fn poll_on(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        version: u64,
        probe: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        if self.phase == Phase::Running {
            let core = self.core;
            let base = Frame {
                calls: &**core,
                place: 0.into(),
                lease: None,
                version,
                marked: false,
                inside: self.is_inside(),
                turn: self.turn(),
                depth: outer.depth() + 1,
                outer,
            };
            self.more().rewind(probe);
            let ran = base.enter(|| self.run(own.as_mut(), &base, cx));
            if ran.is_pending() {
                self.suspend();
                return Poll::Pending;
            }
            self.more().permit = None;
            self.count();
            self.leave_door();
            let draw = self.more.as_ref().and_then(|more| more.draw);
            if draw.is_some() && !self.snapshot().of_held {
                ended(core, draw);
            }
            self.phase = Phase::Returning;
        }
        assert!(
            self.phase != Phase::Finished,
            "an emission was polled after it was ready"
        );
        if let Some(loan) = &mut self.more().loan {
            ready!(loan.poll_return(cx));
        }
        self.phase = Phase::Finished;
        self.list = List::Nobody;
        Poll::Ready(self.tally.finish())
    }

    /// Keeps what outlives this poll: the list without its version, and the emission's place among those that shutdown waits for. What runs is marked by now.
    fn suspend(&mut self) {
        let core = self.core;
        let more = self.more();
        // The listener that awaits this emission does not run meanwhile.
        if let Some(loan) = &mut more.loan {
            loan.lend();
        }
        if !std::mem::replace(&mut more.suspended, true) {
            if !cfg!(fanfare_plant = "suspends-outside") {
                more.pass.get_or_insert_with(|| Pass::of_begun(core));
            }
            self.list = List::Kept(Arc::clone(self.snapshot()));
        }
    }

    #[inline]
    pub(super) fn snapshot(&self) -> &Arc<Snapshot<E>> {
        let snapshot = self.list.snapshot();
        snapshot.expect("nothing runs without a signal")
    }

    /// The key whose turn this is, as a frame has it.
    fn turn(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| more.turn.bits())
    }

    fn is_inside(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.pass.is_some())
    }

    /// Whether the signal is open, or the emission was let in before it closed.
    #[inline]
    fn may_begin(&self) -> bool {
        !self.core.gate.is_closed() || self.is_inside()
    }

    /// Whether the listeners that are plain themselves can be called in one pass.
    #[inline]
    fn may_pass(&self, outer: Outer<'_>) -> bool {
        self.more.is_none()
            && !self.snapshot().entries.is_empty()
            && (matches!(outer, Outer::Nothing)
                || (outer.lease().is_none() && outer.depth() < self.core.options.recursion_limit))
    }

    fn note_time(&self) -> clock::Instant {
        let now = clock::now();
        let seat = Seat::of_this_thread();
        self.snapshot().shards.note(seat, Coarse::at(now).0);
        now
    }

    /// The end of an emission that was one pass.
    #[inline]
    fn all_done(&mut self) -> Report {
        self.phase = Phase::Finished;
        let snapshot = self.snapshot();
        let listeners = snapshot.entries.len();
        let seat = Seat::of_this_thread();
        snapshot.shards.done(seat, listeners as u64);
        // Nothing more is called: let go of the version.
        self.list = List::Nobody;
        Report::of_done(listeners)
    }

    fn count(&self) {
        let (done, rest) = self.tally.counts();
        let seat = Seat::of_this_thread();
        self.snapshot().shards.done(seat, done);
        if let Some(counts) = rest {
            self.core.counters.add_not_done(counts);
        }
    }

    /// What a pass can do without. Made when it is first needed.
    pub(super) fn more(&mut self) -> &mut More<'a, E> {
        self.more.get_or_insert_default()
    }

    /// The emission is dropped.
    #[inline]
    fn dropped(&mut self, own: Pin<&mut Place<E>>) {
        if self.phase != Phase::Finished {
            self.abandon(own);
        }
    }

    /// Apart, so that what is done for each emission that has ended stays small.
    #[cold]
    #[inline(never)]
    fn abandon(&mut self, own: Pin<&mut Place<E>>) {
        self.abandon_traced(|state| state.end_early(own));
    }

    fn end_early(&mut self, own: Pin<&mut Place<E>>) {
        if self.phase == Phase::New {
            let Some(registry) = self.registry.filter(|_| self.may_begin()) else {
                return;
            };
            if let List::Number(number) = self.list {
                self.list = List::Kept(registry.list_of(number));
            }
            self.snapshot().shards.begin(Seat::of_this_thread());
        }
        self.cancel(own, Ended::Cancelled(self.if_dropped));
        self.more().permit = None;
        self.count();
    }
}
