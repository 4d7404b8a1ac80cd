//! The future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::BoxError;
use crate::outcome::{CallError, Cause, catch};

pin_project! {
    /// The future of [`CatchPanicService`](super::CatchPanicService).
    #[derive(Debug)]
    pub struct CatchPanicFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F> CatchPanicFuture<F> {
    pub(super) fn new(inner: F) -> Self {
        Self { inner }
    }
}

impl<F, E> Future for CatchPanicFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.project().inner;
        match catch(|| inner.poll(cx)) {
            Ok(polled) => polled.map_err(Into::into),
            Err(message) => Poll::Ready(Err(CallError::new(Cause::Panicked(message)).into())),
        }
    }
}
