//! The future.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::BoxError;
use crate::event::Delivery;
use crate::span::CallSpan;

pin_project! {
    /// The future of [`TraceService`](super::TraceService).
    #[derive(Debug)]
    pub struct TraceFuture<F> {
        // Always there until it is dropped, inside the span.
        #[pin]
        inner: Option<F>,
        span: CallSpan,
        delivery: Delivery,
    }

    impl<F> PinnedDrop for TraceFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.span.give_up(this.delivery);
            this.span.enter(|| this.inner.set(None));
        }
    }
}

impl<F> TraceFuture<F> {
    pub(super) fn new(inner: F, span: CallSpan, delivery: Delivery) -> Self {
        Self {
            inner: Some(inner),
            span,
            delivery,
        }
    }
}

impl<F, E> Future for TraceFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inner = this.inner.as_pin_mut();
        let inner = inner.expect("it is there until it is dropped");
        // Nothing of the inner future is used again after a panic but its drop.
        let polled = catch_unwind(AssertUnwindSafe(|| this.span.enter(|| inner.poll(cx))));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(ended)) => {
                let ended: Result<(), BoxError> = ended.map_err(Into::into);
                this.span.finish(this.delivery, ended.as_ref().err());
                Poll::Ready(ended)
            }
            Err(payload) => {
                this.span.panicked(this.delivery);
                resume_unwind(payload)
            }
        }
    }
}
