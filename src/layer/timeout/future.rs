//! The future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::state::TimeLimit;
use crate::clock::{self, Sleep, sleep_until};
use crate::error::BoxError;
use crate::layer::ending::end;
use crate::outcome::{CallError, Cause};

pin_project! {
    /// The future of [`TimeoutService`](super::TimeoutService).
    #[derive(Debug)]
    pub struct TimeoutFuture<F> {
        // Dropped when the time is up, before anybody around hears of it.
        #[pin]
        inner: Option<F>,
        limit: TimeLimit,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<F> TimeoutFuture<F> {
    pub(super) fn new(inner: F, given: Duration) -> Self {
        Self {
            inner: Some(inner),
            limit: TimeLimit::of(given),
            sleep: None,
        }
    }
}

impl<F, E> Future for TimeoutFuture<F>
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
        if this.sleep.is_none() {
            let Some(ends) = this.limit.suspended(clock::now()) else {
                return Poll::Pending;
            };
            this.sleep.set(Some(sleep_until(ends)));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        let cause = Cause::TimedOut(this.limit.given());
        Poll::Ready(end(this.inner, Err(CallError::new(cause).into())))
    }
}
