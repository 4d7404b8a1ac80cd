//! What ships: the standard library's and tokio's.

use std::future::poll_fn;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};
pub(crate) use std::sync::{Mutex, MutexGuard};
use std::task::Poll;
pub(crate) use std::thread::yield_now as thread_yield;
pub(crate) use std::thread_local;
use std::time::Duration;

pub(crate) use tokio::runtime::Handle;
pub(crate) use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
pub(crate) use tokio::task::{Id as TaskId, JoinHandle, JoinSet};
pub(crate) use tokio::time::{sleep_until, timeout};

/// Suspends once. Tokio's own wakes its caller when the thread is back in the runtime, which a caller that blocks the thread keeps it from.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// How long the workers of a runtime have been busy, added up, and how many they are; none where the runtime does not say.
#[cfg(target_has_atomic = "64")]
#[expect(clippy::unnecessary_wraps, reason = "the twins do not say")]
pub(crate) fn worked(runtime: &Handle) -> Option<(Duration, usize)> {
    let metrics = runtime.metrics();
    let workers = metrics.num_workers();
    let busy = (0..workers).map(|worker| metrics.worker_total_busy_duration(worker));
    Some((busy.sum(), workers))
}

#[cfg(not(target_has_atomic = "64"))]
pub(crate) fn worked(_: &Handle) -> Option<(Duration, usize)> {
    None
}

/// A static that is made when it is first used, in the words of the model checkers, whose statics last for one run of a model.
macro_rules! lazy_static_ {
    ($(#[$meta:meta])* static ref $name:ident: $ty:ty = $init:expr;) => {
        $(#[$meta])* static $name: std::sync::LazyLock<$ty> = std::sync::LazyLock::new(|| $init);
    };
}
pub(crate) use lazy_static_ as lazy_static;
