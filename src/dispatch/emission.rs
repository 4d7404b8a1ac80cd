//! One emission, from the call of `emit` to its report.
//!
//! An emission to plain listeners (no pool, no filter, no budget, in the emitter's task) is one pass over the list: `pass.rs`. Whatever needs more, from the listener on that does,
//! takes the way of `course.rs`.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;

use super::course::More;
use super::options::Timing;
use super::running::Place;
use super::watch::Ended;
use super::{Core, Pass};
use crate::clock::{self, Coarse};
use crate::context::{Calls, Frame, Outer, within};
use crate::event::Event;
use crate::listener::Payload;
use crate::outcome::{Cancellation, Outcome, Report, Tally};
use crate::registry::{Borrowed, Snapshot};
use crate::sync::Ordering;
use crate::sync::shard::{self, Seat};

/// One poll in so many, on each thread, reads the clock: for `last_called`, and to find listeners whose polls are long.
const SAMPLE: u32 = 32;
/// A poll that takes so long keeps other tasks of its thread waiting.
pub(super) const LONG: Duration = Duration::from_millis(1);

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
    pub(super) version: Option<Borrowed<E>>,
    pub(super) payload: Payload<E>,
    /// The next listener to start, as an index into the version.
    pub(super) next: usize,
    pub(super) phase: Phase,
    /// No further listener is to start.
    pub(super) stopped: bool,
    /// What it means if the emission is dropped.
    if_dropped: Cancellation,
    pub(super) tally: Tally,
    /// What an emission that is one pass does not need.
    pub(super) more: Option<Box<More<E>>>,
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
    pub(crate) fn new(core: &'a Arc<Core>, version: Option<Borrowed<E>>, event: E) -> Self {
        // Tasks share the event too, where a listener only borrows it.
        let shares = |version: &Borrowed<E>| {
            (version.shares || core.in_tasks) && !version.entries.is_empty()
        };
        let shares = version.as_ref().is_some_and(shares);
        let state = State {
            core,
            version,
            payload: Payload::new(event, shares),
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

    pub(crate) fn set_deadline(&mut self, given: Duration) {
        // A deadline beyond the clock's range is none.
        let deadline = clock::now().checked_add(given).map(|at| (at, given));
        self.state.more().watch.deadline = deadline;
    }

    pub(crate) fn set_token(&mut self, token: CancellationToken) {
        self.state.more().watch.token = Some(token);
    }

    #[inline]
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Report> {
        let this = self.project();
        within(|outer| this.state.poll(this.own, outer, cx))
    }
}

impl<E: Event> State<'_, E> {
    #[inline]
    fn poll(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        if self.version.is_none() {
            return Poll::Ready(self.nobody());
        }
        let pinned = self.core.home.pins.pin();
        let mut sampled = shard::tick(SAMPLE);
        if self.phase == Phase::New {
            if !self.may_begin() {
                self.phase = Phase::Finished;
                return Poll::Ready(Report::closed());
            }
            self.phase = Phase::Running;
            sampled |= self.version().shards.begin(Seat::of_this_thread());
            if self.is_plain(outer) && !sampled {
                if self.pass(own.as_mut(), outer, pinned.number(), cx) {
                    return Poll::Ready(self.all_done());
                }
            } else {
                return self.poll_first(own, outer, pinned.number(), sampled, cx);
            }
        }
        self.poll_on(own, outer, pinned.number(), sampled, cx)
    }

    /// What came of an event that no signal is there for.
    #[cold]
    fn nobody(&mut self) -> Report {
        assert!(self.phase == Phase::New, "an emission was polled after it was ready");
        self.phase = Phase::Finished;
        if self.core.gate.is_closed() {
            return Report::closed();
        }
        self.core.home.totals.dead_event();
        self.core.dead_event(std::any::type_name::<E>());
        Report::default()
    }

    /// The first poll of an emission that needs more than a pass, or is looked at closely.
    #[inline(never)]
    fn poll_first(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        pin: u64,
        sampled: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        if self.version().entries.is_empty() {
            self.core.dead_event(self.core.event_type);
            return Poll::Ready(self.all_done());
        }
        if self.is_plain(outer) && !self.version().suspect.load(Ordering::Relaxed) {
            // Not the listeners but the pass as a whole is timed.
            let since = self.note_time();
            let all_done = self.pass(own.as_mut(), outer, pin, cx);
            if clock::now().saturating_duration_since(since) >= LONG {
                self.version().suspect.store(true, Ordering::Relaxed);
            }
            if all_done {
                return Poll::Ready(self.all_done());
            }
        } else {
            self.begin(outer);
        }
        self.poll_on(own, outer, pin, sampled, cx)
    }

    /// Goes on with what a pass has left, or what suspended in an earlier poll.
    #[inline(never)]
    fn poll_on(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        pin: u64,
        sampled: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        if sampled || self.core.options.timing == Timing::On {
            self.note_time();
        }
        let since = sampled.then(clock::now);
        if self.phase == Phase::Running {
            let core = self.core;
            let base = Frame {
                calls: &**core,
                place: Cell::new(0),
                lease: None,
                pin,
                marked: false,
                inside: self.is_inside(),
                depth: outer.depth() + 1,
                outer,
            };
            self.more().rewind(sampled);
            let ran = base.enter(|| self.run(own.as_mut(), &base, cx));
            if let Some(since) = since {
                let long = clock::now().saturating_duration_since(since) >= LONG;
                self.version().suspect.store(long, Ordering::Relaxed);
            }
            if ran.is_pending() {
                self.suspend();
                return Poll::Pending;
            }
            self.more().permit = None;
            self.count();
            self.phase = Phase::Returning;
        }
        if self.phase == Phase::Finished {
            panic!("an emission was polled after it was ready");
        }
        if let Some(loan) = &mut self.more().loan {
            ready!(loan.poll_return(cx));
        }
        self.phase = Phase::Finished;
        Poll::Ready(self.tally.finish())
    }

    /// Keeps what outlives this poll: the version, whose guard would be in the way of others, and the emission's place among those that shutdown waits for. The pin of this
    /// poll is still held.
    fn suspend(&mut self) {
        let core = self.core;
        let more = self.more();
        // The listener that awaits this emission does not run meanwhile.
        if let Some(loan) = &mut more.loan {
            loan.lend();
        }
        if !std::mem::replace(&mut more.suspended, true) {
            more.pass.get_or_insert_with(|| Pass::of_begun(core));
            let owned = Borrowed::from_inner(Arc::clone(self.version()));
            self.version = Some(owned);
        }
    }

    #[inline]
    pub(super) fn version(&self) -> &Arc<Snapshot<E>> {
        self.version.as_ref().expect("nothing runs without a signal")
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
    fn is_plain(&self, outer: Outer<'_>) -> bool {
        self.core.plain
            && self.more.is_none()
            && !self.version().entries.is_empty()
            && outer.lease().is_none()
            && outer.depth() < self.core.options.recursion_limit
    }

    fn note_time(&self) -> clock::Instant {
        let now = clock::now();
        let seat = Seat::of_this_thread();
        self.version().shards.note(seat, Coarse::at(now).0);
        now
    }

    /// The end of an emission that was one pass.
    #[inline]
    fn all_done(&mut self) -> Report {
        self.phase = Phase::Finished;
        let version = self.version();
        let listeners = version.entries.len();
        let seat = Seat::of_this_thread();
        version.shards.done(seat, listeners as u64);
        Report::of_done(listeners)
    }

    fn count(&self) {
        let counts = self.tally.counts();
        let done = counts.of(Outcome::Done);
        self.version()
            .shards
            .done(Seat::of_this_thread(), done as u64);
        if counts.total() > done {
            self.core.counters.add_not_done(counts);
        }
    }

    /// What a pass can do without. Made when it is first needed.
    pub(super) fn more(&mut self) -> &mut More<E> {
        self.more.get_or_insert_default()
    }

    /// The emission is dropped.
    #[inline]
    fn dropped(&mut self, own: Pin<&mut Place<E>>) {
        if matches!(self.phase, Phase::New | Phase::Running) {
            self.abandon(own);
        }
    }

    #[cold]
    fn abandon(&mut self, own: Pin<&mut Place<E>>) {
        if self.phase == Phase::New {
            if !self.may_begin() || self.version.is_none() {
                return;
            }
            self.version().shards.begin(Seat::of_this_thread());
        }
        self.cancel(own, Ended::Cancelled(self.if_dropped));
        self.more().permit = None;
        self.count();
    }
}

impl Calls for Core {
    fn listener(&self, _: usize) -> u64 {
        // What runs between the calls is no listener's; no listener has this number.
        0
    }

    fn signal(&self) -> u64 {
        self.id
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }
}
