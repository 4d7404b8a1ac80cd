//! The innermost service of a stack: the listener itself.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::context::{because_of, take_permit};
use crate::error::BoxError;
use crate::event::{Delivery, Event};
use crate::listener::Keeper;
use crate::outcome::{
    CallError, Cancellation, Cause, Flow, IntoOutcome, Rejection, Verdict, catch,
};
use crate::pool::Permit;
use crate::sync::{JoinHandle, Mutex};

/// A listener as a service: what it does with a delivery, by a closure that is cloned a call.
pub(crate) struct Leaf<F, Fut>(F, PhantomData<fn() -> Fut>);

/// A listener as a service. What `start` returns is polled in the place of the listener.
pub(crate) fn leaf<F, Fut>(start: F) -> Leaf<F, Fut>
where
    F: Fn(&Delivery) -> Fut,
    Fut: Future<Output: IntoOutcome>,
{
    Leaf(start, PhantomData)
}

/// The event of a delivery that was made for a listener of this type.
pub(crate) fn event_of<E: Event>(delivery: &Delivery) -> &E {
    delivery
        .event()
        .expect("a listener is given events of its own type")
}

/// The same, shared.
pub(crate) fn shared_event_of<E: Event>(delivery: &Delivery) -> Arc<E> {
    delivery
        .shared_event()
        .expect("a listener is given events of its own type")
}

impl<F: Clone, Fut> Clone for Leaf<F, Fut> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<F, Fut> Service<Delivery> for Leaf<F, Fut>
where
    F: Fn(&Delivery) -> Fut,
    Fut: Future<Output: IntoOutcome>,
{
    type Response = ();
    type Error = BoxError;
    type Future = LeafFuture<Fut>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> LeafFuture<Fut> {
        let inner = because_of(delivery.envelope(), || (self.0)(&delivery));
        LeafFuture::new(inner, delivery)
    }
}

/// A service of the user's as the listener: each call is an attempt.
#[derive(Clone)]
pub(crate) struct Attempt<S>(pub(crate) S);

impl<S> Service<Delivery> for Attempt<S>
where
    S: Service<Delivery, Response = ()>,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = LeafFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let inner = because_of(delivery.envelope(), || self.0.call(delivery.clone()));
        LeafFuture::new(inner, delivery)
    }
}

pin_project! {
    /// One attempt of the listener.
    pub(crate) struct LeafFuture<Fut> {
        #[pin]
        inner: Fut,
        delivery: Delivery,
        ended: bool,
    }

    impl<Fut> PinnedDrop for LeafFuture<Fut> {
        fn drop(this: Pin<&mut Self>) {
            if !this.ended {
                this.delivery.give_up();
            }
        }
    }
}

impl<Fut> LeafFuture<Fut> {
    pub(crate) fn new(inner: Fut, delivery: Delivery) -> Self {
        Self {
            inner,
            delivery,
            ended: false,
        }
    }
}

impl<Fut: Future<Output: IntoOutcome>> Future for LeafFuture<Fut> {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = because_of(this.delivery.envelope(), || {
            this.inner.poll(cx).map(IntoOutcome::into_outcome)
        });
        polled.map(|verdict| {
            *this.ended = true;
            match verdict.0 {
                Flow::Done => Ok(()),
                Flow::Break => {
                    this.delivery.call().ask_to_stop();
                    Ok(())
                }
                Flow::Failed(error) => Err(error),
                Flow::Not(cause) => Err(CallError::new(cause).into()),
            }
        })
    }
}

/// Runs one attempt on a blocking thread. The listener counts as running, and keeps its permit, until the thread returns, also if the attempt is given up before.
pub(crate) fn on_thread<W>(keeper: &Arc<dyn Keeper>, work: W) -> OnThread
where
    W: FnOnce() -> Verdict + Send + 'static,
{
    let permit = Arc::new(Mutex::new(Kept::Awaited));
    let thread = keeper.runtime().map(|runtime| {
        let (hold, kept) = (keeper.hold(), Arc::clone(&permit));
        runtime.spawn_blocking(move || {
            let _hold = hold;
            let verdict = catch(work);
            let permit = std::mem::replace(&mut *kept.lock(), Kept::Returned);
            drop(permit);
            verdict.unwrap_or_else(|message| Verdict::not(Cause::Panicked(message)))
        })
    });
    OnThread { thread, permit }
}

/// The permit of an attempt on a thread.
enum Kept {
    /// Somebody waits for the thread, and has it.
    Awaited,
    /// Nobody waits any more.
    #[expect(dead_code, reason = "it is kept, and dropped by the thread")]
    ByThread(Option<Permit>),
    /// The thread has returned.
    Returned,
}

/// Waits for a blocking thread. Dropped before that returns, it leaves the permit of the call to it.
pub(crate) struct OnThread {
    thread: Option<JoinHandle<Verdict>>,
    permit: Arc<Mutex<Kept>>,
}

impl Future for OnThread {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        let Some(thread) = &mut self.thread else {
            return Poll::Ready(Verdict::not(Cause::Rejected(Rejection::NoRuntime)));
        };
        Pin::new(thread).poll(cx).map(|joined| {
            joined.unwrap_or_else(|_| Verdict::not(Cause::Cancelled(Cancellation::RuntimeEnded)))
        })
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        let Some(thread) = &self.thread else { return };
        if matches!(*self.permit.lock(), Kept::Returned) {
            return;
        }
        // A call that has not begun is taken back from the queue.
        thread.abort();
        let permit = take_permit();
        let spare = {
            let mut kept = self.permit.lock();
            match *kept {
                Kept::Awaited => {
                    *kept = Kept::ByThread(permit);
                    None
                }
                _ => permit,
            }
        };
        drop(spare);
    }
}
