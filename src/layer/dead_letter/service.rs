//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::{DeadLetter, DeadLetterFuture};
use crate::error::BoxError;
use crate::event::Delivery;

/// The service of [`DeadLetter`].
#[derive(Clone, Debug)]
pub struct DeadLetterService<S> {
    inner: S,
    config: Arc<DeadLetter>,
}

impl<S> DeadLetterService<S> {
    pub(super) fn new(inner: S, config: DeadLetter) -> Self {
        let config = Arc::new(config);
        Self { inner, config }
    }
}

impl<S> Service<Delivery> for DeadLetterService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = DeadLetterFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call makes its own clone of the inner service ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let call = self.inner.clone().oneshot(delivery.clone());
        DeadLetterFuture::new(call, Arc::clone(&self.config), delivery)
    }
}
