//! The size of a pool, which may change while permits are out.

use std::time::Duration;

use crate::clock::{self, Instant};
use crate::sync::{AtomicUsize, Mutex, Ordering, Semaphore};

/// How many permits there should be, and how many of those that are out must not come back.
pub(super) struct Limit {
    size: AtomicUsize,
    /// A semaphore can only forget permits that are idle. So a shrink is owed, and paid by whoever takes a permit or gives one back next.
    debt: AtomicUsize,
    capacity: Mutex<Capacity>,
}

/// Permits x time since the pool was made, in nanoseconds: those of a large pool do not fit into 64 bits for long.
struct Capacity {
    changed: Instant,
    before: u128,
}

impl Limit {
    pub(super) fn new(size: usize, now: Instant) -> Self {
        Self {
            size: AtomicUsize::new(size),
            debt: AtomicUsize::new(0),
            capacity: Mutex::new(Capacity {
                changed: now,
                before: 0,
            }),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    pub(super) fn capacity_time(&self) -> Duration {
        duration(self.capacity())
    }

    /// In nanoseconds.
    pub(super) fn capacity(&self) -> u128 {
        let capacity = self.capacity.lock();
        capacity.until_now(self.size()).0
    }

    /// Gives the size of before.
    pub(super) fn resize(&self, semaphore: &Semaphore, size: usize) -> usize {
        self.change(semaphore, None, size)
    }

    /// Changes the size if it is still `from`. False if somebody else has changed it.
    pub(super) fn resize_from(&self, semaphore: &Semaphore, from: usize, size: usize) -> bool {
        self.change(semaphore, Some(from), size) == from
    }

    fn change(&self, semaphore: &Semaphore, from: Option<usize>, size: usize) -> usize {
        // The lock makes one change at a time; permits come and go meanwhile.
        let mut capacity = self.capacity.lock();
        let old = self.size();
        if from.is_some_and(|from| from != old) {
            return old;
        }
        let (before, now) = capacity.until_now(old);
        *capacity = Capacity {
            changed: now,
            before,
        };
        self.size.store(size, Ordering::Relaxed);
        if size < old {
            self.debt.fetch_add(old - size, Ordering::AcqRel);
        } else {
            semaphore.add_permits(size - old - self.cancel_debt(size - old));
        }
        old
    }

    /// Takes up to `most` from the debt, and says how much.
    fn cancel_debt(&self, most: usize) -> usize {
        self.debt
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |debt| {
                Some(debt - debt.min(most))
            })
            .map_or(0, |debt| debt.min(most))
    }

    /// Takes one from the debt. True if there was one: then one permit must go. `AcqRel` orders it with the change of size that made it.
    pub(super) fn pay_debt(&self) -> bool {
        #[cfg(fanfare_plant = "debt-in-two-steps")]
        self.debt
            .store(self.debt.load(Ordering::Acquire), Ordering::Release);
        // The common case writes nothing.
        self.debt.load(Ordering::Acquire) > 0
            && self
                .debt
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |debt| {
                    debt.checked_sub(1)
                })
                .is_ok()
    }
}

impl Capacity {
    fn until_now(&self, size: usize) -> (u128, Instant) {
        let now = clock::now();
        let since = now.saturating_duration_since(self.changed);
        (self.before + since.as_nanos() * size as u128, now)
    }
}

/// So many nanoseconds, of which more fit into it than into 64 bits.
pub(super) fn duration(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % SECOND).unwrap_or(0);
    Duration::new(seconds, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = Duration::from_secs(31_536_000);

    #[tokio::test(start_paused = true)]
    async fn the_capacity_of_the_largest_pool_goes_on_for_years() {
        let limit = Limit::new(1 << 20, clock::now());
        let semaphore = Semaphore::new(1 << 20);
        for year in 1..=3 {
            tokio::time::advance(YEAR).await;
            assert_eq!(limit.capacity_time(), YEAR * (1 << 20) * year);
        }
        limit.resize(&semaphore, 1 << 19);
        tokio::time::advance(YEAR).await;
        assert_eq!(limit.capacity_time(), YEAR * (1 << 19) * 7);
    }
}
