//! What a pool is doing, and has done: counters that are read without stopping it.

use std::time::Duration;

use crate::clock::{self, Instant};
use crate::sync::{AtomicU64, AtomicUsize, Ordering, thread_yield};

/// One in the count of permits taken.
const TAKEN: u64 = 1 << 32;
/// How often counters that do not agree are read again.
pub(super) const TRIES: usize = 8;

pub(super) struct Load {
    since: Instant,
    /// How many are held, and above [`TAKEN`] how many have been taken in all, wrapping: one write keeps both.
    in_use: AtomicU64,
    waiting: AtomicUsize,
    /// Sum of the starts of the waits that go on, in nanoseconds since `since`, wrapping.
    starts: AtomicU64,
    /// Sum of all ends of holds less the sum of all starts, in nanoseconds since `since`, wrapping: with the holds that still run added at
    /// their present age it is the time that permits were held.
    held: AtomicU64,
    waited: AtomicU64,
    waits: AtomicU64,
    rejections: AtomicU64,
}

impl Load {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            in_use: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            starts: AtomicU64::new(0),
            held: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            rejections: AtomicU64::new(0),
        }
    }

    pub(super) fn take(&self) {
        self.held.fetch_sub(self.age(), Ordering::Relaxed);
        self.in_use.fetch_add(TAKEN + 1, Ordering::Relaxed);
    }

    pub(super) fn give(&self) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
        self.held.fetch_add(self.age(), Ordering::Relaxed);
    }

    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.waits.fetch_add(1, Ordering::Relaxed);
        let start = self.age();
        self.starts.fetch_add(start, Ordering::Relaxed);
        Waiting { load: self, start }
    }

    pub(super) fn reject(&self) {
        self.rejections.fetch_add(1, Ordering::Relaxed);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower half is the count"
    )]
    pub(super) fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed) as u32 as usize
    }

    /// How many permits have been taken, wrapping.
    pub(super) fn taken(&self) -> u32 {
        (self.in_use.load(Ordering::Relaxed) / TAKEN) as u32
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn busy_time(&self) -> Duration {
        not_below_zero(self.busy())
    }

    /// How long permits were held, in nanoseconds, wrapping: what has come to it since an earlier reading is right even where the whole is too much for 64 bits.
    pub(super) fn busy(&self) -> u64 {
        steady(self.age(), || {
            let running = (self.in_use() as u64).wrapping_mul(self.age());
            self.held.load(Ordering::Relaxed).wrapping_add(running)
        })
    }

    /// How long those that wait now have waited so far, added up.
    pub(super) fn waiting_time(&self) -> Duration {
        not_below_zero(steady(self.age(), || {
            let until_now = (self.waiting() as u64).wrapping_mul(self.age());
            until_now.wrapping_sub(self.starts.load(Ordering::Relaxed))
        }))
    }

    pub(super) fn wait_time(&self) -> Duration {
        Duration::from_nanos(self.waited.load(Ordering::Relaxed))
    }

    pub(super) fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    pub(super) fn rejections(&self) -> u64 {
        self.rejections.load(Ordering::Relaxed)
    }

    /// As if somebody were between the two writes of a take and of a wait, begun at this age; the negative of it ends that.
    #[cfg(test)]
    pub(super) fn tear(&self, age: u64) {
        self.held.fetch_sub(age, Ordering::Relaxed);
        self.starts.fetch_sub(age, Ordering::Relaxed);
    }

    fn age(&self) -> u64 {
        nanos(clock::since(self.since))
    }
}

/// What two counters say together. A reading between the two writes of a step is off by the age of the pool: it is read again until two in a row are near each other.
fn steady(age: u64, mut read: impl FnMut() -> u64) -> u64 {
    let mut last = read();
    for _ in 0..TRIES {
        let before = std::mem::replace(&mut last, read());
        let ahead = last.wrapping_sub(before);
        if ahead.min(ahead.wrapping_neg()) <= age / 2 {
            break;
        }
        thread_yield();
    }
    last
}

/// Where a step stays between its two writes, what is read can be below zero: that is a huge number here.
pub(super) fn not_below_zero(nanos: u64) -> Duration {
    Duration::from_nanos(if nanos > u64::MAX / 2 { 0 } else { nanos })
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One waiter; counted from here until it is dropped.
pub(super) struct Waiting<'a> {
    load: &'a Load,
    start: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.load.waiting.fetch_sub(1, Ordering::Relaxed);
        self.load.starts.fetch_sub(self.start, Ordering::Relaxed);
        let waited = self.load.age().saturating_sub(self.start);
        self.load.waited.fetch_add(waited, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_in_the_middle_of_a_give_is_zero_and_not_below() {
        let load = Load::new(clock::now());
        load.held.store(0_u64.wrapping_sub(7), Ordering::Relaxed);
        assert_eq!(load.busy_time(), Duration::ZERO);
        load.held.store(7, Ordering::Relaxed);
        assert_eq!(load.busy_time(), Duration::from_nanos(7));
    }

    #[test]
    fn a_reading_between_two_writes_is_made_again() {
        const AGE: u64 = 1_000;
        let read = |readings: &[u64]| {
            let mut readings = readings.iter();
            let value = steady(AGE, || {
                *readings.next().expect("it reads no more than that")
            });
            assert_eq!(readings.len(), 0, "it reads all of them");
            value
        };
        assert_eq!(read(&[70, 71]), 71);
        assert_eq!(read(&[70, 70 + AGE, 73, 74]), 74);
        assert_eq!(read(&[70_u64.wrapping_sub(AGE), 71, 72]), 72);
        assert_eq!(read(&[7, 3_u64.wrapping_sub(AGE), 8, 6]), 6);
        assert_eq!(read(&[0, AGE, 0, AGE, 0, AGE, 0, AGE, 0]), 0, "for ever");
    }

    #[test]
    fn the_count_of_permits_taken_leaves_that_of_those_held_alone() {
        let load = Load::new(clock::now());
        load.in_use
            .store(u64::from(u32::MAX) << 32, Ordering::Relaxed);
        for _ in 0..3 {
            load.take();
        }
        load.give();
        assert_eq!((load.in_use(), load.taken()), (2, 2), "it wraps");
    }
}
