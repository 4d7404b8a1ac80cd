//! The service.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::breakers::Breakers;
use super::{CircuitBreaker, CircuitBreakerFuture};
use crate::error::{BoxError, OptionError};
use crate::event::Delivery;
use crate::layer::live::Live;

/// The service of [`CircuitBreaker`](super::CircuitBreaker).
#[derive(Clone)]
pub struct CircuitBreakerService<S> {
    inner: S,
    breakers: Result<Arc<Breakers>, OptionError>,
}

impl<S> CircuitBreakerService<S> {
    pub(super) fn new(inner: S, breakers: Result<Arc<Breakers>, OptionError>) -> Self {
        Self { inner, breakers }
    }

    /// Its settings, which may be changed.
    pub(in crate::layer) fn live(&self) -> Option<Arc<dyn Live<CircuitBreaker>>> {
        let breakers = self.breakers.as_ref().ok()?;
        Some(Arc::clone(breakers) as Arc<dyn Live<CircuitBreaker>>)
    }
}

impl<S> Service<Delivery> for CircuitBreakerService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = CircuitBreakerFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call that is let through makes its own clone of the inner service ready, and that time is part of the call's.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let found = match &self.breakers {
            Ok(breakers) => breakers.find(&delivery).map_err(Into::into),
            Err(error) => Err(error.clone().into()),
        };
        let caller = Arc::clone(delivery.who());
        let inner = self.inner.clone().oneshot(delivery);
        match found {
            Ok(breaker) => CircuitBreakerFuture::new(inner, breaker, caller),
            Err(error) => CircuitBreakerFuture::refused(inner, error),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for CircuitBreakerService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
