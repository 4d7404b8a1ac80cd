//! The service.

use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;
use tracing::Span;
use tracing::field::{Empty, display};

use super::TraceFuture;
use super::config::Detail;
use crate::error::BoxError;
use crate::event::Delivery;

/// The service of [`Trace`](super::Trace).
#[derive(Clone, Debug)]
pub struct TraceService<S> {
    inner: S,
    level: Detail,
}

impl<S> TraceService<S> {
    pub(super) fn new(inner: S, level: Detail) -> Self {
        Self { inner, level }
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
        let span = span(self.level, &delivery);
        TraceFuture::new(self.inner.clone().oneshot(delivery), span)
    }
}

fn span(level: Detail, delivery: &Delivery) -> Span {
    macro_rules! deliver {
        ($make:ident) => {
            tracing::$make!(
                "deliver",
                signal = delivery.signal(),
                listener = delivery.listener_key(),
                event = delivery.event_type(),
                emission = delivery.emission_id(),
                correlation = delivery.correlation_id(),
                traceparent = Empty,
            )
        };
    }
    let span = match level {
        Detail::Debug => deliver!(debug_span),
        Detail::Info => deliver!(info_span),
    };
    if let (false, Some(parent)) = (span.is_disabled(), delivery.headers().traceparent()) {
        span.record("traceparent", display(parent));
    }
    span
}
