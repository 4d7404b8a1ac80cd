//! What it has done, counted.

use std::fmt;
use std::sync::Arc;

use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Pure counters, read one by one: their sums may be off by what happens meanwhile.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) passed: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) keys: AtomicUsize,
}

impl Counts {
    /// A state that knew so many keys knows so many now.
    pub(super) fn keys_changed(&self, before: usize, after: usize) {
        if after >= before {
            self.keys.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.keys.fetch_sub(before - after, Ordering::Relaxed);
        }
    }
}

/// What all that was layered from one [`Dedup`](crate::layer::Dedup) and its clones has done, in sum. Cheap to clone.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Signal;
/// use fanfare::layer::Dedup;
///
/// let dedup = Dedup::by(|id: &u32| *id).capacity(1);
/// let handle = dedup.handle();
/// let signal = Signal::<u32>::new();
/// signal.listen().dedup(dedup).on(async |_| {})?;
/// for id in [1, 1, 2] {
///     signal.emit(id).await;
/// }
/// assert_eq!((handle.passed(), handle.duplicates(), handle.evicted(), handle.keys()), (2, 1, 1, 1));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DedupHandle {
    counts: Arc<Counts>,
}

impl DedupHandle {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self { counts }
    }

    /// Deliveries that were let through, whatever came of them. Those of another event type are not in it. See [`DedupHandle`](crate::layer::DedupHandle).
    pub fn passed(&self) -> u64 {
        self.counts.passed.load(Ordering::Relaxed)
    }

    /// Deliveries that were skipped. See [`DedupHandle`](crate::layer::DedupHandle).
    pub fn duplicates(&self) -> u64 {
        self.counts.duplicates.load(Ordering::Relaxed)
    }

    /// Keys that were forgotten because the capacity was full, which is before their time to live if they have one. If it grows, duplicates that come late may run: the capacity
    /// is too small. See [`DedupHandle`](crate::layer::DedupHandle).
    pub fn evicted(&self) -> u64 {
        self.counts.evicted.load(Ordering::Relaxed)
    }

    /// Keys that are known now: those that run, and those that are done. One whose time is up is in it until the next delivery.
    /// See [`DedupHandle`](crate::layer::DedupHandle).
    pub fn keys(&self) -> usize {
        self.counts.keys.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for DedupHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupHandle")
            .field("passed", &self.passed())
            .field("duplicates", &self.duplicates())
            .field("evicted", &self.evicted())
            .field("keys", &self.keys())
            .finish()
    }
}
