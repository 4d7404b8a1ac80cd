//! The state, without a clock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::clock::Instant;

/// The keys that run, each with what its waiters wait on, and those that are done, oldest first.
///
/// A key is in `running`, in `done`, or unknown. `queue` holds what `done` holds, in the order and with the times of their ends.
#[derive(Debug)]
pub(super) struct Seen<W> {
    capacity: usize,
    ttl: Option<Duration>,
    running: HashMap<u128, Option<W>>,
    done: HashSet<u128>,
    queue: VecDeque<(u128, Instant)>,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known<'a, W> {
    /// Nothing. It runs from now on: whoever asked says how it [`ended`](Seen::ended).
    New,
    /// Its delivery runs. What the waiters wait on, if there are any.
    Running(&'a mut Option<W>),
    /// It is done.
    Done,
}

impl<W> Seen<W> {
    pub(super) fn new(capacity: usize, ttl: Option<Duration>) -> Self {
        Self {
            capacity,
            ttl,
            running: HashMap::new(),
            done: HashSet::new(),
            queue: VecDeque::new(),
        }
    }

    /// A delivery of this key is here.
    pub(super) fn arrived(&mut self, key: u128, now: Instant) -> Known<'_, W> {
        self.expire(now);
        if self.done.contains(&key) {
            return Known::Done;
        }
        if self.running.contains_key(&key) {
            let waiters = self.running.get_mut(&key).expect("it is in the map");
            return Known::Running(waiters);
        }
        self.running.insert(key, None);
        Known::New
    }

    /// The delivery that the key ran for has ended, and is remembered or not. Gives what its waiters wait on.
    pub(super) fn ended(&mut self, key: u128, remember: bool, now: Instant) -> Ended<W> {
        self.expire(now);
        let waiters = self.running.remove(&key).flatten();
        let mut evicted = 0;
        if remember && self.done.insert(key) {
            self.queue.push_back((key, now));
            while self.done.len() > self.capacity {
                self.forget_oldest();
                evicted += 1;
            }
        }
        Ended { waiters, evicted }
    }

    /// How many keys are known.
    pub(super) fn len(&self) -> usize {
        self.running.len() + self.done.len()
    }

    fn expire(&mut self, now: Instant) {
        let Some(ttl) = self.ttl else { return };
        while let Some((_, ended)) = self.queue.front() {
            if now.saturating_duration_since(*ended) < ttl {
                break;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((key, _)) = self.queue.pop_front() {
            self.done.remove(&key);
        }
    }
}

/// What the end of a delivery leaves to do.
#[derive(Debug)]
pub(super) struct Ended<W> {
    pub(super) waiters: Option<W>,
    /// How many keys were forgotten to make room.
    pub(super) evicted: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The slow, obvious twin: lists, searched from end to end.
    struct Twin {
        capacity: usize,
        ttl: Option<u64>,
        running: Vec<u128>,
        done: Vec<(u128, u64)>,
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Answer {
        New,
        Running,
        Done,
    }

    impl Twin {
        fn expire(&mut self, now: u64) {
            let ttl = self.ttl;
            self.done
                .retain(|(_, ended)| ttl.is_none_or(|ttl| now - ended < ttl));
        }

        fn arrived(&mut self, key: u128, now: u64) -> Answer {
            self.expire(now);
            if self.done.iter().any(|(known, _)| *known == key) {
                Answer::Done
            } else if self.running.contains(&key) {
                Answer::Running
            } else {
                self.running.push(key);
                Answer::New
            }
        }

        fn ended(&mut self, key: u128, remember: bool, now: u64) -> u64 {
            self.expire(now);
            self.running.retain(|running| *running != key);
            if remember {
                self.done.push((key, now));
            }
            let over = self.done.len().saturating_sub(self.capacity);
            self.done.drain(..over);
            over as u64
        }
    }

    fn steps() -> impl Strategy<Value = Vec<(u128, Option<bool>, u64)>> {
        let ends = prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
        prop::collection::vec((0..8_u128, ends, 0..4_u64), 0..200)
    }

    proptest! {
        #[test]
        fn a_slow_twin_answers_the_same(
            capacity in 1..6_usize,
            ttl in prop::option::of(1..9_u64),
            steps in steps(),
        ) {
            let origin = crate::clock::now();
            let mut seen = Seen::<()>::new(capacity, ttl.map(Duration::from_secs));
            let mut twin = Twin { capacity, ttl, running: Vec::new(), done: Vec::new() };
            let mut seconds = 0;
            for (key, end, passed) in steps {
                seconds += passed;
                let now = origin + Duration::from_secs(seconds);
                match end {
                    None => {
                        let answer = match seen.arrived(key, now) {
                            Known::New => Answer::New,
                            Known::Running(_) => Answer::Running,
                            Known::Done => Answer::Done,
                        };
                        prop_assert_eq!(answer, twin.arrived(key, seconds));
                    }
                    Some(remember) if twin.running.contains(&key) => {
                        let evicted = seen.ended(key, remember, now).evicted;
                        prop_assert_eq!(evicted, twin.ended(key, remember, seconds));
                    }
                    Some(_) => twin.expire(seconds),
                }
                seen.expire(now);
                prop_assert_eq!(seen.len(), twin.running.len() + twin.done.len());
                prop_assert_eq!(seen.done.len(), seen.queue.len());
                prop_assert!(seen.done.len() <= capacity);
            }
        }
    }

    #[test]
    fn waiters_are_given_back_at_the_end() {
        let now = crate::clock::now();
        let mut seen = Seen::<&str>::new(1, None);
        assert_eq!(seen.arrived(1, now), Known::New);
        let Known::Running(waiters) = seen.arrived(1, now) else {
            panic!("it runs");
        };
        *waiters = Some("waiter");
        assert_eq!(seen.ended(1, false, now).waiters, Some("waiter"));
        assert_eq!(seen.arrived(1, now), Known::New);
        assert_eq!(seen.ended(1, true, now).waiters, None);
    }

    #[test]
    fn a_time_that_goes_back_is_no_time_passed() {
        let now = crate::clock::now();
        let mut seen = Seen::<()>::new(1, Some(Duration::from_secs(1)));
        let later = now + Duration::from_secs(9);
        seen.arrived(1, later);
        seen.ended(1, true, later);
        assert_eq!(seen.arrived(1, now), Known::Done);
    }
}
