//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::TraceFuture;
use crate::error::BoxError;
use crate::event::Delivery;
use crate::span::{Rule, Sampler, call_span};

/// The service of [`Trace`](super::Trace).
#[derive(Clone, Debug)]
pub struct TraceService<S> {
    inner: S,
    sampler: Arc<Sampler>,
}

impl<S> TraceService<S> {
    pub(super) fn new(inner: S, rule: Rule) -> Self {
        Self {
            inner,
            sampler: Arc::new(Sampler::new(rule)),
        }
    }
}

impl<S> Service<Delivery> for TraceService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = TraceFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call makes its own clone of the inner service ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let span = call_span(&self.sampler, &delivery);
        let inner = self.inner.clone().oneshot(delivery.clone());
        TraceFuture::new(inner, span, delivery)
    }
}
