//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::{Fallback, FallbackFuture};
use crate::error::BoxError;
use crate::event::Delivery;

/// The service of [`Fallback`].
#[derive(Clone, Debug)]
pub struct FallbackService<S> {
    inner: S,
    config: Arc<Fallback>,
}

impl<S> FallbackService<S> {
    pub(super) fn new(inner: S, config: Fallback) -> Self {
        let config = Arc::new(config);
        Self { inner, config }
    }
}

impl<S> Service<Delivery> for FallbackService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = FallbackFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call makes its own clone of the inner service ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let call = self.inner.clone().oneshot(delivery.clone());
        FallbackFuture::new(call, Arc::clone(&self.config), delivery)
    }
}
