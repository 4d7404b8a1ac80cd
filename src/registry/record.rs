//! What the registry knows of one listener, whatever its event type.

use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use once_cell::race::OnceBox;

use super::switch::Switch;
use super::{Home, Metadata};
use crate::actor::acting_alone;
use crate::clock::{self, Coarse};
use crate::key::{Identity, Key};
use crate::listener::{Kind, Stacked, Storage};
use crate::metrics::Meter;
use crate::outcome::{Cause, Outcome};
use crate::sync::shard::Sum;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};

/// How often a listener may still be called.
#[derive(Default)]
pub(crate) enum Budget {
    #[default]
    Unlimited,
    Times {
        left: AtomicU64,
        of: u64,
    },
}

/// What was asked for when a listener was registered, beyond what it does. The default is a listener that wishes for nothing.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) key: Option<Key>,
    pub(crate) priority: i32,
    pub(crate) stage: u32,
    pub(crate) budget: Budget,
    pub(crate) filtered: bool,
}

/// What the registry knows of one listener: who it is, how it is ordered, whether it is still wanted, and what it has done. Small, since there may be many: what few
/// listeners have is kept apart.
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) location: &'static Location<'static>,
    pub(crate) home: Arc<Home>,
    /// The calls that run and have left the poll that they began in; and the marks below.
    state: AtomicU32,
    /// When it was registered, in nanoseconds since 1970: the number of the first list that it is in.
    added: AtomicU64,
    /// When it was last called, as far as that was noted, in coarse seconds.
    last_called: AtomicU32,
    /// Emissions that it was present for, less those that did not call it. Below zero for a moment, if the exceptions are counted first.
    calls: AtomicU64,
    more: OnceBox<More>,
}

/// Which poll of a call. What it does before it first waits says nothing of what it does after.
#[derive(Clone, Copy)]
pub(crate) enum Nth {
    First,
    Later,
}

/// What few listeners have.
struct More {
    key: Option<Key>,
    priority: i32,
    stage: u32,
    budget: Budget,
    /// Where it stands among those of equal stage and priority: its id, or the place of the listener that it replaced.
    sequence: AtomicU64,
    /// If it replaced another: since when that was there, or the one before it.
    present_since: AtomicU64,
    /// How many calls did not succeed, by outcome.
    not_done: [AtomicU64; Outcome::ALL.len()],
    last_error: Mutex<Option<Cause>>,
    /// How many samples in a row were long, of first polls and of later ones: no more than it takes to say so, and then for good.
    long_polls: [AtomicU32; 2],
    /// Made when it is first switched off.
    switch: OnceBox<Switch>,
    meter: Meter,
}

/// It has been removed.
const REMOVED: u32 = 1 << 31;
/// Something is to be looked at before each call that takes more than a pass: a budget, a rollout, or that it blocks.
const CHECKED: u32 = 1 << 30;
/// It has a filter.
const FILTERED: u32 = 1 << 29;
/// Its switch is to be looked at: it is switched off, for a time or until it is switched on, or has events to be called with first.
const OFF: u32 = 1 << 28;
const RUNNING: u32 = OFF - 1;

impl Record {
    pub(crate) fn new(
        id: u64,
        location: &'static Location<'static>,
        home: Arc<Home>,
        kind: Kind,
        wishes: Wishes,
    ) -> Self {
        let budgeted = matches!(wishes.budget, Budget::Times { .. });
        let checked = if budgeted || kind == Kind::Blocking {
            CHECKED
        } else {
            0
        };
        let filtered = if wishes.filtered { FILTERED } else { 0 };
        let plain = wishes.key.is_none() && (wishes.priority, wishes.stage) == (0, 0) && !budgeted;

        Self {
            id,
            location,
            home,
            state: AtomicU32::new(checked | filtered),
            added: AtomicU64::new(now_in_nanos()),
            last_called: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            more: if plain {
                OnceBox::new()
            } else {
                OnceBox::with_value(Box::new(More::new(id, wishes)))
            },
        }
    }

