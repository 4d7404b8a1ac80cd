//! A table whose keys fall idle by themselves, as time passes.

use std::collections::VecDeque;
use std::fmt;

use super::{Fingerprint, Table, TooMany};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// One call in so many looks for idle keys,
const EVERY: u64 = 16;
/// and looks at so many, in turn: two keys a call on average. So does a call that finds no room.
const LOOKS: usize = 32;

/// A [`Table`] in which calls look for idle keys as they go: within half as many calls as there are keys, each of them was looked at. No call looks at more than 64.
pub(crate) struct Swept<V> {
    table: Table<V>,
    calls: AtomicU64,
    /// Every key once, that to be looked at next in front. Never locked with a shard held.
    turn: Mutex<VecDeque<Fingerprint>>,
}

impl<V: Default> Swept<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            table: Table::new(most),
            calls: AtomicU64::new(0),
            turn: Mutex::new(VecDeque::new()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn most(&self) -> usize {
        self.table.most()
    }

    pub(crate) fn set_most(&self, most: usize) {
        self.table.set_most(most);
    }

    /// Changes the state of each key.
    pub(crate) fn for_each(&self, change: impl FnMut(&mut V)) {
        self.table.each(change);
    }

    /// Changes the state of a key, which is made if there is none and there is room, or an idle key that makes room.
    pub(crate) fn enter<R>(
        &self,
        key: Fingerprint,
        mut change: impl FnMut(&mut V) -> R,
        idle: impl Fn(&V) -> bool,
    ) -> Result<R, TooMany> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % EVERY == EVERY - 1 {
            self.sweep(&idle);
        }
        let mut entered = self.table.enter(key, &mut change);
        if entered.is_err() {
            self.sweep(&idle);
            entered = self.table.enter(key, &mut change);
        }
        let (result, new) = entered?;
        if new {
            self.turn.lock().push_back(key);
        }
        Ok(result)
    }

    /// Changes the state of a key, if there is one.
    pub(crate) fn update<R>(
        &self,
        key: Fingerprint,
        change: impl FnOnce(&mut V) -> R,
    ) -> Option<R> {
        self.table.update(key, change, |_| false)
    }

    fn sweep(&self, idle: &impl Fn(&V) -> bool) {
        let mut turn = self.turn.lock();
        for _ in 0..LOOKS.min(turn.len()) {
            let Some(key) = turn.pop_front() else { break };
            if self
                .table
                .update(key, |state| idle(state), |state| idle(state))
                == Some(false)
            {
                turn.push_back(key);
            }
        }
        if turn.capacity() > 16 * (turn.len() + LOOKS) {
            turn.shrink_to_fit();
        }
    }

    #[cfg(test)]
    fn room(&self) -> usize {
        self.table.room().max(self.turn.lock().capacity())
    }
}

impl<V> fmt::Debug for Swept<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swept")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Seeds;
    use super::*;

    #[test]
    fn a_million_keys_stay_within_the_limit_and_leave_when_they_are_idle() {
        // A key's state is the time from which it is idle.
        let (limit, seeds) = (100_000, Seeds::default());
        let swept = Swept::<u64>::new(limit);
        let mut most = 0;
        for now in 0..1_000_000_u64 {
            let key = seeds.fingerprint(&now);
            let entered = swept.enter(key, |idle_at| *idle_at = now + 20_000, |at| *at <= now);
            assert_eq!(entered, Ok(()));
            most = most.max(swept.len());
        }
        assert!(most >= 20_000, "{most}");
        assert!(most <= 42_000, "{most} where 20,000 are in use");
        // One key that comes again and again is enough to free the others, and their room.
        let room = swept.room();
        let key = seeds.fingerprint("again");
        for _ in 0..most {
            let entered = swept.enter(key, |idle_at| *idle_at = u64::MAX, |at| *at < u64::MAX);
            assert_eq!(entered, Ok(()));
        }
        assert_eq!(swept.len(), 1);
        assert!(swept.room() < room / 8, "{} of {room}", swept.room());
    }

    #[test]
    fn a_million_keys_in_use_are_a_million_and_not_one_more() {
        let (limit, seeds) = (1_000_000, Seeds::default());
        let swept = Swept::<u64>::new(limit);
        for n in 0..1_100_000_u64 {
            let entered = swept.enter(
                seeds.fingerprint(&n),
                |state| *state = 1,
                |state| *state == 0,
            );
            assert_eq!(entered.is_ok(), n < 1_000_000);
        }
        assert_eq!(swept.len(), limit);
        // Those that are known are served at the limit as before.
        let known = swept.enter(
            seeds.fingerprint(&7_u64),
            |state| *state,
            |state| *state == 0,
        );
        assert_eq!(known, Ok(1));
    }

    #[test]
    fn an_idle_key_makes_room_for_a_new_one_at_the_limit() {
        let seeds = Seeds::default();
        let swept = Swept::<u64>::new(2);
        let enter = |name: &str, state| {
            swept.enter(
                seeds.fingerprint(name),
                |known| *known = state,
                |state| *state == 0,
            )
        };
        assert_eq!((enter("used", 1), enter("idle", 0)), (Ok(()), Ok(())));
        assert_eq!(enter("new", 1), Ok(()));
        assert_eq!(enter("another", 1), Err(TooMany));
        assert_eq!(swept.len(), 2);
    }
}
