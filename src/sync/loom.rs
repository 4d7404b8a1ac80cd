//! For loom: its atomics, mutex and thread-locals. Tokio's parts are its own: the models suspend nowhere, so none of them decides anything.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

pub(crate) use loom::sync::atomic::fence;
pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use loom::thread::{LocalKey as ModelKey, yield_now as thread_yield};
pub(crate) use loom::{lazy_static, thread_local as model_local};
pub(crate) use tokio::runtime::Handle;
pub(crate) use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
pub(crate) use tokio::task::{Id as TaskId, JoinHandle, JoinSet, yield_now};
pub(crate) use tokio::time::sleep_until;

use super::Ordering;
pub(crate) use super::local::thread_local;

/// A timeout that never fires.
pub(crate) async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, Infallible> {
    Ok(future.await)
}

/// No runtime of a model says how busy it is.
pub(crate) fn worked(_: &Handle) -> Option<(Duration, usize)> {
    None
}

/// Loom takes `SeqCst` operations for `AcqRel` ones, and would report failures that cannot be. With a `SeqCst` fence before each, which it does
/// know and which is how some processors do them, none is seen out of order by another.
fn fenced<R>(order: Ordering, operation: impl FnOnce() -> R) -> R {
    if order == Ordering::SeqCst {
        fence(Ordering::SeqCst);
    }
    operation()
}

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        #[allow(dead_code, reason = "the standard library's surface")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                fenced(order, || self.0.load(order))
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                fenced(order, || self.0.store(value, order));
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                fenced(order, || self.0.swap(value, order))
            }

            pub(crate) fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                fenced(order, || self.0.fetch_or(value, order))
            }

            pub(crate) fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                fenced(order, || self.0.fetch_and(value, order))
            }

            pub(crate) fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                done: Ordering,
                failed: Ordering,
            ) -> Result<$value, $value> {
                fenced(done, || self.0.compare_exchange(from, to, done, failed))
            }

            pub(crate) fn fetch_update(
                &self,
                done: Ordering,
                failed: Ordering,
                change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                fenced(done, || self.0.fetch_update(done, failed, change))
            }
        }
    };
}

macro_rules! number {
    ($name:ident, $value:ty) => {
        atomic!($name, $value);

        #[allow(dead_code, reason = "the standard library's surface")]
        impl $name {
            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                fenced(order, || self.0.fetch_add(value, order))
            }

            pub(crate) fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                fenced(order, || self.0.fetch_max(value, order))
            }

            pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                fenced(order, || self.0.fetch_sub(value, order))
            }
        }
    };
}

atomic!(AtomicBool, bool);
number!(AtomicU32, u32);
number!(AtomicU64, u64);
number!(AtomicUsize, usize);
