//! The service.

use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::CatchPanicFuture;
use crate::error::BoxError;
use crate::event::Delivery;

/// The service of [`CatchPanic`](super::CatchPanic).
#[derive(Clone, Debug)]
pub struct CatchPanicService<S> {
    inner: S,
}

impl<S> CatchPanicService<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<Delivery> for CatchPanicService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = CatchPanicFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call makes its own clone of the inner service ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        // The inner service is called in the first poll, where a panic of its closure is caught too.
        CatchPanicFuture::new(self.inner.clone().oneshot(delivery))
    }
}
