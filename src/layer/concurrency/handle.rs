//! What a concurrency limit has done.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::store::Store;
use crate::keyed::Seeds;
use crate::layer::sharing::States;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// The counts of one config and its clones.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) running: AtomicUsize,
    pub(super) peak: AtomicUsize,
    pub(super) waiting: AtomicUsize,
    pub(super) waits: AtomicU64,
    pub(super) wait_nanos: AtomicU64,
    pub(super) rejections: AtomicU64,
    pub(super) seeds: Seeds,
    pub(super) stores: States<Store>,
}

/// Tells what a [`Concurrency`](crate::layer::Concurrency) does and has done: all that was layered from it and its clones, together. Cheap to clone.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::layer::Concurrency;
/// use fanfare::Signal;
///
/// let limit = Concurrency::new(2).per_key(|n: &u32| n % 10);
/// let handle = limit.handle();
/// let signal = Signal::<u32>::new();
/// signal.listen().concurrency(limit).on(async |_| tokio::time::sleep(Duration::from_secs(1)).await)?;
///
/// let seen = handle.clone();
/// let look = async move {
///     tokio::time::sleep(Duration::from_millis(500)).await;
///     assert_eq!((seen.running(), seen.waiting(), seen.keys()), (3, 1, 2));
///     assert_eq!((seen.peak_of(&3_u32), seen.peak_of(&4_u32)), (Some(2), Some(1)));
/// };
/// let _ = tokio::join!(signal.emit(3), signal.emit(13), signal.emit(23), signal.emit(4), look);
/// assert_eq!((handle.running(), handle.peak(), handle.keys()), (0, 3, 0));
/// assert_eq!((handle.waits(), handle.wait_time()), (1, Duration::from_secs(1)));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyHandle(pub(super) Arc<Counts>);

impl ConcurrencyHandle {
    /// How many calls have a place now. See [`ConcurrencyHandle`](crate::layer::ConcurrencyHandle).
    pub fn running(&self) -> usize {
        self.0.running.load(Ordering::Relaxed)
    }

    /// The most calls that had a place at once. See [`ConcurrencyHandle`](crate::layer::ConcurrencyHandle).
    pub fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// The most calls of one key that had a place at once since it was last idle, in any one listener. `None` if no call of it runs or waits, or the limit is not per key.
    ///
    /// The key is of the type that the closure of [`per_key`](crate::layer::Concurrency::per_key) returns, or hashes as that does (`str` for `String`).
    pub fn peak_of<K: Hash + ?Sized>(&self, key: &K) -> Option<usize> {
        let key = self.0.seeds.fingerprint(key);
        let stores = self.0.stores.all();
        stores.iter().filter_map(|store| store.peak_of(key)).max()
    }

    /// How many calls wait now. See [`ConcurrencyHandle`](crate::layer::ConcurrencyHandle).
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// How many calls had to wait. See [`ConcurrencyHandle`](crate::layer::ConcurrencyHandle).
    pub fn waits(&self) -> u64 {
        self.0.waits.load(Ordering::Relaxed)
    }

    /// How long calls have waited, added up over those whose wait is over, whatever ended it. See [`ConcurrencyHandle`](crate::layer::ConcurrencyHandle).
    pub fn wait_time(&self) -> Duration {
        Duration::from_nanos(self.0.wait_nanos.load(Ordering::Relaxed))
    }

    /// How many calls were rejected: no place came in time, or there were too many keys. See [`ConcurrencyHandle`](crate::layer::ConcurrencyHandle).
    pub fn rejections(&self) -> u64 {
        self.0.rejections.load(Ordering::Relaxed)
    }

    /// How many keys there are now: those of which a call runs or waits. See [`ConcurrencyHandle`](crate::layer::ConcurrencyHandle).
    pub fn keys(&self) -> usize {
        self.0.stores.all().iter().map(|store| store.keys()).sum()
    }
}
