//! For shuttle: every operation is a point where its scheduler may switch to another task.
//!
//! Tokio's `Notify` and `Semaphore` are its own: shuttle's tasks are coroutines of one thread, so to a model each of their operations is one atomic
//! step, and here a switch goes before it. What needs a runtime, tasks and timers, is made of shuttle's tasks.
#![allow(unreachable_pub, reason = "a public signature names `Handle`")]

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream as _;
use futures_util::stream::FuturesUnordered;
pub(crate) use shuttle::future::yield_now;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
pub(crate) use shuttle::thread::{LocalKey as ModelKey, yield_now as thread_yield};
pub(crate) use shuttle::{lazy_static, thread_local as model_local};
use tokio::time::Instant;

pub(crate) use super::local::thread_local;
use super::{Ordering, unique_id};

/// A point where the scheduler may switch.
fn step() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

#[derive(Debug, Default)]
pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        step();
        self.0.notified()
    }

    pub(crate) fn notify_waiters(&self) {
        step();
        self.0.notify_waiters();
    }
}

#[derive(Debug)]
pub(crate) struct Semaphore(Arc<tokio::sync::Semaphore>);

impl Semaphore {
    pub(crate) fn new(permits: usize) -> Self {
        Self(Arc::new(tokio::sync::Semaphore::new(permits)))
    }

    pub(crate) fn add_permits(&self, permits: usize) {
        step();
        self.0.add_permits(permits);
    }

    pub(crate) fn close(&self) {
        step();
        self.0.close();
    }

    pub(crate) fn try_acquire(&self) -> Result<OwnedSemaphorePermit, tokio::sync::TryAcquireError> {
        step();
        Arc::clone(&self.0)
            .try_acquire_owned()
            .map(OwnedSemaphorePermit::new)
    }

    pub(crate) fn try_acquire_owned(
        self: Arc<Self>,
    ) -> Result<OwnedSemaphorePermit, tokio::sync::TryAcquireError> {
        self.try_acquire()
    }

    pub(crate) async fn acquire(&self) -> Result<OwnedSemaphorePermit, tokio::sync::AcquireError> {
        step();
        let permit = Arc::clone(&self.0).acquire_owned().await;
        permit.map(OwnedSemaphorePermit::new)
    }

    pub(crate) async fn acquire_owned(
        self: Arc<Self>,
    ) -> Result<OwnedSemaphorePermit, tokio::sync::AcquireError> {
        self.acquire().await
    }
}

#[derive(Debug)]
pub(crate) struct OwnedSemaphorePermit(Option<tokio::sync::OwnedSemaphorePermit>);

impl OwnedSemaphorePermit {
    fn new(permit: tokio::sync::OwnedSemaphorePermit) -> Self {
        Self(Some(permit))
    }

    pub(crate) fn forget(mut self) {
        self.0.take().expect("held until it is dropped").forget();
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        if self.0.is_some() {
            step();
        }
    }
}

/// The one runtime there is.
#[derive(Clone, Debug)]
pub struct Handle(());

impl Handle {
    #[allow(clippy::unnecessary_wraps, reason = "tokio's surface")]
    pub(crate) fn try_current() -> Result<Self, ()> {
        Ok(Self(()))
    }

    #[allow(clippy::unused_self, reason = "tokio's surface")]
    pub(crate) fn id(&self) -> u64 {
        0
    }

    #[allow(clippy::unused_self, reason = "tokio's surface")]
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        JoinHandle {
            id: unique_id(),
            task: shuttle::future::spawn(future),
        }
    }

    pub(crate) fn spawn_blocking<R: Send + 'static>(
        &self,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> JoinHandle<R> {
        self.spawn(async move { call() })
    }
}

pub(crate) type TaskId = u64;

pub(crate) struct JoinHandle<T> {
    id: TaskId,
    task: shuttle::future::JoinHandle<T>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn abort(&self) {
        self.task.abort();
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id;
        let joined = Pin::new(&mut self.task).poll(cx);
        joined.map_err(|_| JoinError(id))
    }
}

/// The task was aborted. One that panics ends the model.
#[derive(Debug)]
pub(crate) struct JoinError(TaskId);

impl JoinError {
    pub(crate) fn id(&self) -> TaskId {
        self.0
    }

    pub(crate) fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        Err(self)
    }
}

pub(crate) struct JoinSet<T>(FuturesUnordered<JoinHandle<T>>);

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self(FuturesUnordered::new())
    }
}

impl<T: Send + 'static> JoinSet<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn spawn_on(
        &mut self,
        future: impl Future<Output = T> + Send + 'static,
        handle: &Handle,
    ) -> Spawned {
        let task = handle.spawn(future);
        let spawned = Spawned(task.id());
        self.0.push(task);
        spawned
    }

    pub(crate) fn poll_join_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<T, JoinError>>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

pub(crate) struct Spawned(TaskId);

impl Spawned {
    pub(crate) fn id(&self) -> TaskId {
        self.0
    }
}

/// No runtime of a model says how busy it is.
pub(crate) fn worked(_: &Handle) -> Option<(Duration, usize)> {
    None
}

/// A wait at least this long never ends in a model. A shorter one ends whenever the scheduler likes.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Elapsed;

pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = std::pin::pin!(future);
    let mut timer = Timer::new(limit);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut timer).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

pub(crate) async fn sleep_until(at: Instant) {
    Timer::new(at.saturating_duration_since(Instant::now())).await;
}

/// A wait that ends when the scheduler has run a task that does nothing.
struct Timer {
    limit: Duration,
    state: Option<Arc<std::sync::Mutex<Fired>>>,
}

/// Whether it has, and who waits for it.
type Fired = (bool, Option<Waker>);

impl Timer {
    fn new(limit: Duration) -> Self {
        Self { limit, state: None }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.limit >= FOR_EVER {
            return Poll::Pending;
        }
        let state = self.state.get_or_insert_with(|| {
            let state = Arc::new(std::sync::Mutex::new((false, None::<Waker>)));
            let fired = Arc::clone(&state);
            drop(shuttle::future::spawn(async move {
                let mut state = fired.lock().expect("no panic under it");
                state.0 = true;
                let waker = state.1.take();
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }));
            state
        });
        let mut state = state.lock().expect("no panic under it");
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}
