//! The innermost service of a stack: the listener itself.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use crate::clock::{self, Instant};
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

/// Runs one attempt on a blocking thread. The listener counts as running, and keeps its permit, until the thread returns, also if the attempt is given up before; what came of it is told then.
pub(crate) fn on_thread<W>(keeper: &Arc<dyn Keeper>, delivery: &Delivery, work: W) -> OnThread
where
    W: FnOnce() -> Verdict + Send + 'static,
{
    let wait = Arc::new(Mutex::new(Wait::Awaited));
    let thread = keeper.runtime().map(|runtime| {
        let (hold, keeper, wait) = (keeper.hold(), Arc::clone(keeper), Arc::clone(&wait));
        let shares = delivery.call().shares_of_turns();
        let span = Span::current();
        runtime.spawn_blocking(move || {
            let (_hold, _shares) = (hold, shares);
            let began = clock::now();
            let verdict = catch(|| span.in_scope(work))
                .unwrap_or_else(|message| Verdict::not(Cause::Panicked(message)));
            let mut state = wait.lock();
            if matches!(*state, Wait::Awaited) {
                *state = Wait::Returned(verdict, began);
                return;
            }
            let given_up = std::mem::replace(&mut *state, Wait::Over);
            drop(state);
            span.in_scope(|| keeper.tell_late(verdict, began));
            drop(given_up);
        })
    });
    let keeper = Arc::clone(keeper);
    OnThread {
        thread,
        wait,
        keeper,
    }
}

/// Who waits for an attempt on a thread.
enum Wait {
    /// Somebody does, and has the permit.
    Awaited,
    /// The thread has returned, and nobody has looked.
    Returned(Verdict, Instant),
    /// Nobody does any more.
    #[expect(dead_code, reason = "it is kept, and dropped by the thread")]
    GivenUp(Option<Permit>),
    /// It is known what came of it.
    Over,
}

/// Waits for a blocking thread. Dropped before that returns, it leaves the permit of the call to it.
pub(crate) struct OnThread {
    thread: Option<JoinHandle<()>>,
    wait: Arc<Mutex<Wait>>,
    keeper: Arc<dyn Keeper>,
}

impl Future for OnThread {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        let Some(thread) = &mut self.thread else {
            return Poll::Ready(Verdict::not(Cause::Rejected(Rejection::NoRuntime)));
        };
        // A thread that was never started, because its runtime ended, leaves no result.
        let _ = ready!(Pin::new(thread).poll(cx));
        let came = std::mem::replace(&mut *self.wait.lock(), Wait::Over);
        Poll::Ready(match came {
            Wait::Returned(verdict, _) => verdict,
            _ => Verdict::not(Cause::Cancelled(Cancellation::RuntimeEnded)),
        })
    }
}

impl OnThread {
    /// The attempt is given up. What the thread has returned by now, if it has.
    fn give_up(&self) -> Option<Wait> {
        let awaited = |wait: &Wait| matches!(wait, Wait::Awaited);
        if awaited(&self.wait.lock()) {
            let permit = take_permit();
            let mut wait = self.wait.lock();
            if awaited(&wait) {
                *wait = Wait::GivenUp(permit);
                return None;
            }
            // It has returned meanwhile: the permit goes back to the pool, when the lock is released.
            drop(wait);
        }
        Some(std::mem::replace(&mut *self.wait.lock(), Wait::Over))
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        let Some(thread) = &self.thread else { return };
        match self.give_up() {
            // A call that has not begun is taken back from the queue.
            None => thread.abort(),
            Some(Wait::Returned(verdict, began)) => self.keeper.tell_late(verdict, began),
            Some(_) => {}
        }
    }
}
