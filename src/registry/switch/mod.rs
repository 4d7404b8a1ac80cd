//! Whether a listener is called, and the events that it holds while it is not.
//!
//! [`State`] is what the switch of one listener says. It is changed under one lock; what a change leads to (telling the observers, delivering what is held) is done when that
//! lock is no longer held.

mod state;
#[cfg(test)]
mod state_tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::state::{Due, HeldEvent, Kept, Next, Way};
use self::state::{FOR_GOOD, State, Words};
use super::{Record, Setting};
use crate::actor::acting_alone;
use crate::clock::{self, Coarse, Instant};
use crate::outcome::{Cause, Skip};
use crate::sync::{Mutex, Notify};

/// What a signal does for listeners that hold events, whatever its event type. No lock is held when it is called.
pub(crate) trait Deliverer: Send + Sync {
    /// Begins what is [`Due`] for this listener, if there is a runtime to do it on.
    fn begin(&self, record: &Record);

    /// Counts and tells of events that this listener held and is not called with.
    fn lost(&self, record: &Record, events: usize, cause: &Cause);
}

/// The switch of one listener.
#[derive(Default)]
pub(super) struct Switch {
    state: Mutex<State>,
    /// Woken when a pause changes.
    changed: Arc<Notify>,
}

impl Record {
    /// Calls it no more until it is enabled. True if that changed anything.
    pub(crate) fn disable(&self) -> bool {
        self.change(State::disable)
    }

    /// Calls it no more for so long, or until it is resumed, and holds up to so many events meanwhile. True if that changed anything.
    pub(crate) fn pause(&self, time: Option<Duration>, buffer: Option<usize>) -> bool {
        let until = time.and_then(|time| clock::now().checked_add(time));
        let until = until.map_or(FOR_GOOD, |until| Coarse::at(until).0);
        self.change(|state| state.pause(until, buffer))
    }

    /// It begins with a pause that holds up to so many events, until it is resumed. Said before anybody can call it.
    pub(crate) fn begin_paused(&self, limit: usize) {
        let mut state = self.switch().state.lock();
        state.begin_unready(limit);
        self.set_switched(true);
    }

    /// It is to be called with these before anything else, and has room for so many behind them. Said before anybody can call it.
    pub(crate) fn begin_with(&self, events: impl ExactSizeIterator<Item = HeldEvent>, room: usize) {
        if events.len() == 0 {
            return;
        }
        let mut state = self.switch().state.lock();
        if !self.is_removed() {
            state.begin_with(events, room);
            self.set_switched(true);
        }
    }

    /// Ends a pause. True if there was one.
    pub(crate) fn resume(&self) -> bool {
        self.is_switched() && self.change(State::resume)
    }

    /// Calls it again. True if it was off.
    pub(crate) fn enable(&self) -> bool {
        self.is_switched() && self.change(State::enable)
    }

    /// Why it is not called now, if it is switched off. A pause that is over ends here.
    pub(crate) fn off(&self) -> Option<Skip> {
        if !self.is_switched() {
            return None;
        }
        self.change(|state| state.skip())
    }

    /// What is to be done with an event for it now. A pause that is over ends here.
    #[inline]
    pub(crate) fn way(&self) -> Way {
        if self.is_switched() {
            self.looked_at()
        } else {
            Way::Call
        }
    }

    #[cold]
    fn looked_at(&self) -> Way {
        self.change(|state| state.way())
    }

    /// Holds an event for it, if it still is to be held.
    pub(crate) fn hold(&self, event: &HeldEvent) -> Kept {
        self.change(|state| {
            // Under the lock: whoever removes it takes what it holds after the mark.
            if self.is_removed() && !cfg!(fanfare_plant = "held-by-the-removed") {
                return Kept::Changed;
            }
            state.hold(event)
        })
    }

    /// How many events it holds.
    pub(crate) fn held(&self) -> usize {
        let switch = self.known_switch();
        switch.map_or(0, |switch| switch.state.lock().held())
    }

    /// Whether it is not ready yet: registered so, and never resumed.
    #[cfg(feature = "metrics")]
    pub(super) fn is_unready(&self) -> bool {
        let switch = self.known_switch();
        switch.is_some_and(|switch| switch.state.lock().is_unready())
    }

    pub(super) fn switched_in_words(&self) -> Option<String> {
        let state = self.known_switch()?.state.lock();
        let (words, held) = (state.words(), state.held());
        drop(state);
        words.with_held(held)
    }

    /// Sees to it that what is held is delivered, if it is to be.
    pub(crate) fn begin_what_is_due(&self) {
        if self.known_switch().is_some() {
            self.change(|_| {});
        }
    }

    /// Says what is due, and that the caller has begun it.
    pub(crate) fn take_up(&self) -> Option<Due> {
        let switch = self.known_switch()?;
        switch.state.lock().take_up()
    }

