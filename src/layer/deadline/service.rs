//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::DeadlineFuture;
use super::state::TimeLimit;
use crate::clock;
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::live::LiveTime;

/// The service of [`Deadline`](super::Deadline).
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    given: Arc<LiveTime>,
}

impl<S> DeadlineService<S> {
    pub(super) fn new(inner: S, given: Arc<LiveTime>) -> Self {
        Self { inner, given }
    }

    /// Its settings, which may be changed.
    pub(in crate::layer) fn live(&self) -> Arc<LiveTime> {
        Arc::clone(&self.given)
    }
}

impl<S> Service<Delivery> for DeadlineService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = DeadlineFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call makes its own clone of the inner service ready, within its time.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let limit = TimeLimit::begun(clock::now(), self.given.get());
        let delivery = match limit.ends() {
            Some(ends) => delivery.by(ends),
            None => delivery,
        };
        DeadlineFuture::new(self.inner.clone().oneshot(delivery), limit)
    }
}
