//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::store::Store;
use super::{Concurrency, ConcurrencyFuture};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::live::Live;

/// The service of [`Concurrency`](super::Concurrency). Its clones share one state.
#[derive(Clone, Debug)]
pub struct ConcurrencyService<S> {
    inner: S,
    store: Arc<Store>,
}

impl<S> ConcurrencyService<S> {
    pub(super) fn new(inner: S, store: Arc<Store>) -> Self {
        Self { inner, store }
    }

    /// Its settings, which may be changed.
    pub(in crate::layer) fn live(&self) -> Arc<dyn Live<Concurrency>> {
        Arc::clone(&self.store) as Arc<dyn Live<Concurrency>>
    }
}

impl<S> Service<Delivery> for ConcurrencyService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = ConcurrencyFuture<Oneshot<S, Delivery>>;

    /// Ready at once: a call makes its own clone of the inner service ready, once it has a place.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let key = self.store.key(&delivery);
        let inner = self.inner.clone().oneshot(delivery);
        ConcurrencyFuture::new(inner, Arc::clone(&self.store), key)
    }
}
