//! The service.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::DedupFuture;
use super::config::Fingerprint;
use super::store::Store;
use crate::error::BoxError;
use crate::event::Delivery;

/// The service of [`Dedup`](super::Dedup).
#[derive(Clone)]
pub struct DedupService<S> {
    inner: S,
    fingerprint: Fingerprint,
    store: Arc<Store>,
}

impl<S> DedupService<S> {
    pub(super) fn new(inner: S, fingerprint: Fingerprint, store: Arc<Store>) -> Self {
        Self {
            inner,
            fingerprint,
            store,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for DedupService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S> Service<Delivery> for DedupService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = DedupFuture<S>;

    /// Ready at once: a call makes its own clone of the inner service ready, once its key is let through.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> DedupFuture<S> {
        let key = (self.fingerprint)(&delivery);
        DedupFuture::new(self.inner.clone(), delivery, key, Arc::clone(&self.store))
    }
}
