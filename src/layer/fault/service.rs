//! The service.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::FaultFuture;
use super::config::Only;
use super::source::Source;
use super::state::Odds;
use crate::error::BoxError;
use crate::event::Delivery;

/// The service of [`Fault`](super::Fault).
#[derive(Clone)]
pub struct FaultService<S> {
    inner: S,
    odds: Odds,
    only: Option<Only>,
    source: Arc<Source>,
}

impl<S> FaultService<S> {
    pub(super) fn new(inner: S, odds: Odds, only: Option<Only>, source: Arc<Source>) -> Self {
        Self {
            inner,
            odds,
            only,
            source,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for FaultService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultService")
            .field("inner", &self.inner)
            .field("seed", &self.source.seed())
            .finish_non_exhaustive()
    }
}

impl<S> Service<Delivery> for FaultService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = FaultFuture<S>;

    /// Ready at once: a call makes its own clone of the inner service ready, if it comes to that.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> FaultFuture<S> {
        let source = Arc::clone(&self.source);
        let only = self.only.clone();
        FaultFuture::new(self.inner.clone(), delivery, self.odds, only, source)
    }
}
