//! The synchronisation primitives that the rest of the crate uses, in one place so that a model checker can replace them.
//!
//! Twins with the same surface: `real`, which is what ships, and one for each model checker of `tests/models`.

#[cfg(any(fanfare_loom, fanfare_shuttle))]
mod local;
pub(crate) mod shard;
#[cfg_attr(any(fanfare_loom, fanfare_shuttle), path = "swap_model.rs")]
pub(crate) mod swap;
#[cfg(fanfare_loom)]
#[path = "loom.rs"]
mod twin;
#[cfg(not(any(fanfare_loom, fanfare_shuttle)))]
#[path = "real.rs"]
mod twin;
#[cfg(fanfare_shuttle)]
#[path = "shuttle.rs"]
mod twin;

use std::sync::PoisonError;
use std::sync::atomic::AtomicU64 as Unmodelled;
pub(crate) use std::sync::atomic::Ordering;

#[cfg(any(fanfare_loom, fanfare_shuttle))]
pub(crate) use local::LocalKey;
#[cfg(any(fanfare_loom, fanfare_shuttle))]
pub(crate) use twin::model_local;
pub(crate) use twin::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Handle, JoinHandle, JoinSet, MutexGuard, Notify,
    OwnedSemaphorePermit, Semaphore, TaskId, fence, lazy_static, sleep_until, thread_local,
    thread_yield, timeout, worked, yield_now,
};

/// A mutex without poisoning: no user code runs under any lock of this crate, so a panic cannot leave half a change behind.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(twin::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(twin::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that no other listener or signal of this process has.
pub(crate) fn unique_id() -> u64 {
    // It outlives every run of a model, and nothing is decided by it.
    static NEXT: Unmodelled = Unmodelled::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
