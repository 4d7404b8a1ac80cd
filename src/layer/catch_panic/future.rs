//! The future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::BoxError;
use crate::layer::ending::poll_to_end;

pin_project! {
    /// The future of [`CatchPanicService`](super::CatchPanicService).
    #[derive(Debug)]
    pub struct CatchPanicFuture<F> {
        // Dropped when it has ended: what its drop panics with is caught too. That of one that is given up is for whoever gives it up.
        #[pin]
        inner: Option<F>,
    }
}

impl<F> CatchPanicFuture<F> {
    pub(super) fn new(inner: F) -> Self {
        Self { inner: Some(inner) }
    }
}

impl<F, E> Future for CatchPanicFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_to_end(self.project().inner, cx)
    }
}