    fn more(&self) -> &More {
        let more = || Box::new(More::new(self.id, Wishes::default()));
        self.more.get_or_init(more)
    }

    pub(crate) fn key(&self) -> Option<&Key> {
        self.more.get()?.key.as_ref()
    }

    pub(crate) fn priority(&self) -> i32 {
        self.more.get().map_or(0, |more| more.priority)
    }

    pub(crate) fn stage(&self) -> u32 {
        self.more.get().map_or(0, |more| more.stage)
    }

    /// Where it stands among those of equal stage and priority.
    pub(super) fn sequence(&self) -> u64 {
        // Written under the lock that publishing holds.
        let more = self.more.get();
        more.map_or(self.id, |more| more.sequence.load(Ordering::Relaxed))
    }

    pub(super) fn set_sequence(&self, sequence: u64) {
        self.more().sequence.store(sequence, Ordering::Relaxed);
    }

    pub(super) fn take_place_of(&self, before: &Self) {
        self.set_sequence(before.sequence());
        let since = before.present_since();
        self.more().present_since.store(since, Ordering::Relaxed);
    }

    /// It is in the lists from this number on.
    pub(super) fn set_added(&self, number: u64) {
        // Under the lock that publishing holds.
        self.added.store(number, Ordering::Relaxed);
    }

    /// The number of the first list that has it in, or the one whose place it took.
    pub(super) fn present_since(&self) -> u64 {
        let replaced = self.more.get().map(|more| &more.present_since);
        match replaced.map_or(0, |since| since.load(Ordering::Relaxed)) {
            0 => self.added.load(Ordering::Relaxed),
            since => since,
        }
    }

    /// Something is to be looked at before each call of it. Said before anybody can call it.
    pub(super) fn look_before_each_call(&self) {
        self.state.fetch_or(CHECKED, Ordering::AcqRel);
    }

