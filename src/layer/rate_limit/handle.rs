//! What a rate limit has done.

use std::sync::Arc;
use std::time::Duration;

use super::store::Store;
use crate::keyed::Seeds;
use crate::layer::sharing::States;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// The counts of one config and its clones.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) passed: AtomicU64,
    pub(super) waits: AtomicU64,
    pub(super) rejections: AtomicU64,
    pub(super) wait_nanos: AtomicU64,
    pub(super) waiting: AtomicUsize,
    pub(super) seeds: Seeds,
    pub(super) stores: States<Store>,
}

/// Tells what a [`RateLimit`](crate::layer::RateLimit) has done: all that was layered from it and its clones, together. Cheap to clone.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::layer::RateLimit;
/// use fanfare::Signal;
///
/// let limit = RateLimit::per_second(2).reject();
/// let handle = limit.handle();
/// let signal = Signal::<u32>::new();
/// signal.listen().rate_limit(limit).on(async |_| {})?;
/// for n in 0..3 {
///     let _ = signal.emit(n).await;
/// }
/// assert_eq!((handle.passed(), handle.rejections()), (2, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitHandle(pub(super) Arc<Counts>);

impl RateLimitHandle {
    /// How many calls were let through, at once or after a wait. See [`RateLimitHandle`](crate::layer::RateLimitHandle).
    pub fn passed(&self) -> u64 {
        self.0.passed.load(Ordering::Relaxed)
    }

    /// How many calls had to wait. See [`RateLimitHandle`](crate::layer::RateLimitHandle).
    pub fn waits(&self) -> u64 {
        self.0.waits.load(Ordering::Relaxed)
    }

    /// How many calls wait now. See [`RateLimitHandle`](crate::layer::RateLimitHandle).
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// How long calls have waited, added up over those whose wait is over, whatever ended it. See [`RateLimitHandle`](crate::layer::RateLimitHandle).
    pub fn wait_time(&self) -> Duration {
        Duration::from_nanos(self.0.wait_nanos.load(Ordering::Relaxed))
    }

    /// How many calls were rejected: the limit was used up, or there were too many keys. See [`RateLimitHandle`](crate::layer::RateLimitHandle).
    pub fn rejections(&self) -> u64 {
        self.0.rejections.load(Ordering::Relaxed)
    }

    /// How many keys are known now: those in use, and those that are idle and not yet freed. See [`RateLimitHandle`](crate::layer::RateLimitHandle).
    pub fn keys(&self) -> usize {
        self.0.stores.all().iter().map(|store| store.keys()).sum()
    }
}
