//! A histogram that many threads write.

use std::time::Duration;

use histogram::{AtomicHistogram, Config};

use super::Distribution;
use crate::sync::{AtomicU64, Ordering, fence};

/// The buckets: 32 to a power of two, nanoseconds up to 2^40 (18 minutes). 9 KiB.
pub(super) fn config() -> Config {
    Config::new(5, 40).expect("5 is below 40, and 40 below 64")
}

/// A duration as it is recorded: at least, and at most, what a bucket is for.
pub(super) fn nanos(duration: Duration) -> u64 {
    let longest = (1 << 40) - 1;
    u64::try_from(duration.as_nanos()).map_or(longest, |nanos| nanos.min(longest))
}

/// Durations, recorded without a lock.
pub(super) struct Recorder {
    histogram: AtomicHistogram,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            histogram: AtomicHistogram::with_config(&config()),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }

    pub(super) fn record(&self, took: Duration) {
        let nanos = nanos(took);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
        self.max.fetch_max(nanos, Ordering::Relaxed);
        // Whoever reads it in a bucket reads a longest after it that is no shorter: see `read`.
        fence(Ordering::Release);
        let _ = self.histogram.increment(nanos);
    }

    pub(super) fn read(&self) -> Distribution {
        let histogram = self.histogram.load();
        fence(Ordering::Acquire);
        let read = |counter: &AtomicU64| Duration::from_nanos(counter.load(Ordering::Relaxed));
        Distribution::new(histogram, read(&self.sum), read(&self.max))
    }
}