    /// Who it is, for a report or a log line.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::new(Identity {
            id: self.id,
            signal: Arc::clone(&self.home.name),
            key: self.key().cloned(),
            location: self.location,
        })
    }

    /// Whether it may be called without a further look: it is not removed, and has no filter, no budget, and no thread to wait for.
    ///
    /// Asked by an emission that has a version in hand: if the removal came before that version, it is seen here; if it came after, `removed()` waits for the version.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.state.load(Ordering::Acquire) & (REMOVED | CHECKED | FILTERED | OFF) == 0
    }

    /// Whether it may be called if its filter says yes.
    pub(crate) fn is_plain_but_for_its_filter(&self) -> bool {
        self.state.load(Ordering::Acquire) & (REMOVED | CHECKED | OFF) == 0
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.state.load(Ordering::Acquire) & REMOVED != 0
    }

    /// Whether its switch is to be looked at before a call.
    #[inline]
    pub(crate) fn is_switched(&self) -> bool {
        self.state.load(Ordering::Acquire) & OFF != 0
    }

    /// Says whether its switch is to be looked at. Called under the lock of the switch.
    pub(super) fn set_switched(&self, switched: bool) {
        if switched {
            self.state.fetch_or(OFF, Ordering::AcqRel);
        } else {
            self.state.fetch_and(!OFF, Ordering::AcqRel);
        }
    }

    /// Its switch, if it has ever been switched off.
    pub(super) fn known_switch(&self) -> Option<&Switch> {
        self.more.get()?.switch.get()
    }

    pub(super) fn switch(&self) -> &Switch {
        self.more().switch.get_or_init(Box::default)
    }

    /// Says that it is removed. Whoever does so wakes `quiet` after, when no lock is held.
    pub(super) fn mark_removed(&self) {
        self.state.fetch_or(REMOVED, Ordering::AcqRel);
    }

    /// Marks a call that goes on beyond the poll that it began in, while that poll still holds its pin.
    pub(crate) fn enter(&self) {
        #[cfg(fanfare_plant = "mark-not-taken")]
        return;
        self.state.fetch_add(1, Ordering::AcqRel);
    }

    /// Ends what [`enter`](Self::enter) began.
    pub(crate) fn leave(&self) {
        #[cfg(fanfare_plant = "mark-not-taken")]
        return self.home.quiet.notify_waiters();
        let before = self.state.fetch_sub(1, Ordering::AcqRel);
        if before & REMOVED != 0 {
            self.home.quiet.notify_waiters();
        }
    }

    /// Calls that are marked as running now.
    pub(crate) fn running(&self) -> usize {
        (self.state.load(Ordering::Acquire) & RUNNING) as usize
    }

    /// Takes one call from the budget; the last step before the call. False if none is left. The listener whose last call this is leaves the
    /// registry.
    pub(crate) fn claim(&self) -> bool {
        let Some(Budget::Times { left, .. }) = self.more.get().map(|more| &more.budget) else {
            return true;
        };
        #[cfg(fanfare_plant = "claim-in-two-steps")]
        left.store(left.load(Ordering::Relaxed), Ordering::Relaxed);
        // One atomic decides between all emissions; nothing else is published with it.
        let Ok(before) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        }) else {
            return false;
        };
        if before == 1 {
            self.leave_registry();
        }
        true
    }

    /// Its last call is made. Apart, so that what every call claims stays small.
    #[cold]
    #[inline(never)]
    fn leave_registry(&self) {
        if let Some(host) = self.home.host() {
            // Nobody's act, nor is what follows from it: the link to a derived signal that has no other listener is cut.
            acting_alone(|| host.remove(self));
        }
    }

    pub(crate) fn is_spent(&self) -> bool {
        let budget = self.more.get().map(|more| &more.budget);
        matches!(budget, Some(Budget::Times { left, .. }) if left.load(Ordering::Relaxed) == 0)
    }

    /// Adds what a version did that it was part of.
    pub(super) fn settle(&self, sum: Sum) {
        self.calls.fetch_add(sum.begun, Ordering::Relaxed);
        let last = Coarse(sum.last).to_seconds();
        self.last_called.fetch_max(last, Ordering::Relaxed);
    }

    /// An emission that it was present for does not call it.
    pub(crate) fn not_called(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// An emission calls it in the place of one that it was present for.
    pub(crate) fn called_instead(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// It is called, and no emission does so.
    pub(crate) fn called_again(&self) {
        self.called_instead();
        let now = Coarse::at(clock::now()).to_seconds();
        self.last_called.fetch_max(now, Ordering::Relaxed);
    }

    /// Counts so many calls that did not succeed, or were not made.
    pub(crate) fn count(&self, outcome: Outcome, calls: u64) {
        let counter = &self.more().not_done[outcome as usize];
        counter.fetch_add(calls, Ordering::Relaxed);
    }

    /// Counts a call that did not succeed.
    pub(crate) fn not_done(&self, cause: &Cause) {
        self.count(cause.outcome(), 1);
        if !matches!(cause, Cause::Failed(_) | Cause::Panicked(_)) {
            return;
        }
        let more = self.more();
        // The old cause holds the user's error: it is dropped after the lock.
        let old = more.last_error.lock().replace(cause.clone());
        drop(old);
    }

    /// What is measured of it, if anything is or was.
    pub(crate) fn known_meter(&self) -> Option<&Meter> {
        self.more.get().map(|more| &more.meter)
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.more().meter
    }

    /// A call that was timed has ended. True if to note that took long itself.
    #[inline(never)]
    pub(crate) fn timed(&self, took: Duration, polled: Duration) -> bool {
        let who = || self.identity();
        let meters = &self.home.meters;
        // Where there is no room for its histogram, it needs nothing to keep it in.
        let meter = match self.known_meter() {
            None if meters.is_full() => self.known_meter(),
            _ => Some(self.meter()),
        };
        meters.call(meter, took, polled, who)
    }

    /// Notes a sample: whether a poll of it was long. True once, when as many in a row as `enough` were.
    pub(crate) fn poll_was_long(&self, which: Nth, long: bool, enough: u32) -> bool {
        if !long && self.more.get().is_none() {
            return false;
        }
        let in_a_row = &self.more().long_polls[which as usize];
        let next = |before: u32| match before {
            before if before == enough => None,
            before if long => Some(before + 1),
            _ => Some(0),
        };
        let before = in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        long && before == Ok(enough - 1)
    }

    /// What is known about it, with the counts as they were last settled.
    pub(crate) fn metadata(
        &self,
        kind: Kind,
        storage: Option<Storage>,
        stack: Option<Stacked>,
    ) -> Metadata {
        let more = self.more.get();
        let calls = self.calls.load(Ordering::Relaxed);
        let last_called = self.last_called.load(Ordering::Relaxed);
        Metadata {
            identity: self.identity(),
            kind,
            storage,
            stack,
            rollout: None,
            off: self.off(),
            held: self.held(),
            switched: self.switched_in_words(),
            priority: self.priority(),
            stage: self.stage(),
            added: SystemTime::UNIX_EPOCH
                + Duration::from_nanos(self.added.load(Ordering::Relaxed)),
            times: match more.map(|more| &more.budget) {
                Some(Budget::Times { of, .. }) => Some(*of),
                _ => None,
            },
            // Below zero, as a number without a sign, if an exception is counted and its emission is not yet.
            calls: if calls > u64::MAX / 2 { 0 } else { calls },
            not_done: std::array::from_fn(|n| {
                more.map_or(0, |more| more.not_done[n].load(Ordering::Relaxed))
            }),
            running: self.running(),
            last_called: Coarse::of_seconds(last_called).to_system_time(),
            last_error: more
                // The text of an error is user code: it is asked for when the lock is released.
                .and_then(|more| more.last_error.lock().clone())
                .map(|cause| cause.to_string()),
            #[cfg(feature = "metrics")]
            unready: self.is_unready(),
            #[cfg(feature = "metrics")]
            level: more.and_then(|more| more.meter.level()),
            #[cfg(feature = "metrics")]
            durations: more.map_or_else(Default::default, |more| more.meter.durations()),
        }
    }
}

/// The time of day in nanoseconds since 1970.
pub(super) fn now_in_nanos() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since_1970.unwrap_or_default().as_nanos();
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

impl More {
    fn new(id: u64, wishes: Wishes) -> Self {
        Self {
            key: wishes.key,
            priority: wishes.priority,
            stage: wishes.stage,
            budget: wishes.budget,
            sequence: AtomicU64::new(id),
            present_since: AtomicU64::new(0),
            not_done: Default::default(),
            last_error: Mutex::default(),
            long_polls: Default::default(),
            switch: OnceBox::new(),
            meter: Meter::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Board, Meters};

    fn record() -> Record {
        let home = Arc::new(Home::new("signal".into(), Meters::new(&Board::new(), None)));
        let wishes = Wishes {
            key: None,
            priority: 0,
            stage: 0,
            budget: Budget::Unlimited,
            filtered: false,
        };
        Record::new(1, Location::caller(), home, Kind::Async, wishes)
    }

    #[test]
    fn an_exception_that_is_counted_before_its_emission_is_no_call() {
        let record = record();
        record.not_called();
        assert_eq!(record.metadata(Kind::Async, None, None).calls(), 0);
    }

    #[test]
    fn only_so_many_long_samples_in_a_row_are_regularly_long_and_said_once() {
        let record = record();
        let sample = |which, long| record.poll_was_long(which, long, 4);
        for _ in 0..10 {
            // The smallest of any four is short.
            for long in [true, true, true, false] {
                assert!(!sample(Nth::First, long));
            }
        }
        let mut said = 0;
        for nth in 1..=20 {
            said += usize::from(sample(Nth::First, true));
            assert_eq!(said, usize::from(nth >= 4), "{nth}");
            assert!(!sample(Nth::Later, false));
        }
        assert!(!sample(Nth::First, false));
        assert!((0..20).all(|_| !sample(Nth::First, true)));
    }
}
