//! The future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::state::TimeLimit;
use crate::clock::{Sleep, sleep_until};
use crate::error::BoxError;
use crate::layer::ending::end;
use crate::outcome::{CallError, Cause};

pin_project! {
    /// The future of [`DeadlineService`](super::DeadlineService).
    #[derive(Debug)]
    pub struct DeadlineFuture<F> {
        // Dropped when the time is up, before anybody around hears of it.
        #[pin]
        inner: Option<F>,
        limit: TimeLimit,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<F> DeadlineFuture<F> {
    pub(super) fn new(inner: F, limit: TimeLimit) -> Self {
        Self {
            inner: Some(inner),
            limit,
            sleep: None,
        }
    }
}

impl<F, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        let inner = inner.expect("a call is not polled after it has ended");
        if let Poll::Ready(result) = inner.poll(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        let Some(ends) = this.limit.ends() else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            // The timer is set by the first call that suspends.
            this.sleep.set(Some(sleep_until(ends)));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        let cause = Cause::TimedOut(this.limit.given());
        Poll::Ready(end(this.inner, Err(CallError::new(cause).into())))
    }
}
