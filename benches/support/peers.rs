//! What Fanfare is compared with: loops and dispatchers that one would write by hand.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::task::{JoinSet, yield_now};

use super::event::{Tick, listen};

/// A listener that runs in place.
pub(crate) type Plain = Arc<dyn Fn(Tick) + Send + Sync>;

/// A listener whose future is boxed, as a `Vec` of async listeners needs it.
pub(crate) type Boxed = Arc<dyn Fn(Tick) -> BoxFuture<'static, ()> + Send + Sync>;

pub(crate) fn plain(n: usize, listener: fn(Tick)) -> Vec<Plain> {
    (0..n).map(|_| Arc::new(listener) as Plain).collect()
}

pub(crate) fn boxed(n: usize) -> Vec<Boxed> {
    (0..n).map(|_| boxed_ready()).collect()
}

pub(crate) fn boxed_ready() -> Boxed {
    Arc::new(|tick| Box::pin(async move { listen(tick) }))
}

pub(crate) fn boxed_yielding(n: usize) -> Vec<Boxed> {
    let listener: Boxed = Arc::new(|tick| {
        Box::pin(async move {
            yield_now().await;
            listen(tick);
        })
    });
    (0..n).map(|_| Arc::clone(&listener)).collect()
}

/// The floor: calls through a vtable and nothing else.
pub(crate) fn bare_loop(listeners: &[Plain], tick: Tick) {
    for listener in listeners {
        listener(tick);
    }
}

/// One boxed future after the other, no isolation, no report.
pub(crate) async fn awaited_in_turn(listeners: &[Boxed], tick: Tick) {
    for listener in listeners {
        listener(tick).await;
    }
}

/// All boxed futures at once in the caller's task, no isolation, no report.
pub(crate) async fn joined(listeners: &[Boxed], tick: Tick) {
    join_all(listeners.iter().map(|listener| listener(tick))).await;
}

/// A task a listener, as one writes it by hand: isolation by tokio, no report.
pub(crate) async fn join_set(listeners: &[Boxed], tick: Tick) {
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn(listener(tick));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no listener of a bench panics");
    }
}

/// The list of a [`Twin`].
pub(crate) trait Listeners: Send + Sync + 'static {
    fn copy(&self) -> Vec<Boxed>;
    fn add(&self, listener: Boxed);
    fn remove_last(&self);
}

impl Listeners for Mutex<Vec<Boxed>> {
    fn copy(&self) -> Vec<Boxed> {
        self.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, listener: Boxed) {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
    }

    fn remove_last(&self) {
        let removed = self.lock().unwrap_or_else(PoisonError::into_inner).pop();
        drop(removed);
    }
}

impl Listeners for RwLock<Vec<Boxed>> {
    fn copy(&self) -> Vec<Boxed> {
        self.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, listener: Boxed) {
        self.write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
    }

    fn remove_last(&self) {
        let removed = self.write().unwrap_or_else(PoisonError::into_inner).pop();
        drop(removed);
    }
}

/// A dispatcher over a locked list: it copies the list under the lock and runs the listeners in turn, each isolated from the others. It has no
/// report, no filters, no removal marks, no counts but these two, and no shutdown: less than Fanfare does.
pub(crate) struct Twin<L>(pub(crate) L);

impl<L: Listeners> Twin<L> {
    /// How many succeeded, and how many panicked.
    pub(crate) async fn emit(&self, tick: Tick) -> (usize, usize) {
        let (mut done, mut panicked) = (0, 0);
        for listener in self.0.copy() {
            let call = async { listener(tick).await };
            match AssertUnwindSafe(call).catch_unwind().await {
                Ok(()) => done += 1,
                Err(_) => panicked += 1,
            }
        }
        (done, panicked)
    }
}
