//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::{Retry, RetryFuture};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::sync::Mutex;

/// The service of [`Retry`].
#[derive(Clone, Debug)]
pub struct RetryService<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// What the calls of a listener have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Retry,
    dice: Mutex<fastrand::Rng>,
}

impl Shared {
    /// A number from 0 to 1.
    pub(super) fn dice(&self) -> f64 {
        self.dice.lock().f64()
    }
}

impl<S> RetryService<S> {
    pub(super) fn new(inner: S, config: Retry) -> Self {
        let dice = config
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let dice = Mutex::new(dice);
        Self {
            inner,
            shared: Arc::new(Shared { config, dice }),
        }
    }
}

impl<S> Service<Delivery> for RetryService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = RetryFuture<S>;

    /// Ready at once: each attempt makes a clone of the inner service ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> RetryFuture<S> {
        RetryFuture::new(self.inner.clone(), Arc::clone(&self.shared), delivery)
    }
}