    /// For whoever delivers: the next event that it holds.
    pub(crate) fn next_held(&self) -> Next {
        self.change(State::next)
    }

    /// Whoever delivered does so no longer. False if another listener has what this one held.
    pub(crate) fn stop_delivering(&self) -> bool {
        let Some(switch) = self.known_switch() else {
            return true;
        };
        switch.state.lock().stop_delivering()
    }

    /// For whoever waits for the end of its pause: until when. `None` ends the wait.
    pub(crate) fn waits_until(&self) -> Option<Instant> {
        let until = self.change(State::waits_until);
        until.map(|until| Coarse(until).to_instant())
    }

    /// Whoever waited does so no longer.
    pub(crate) fn stop_waiting(&self) {
        if let Some(switch) = self.known_switch() {
            switch.state.lock().stop_waiting();
        }
    }

    /// Woken when its pause changes, or it goes.
    pub(crate) fn pause_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.switch().changed)
    }

    /// It is to take the place of `before`: what comes for it waits for what that one holds.
    pub(super) fn expect_held(&self, before: &Self) {
        let inherited = before
            .known_switch()
            .and_then(|switch| switch.state.lock().inherited());
        if let Some(inherited) = inherited {
            let mut state = self.switch().state.lock();
            state.expect(&inherited);
            self.set_switched(true);
        }
    }

    /// It has taken the place of `before`, which is marked as removed: what that one holds is held here now.
    pub(super) fn take_over_held(&self, before: &Self) {
        let Some(theirs) = before.known_switch() else {
            return;
        };
        #[cfg(fanfare_plant = "held-moves-in-two-steps")]
        let handed_over = theirs.state.lock().hand_over();
        // Two locks, in this order: whoever delivers follows from there to here, and finds it all. Nobody else takes two.
        let mut state = self.switch().state.lock();
        #[cfg(not(fanfare_plant = "held-moves-in-two-steps"))]
        let handed_over = theirs.state.lock().hand_over();
        state.take_over(handed_over);
        self.set_switched(state.is_to_be_looked_at());
    }

    /// Does what follows from [`take_over_held`](Self::take_over_held).
    pub(super) fn begin_in_place_of(&self, before: &Self) {
        if let Some(theirs) = before.known_switch() {
            theirs.changed.notify_waiters();
            self.begin_what_is_due();
        }
    }

    /// It is marked as removed: it is not called with what it holds.
    pub(super) fn lose_held(&self) {
        let Some(switch) = self.known_switch() else {
            return;
        };
        let mut state = switch.state.lock();
        let held = state.hand_over().take_held();
        drop(state);
        switch.changed.notify_waiters();
        let skip = if self.is_spent() {
            Skip::Spent
        } else {
            Skip::Removed
        };
        self.lost(&held, &Cause::Skipped(skip));
    }

    /// Drops what it holds, and says how much.
    pub(crate) fn drop_held(&self, cause: &Cause) -> usize {
        let Some(switch) = self.known_switch() else {
            return 0;
        };
        let mut state = switch.state.lock();
        let held = state.take_held();
        self.set_switched(state.is_to_be_looked_at());
        drop(state);
        switch.changed.notify_waiters();
        self.lost(&held, cause);
        held.len()
    }

    fn lost(&self, held: &VecDeque<HeldEvent>, cause: &Cause) {
        if !held.is_empty() {
            self.home.lost(self, held.len(), cause);
        }
    }

    /// Changes its switch, ends a pause that is over, and does what follows when the lock is no longer held.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let switch = self.switch();
        let now = Coarse::at(clock::now()).0;
        let mut state = switch.state.lock();
        let before = state.words();
        state.tick(now);
        let between = state.words();
        let result = change(&mut state);
        let (after, due) = (state.words(), state.due());
        self.set_switched(state.is_to_be_looked_at());
        drop(state);
        if before != after {
            switch.changed.notify_waiters();
            // A pause that is over is the doing of nobody who happens to look.
            acting_alone(|| self.tell(before, between));
            self.tell(between, after);
        }
        if due.is_some() {
            self.home.begin(self);
        }
        result
    }

    fn tell(&self, before: Words, after: Words) {
        if before != after {
            let (before, after) = (before.to_string(), after.to_string());
            let who = self.identity();
            self.home.changed(Some(who), Setting::Calls, before, after);
        }
    }
}

impl Drop for Switch {
    /// The signal is gone, and all handles of the listener.
    fn drop(&mut self) {
        self.changed.notify_waiters();
        let events = self.state.lock().held();
        if events > 0 {
            tracing::warn!(
                count = events,
                "events that a paused listener held were dropped with its signal"
            );
        }
    }
}
