//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::store::Store;
use super::{RateLimit, RateLimitFuture};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::live::Live;

/// The service of [`RateLimit`](super::RateLimit). Its clones share one state.
#[derive(Clone, Debug)]
pub struct RateLimitService<S> {
    inner: S,
    store: Arc<Store>,
}

impl<S> RateLimitService<S> {
    pub(super) fn new(inner: S, store: Arc<Store>) -> Self {
        Self { inner, store }
    }

    /// Its settings, which may be changed.
    pub(in crate::layer) fn live(&self) -> Arc<dyn Live<RateLimit>> {
        Arc::clone(&self.store) as Arc<dyn Live<RateLimit>>
    }
}

impl<S> Service<Delivery> for RateLimitService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = RateLimitFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call makes its own clone of the inner service ready, once it has passed.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let key = self.store.key(&delivery);
        let inner = self.inner.clone().oneshot(delivery);
        RateLimitFuture::new(inner, Arc::clone(&self.store), key)
    }
}
