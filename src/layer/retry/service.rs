//! The service.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::{Retry, RetryFuture};
use crate::clock::{self, Instant};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::live::{Applied, Cell, Live};
use crate::sync::{AtomicBool, Mutex, Ordering, swap};

/// The service of [`Retry`].
#[derive(Clone, Debug)]
pub struct RetryService<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// What the calls of a listener have in common.
pub(super) struct Shared {
    settings: Cell<Settings>,
    /// A call that begins has something to look at in the settings.
    asks_of_calls: AtomicBool,
    dice: Mutex<fastrand::Rng>,
    /// Held by whoever changes the settings.
    changing: Mutex<()>,
}

/// What calls go by.
pub(super) struct Settings {
    /// One more with each change.
    pub(super) number: u64,
    pub(super) retry: Retry,
}

impl Shared {
    fn new(retry: Retry) -> Self {
        Self {
            asks_of_calls: AtomicBool::new(retry.asks_of_calls()),
            dice: Mutex::new(dice(retry.seed)),
            settings: Cell::new(Settings { number: 0, retry }),
            changing: Mutex::new(()),
        }
    }

    /// Those in effect.
    pub(super) fn settings(&self) -> swap::Shared<Settings> {
        swap::Shared::clone(&self.settings.read())
    }

    /// A call begins: now, if that is to be known.
    pub(super) fn called(&self) -> Option<Instant> {
        if !self.asks_of_calls.load(Ordering::Relaxed) {
            return None;
        }
        let retry = &self.settings().retry;
        if let Some(budget) = &retry.budget {
            budget.called();
        }
        retry.limits.max_elapsed.map(|_| clock::now())
    }

    /// A number from 0 to 1.
    pub(super) fn dice(&self) -> f64 {
        self.dice.lock().f64()
    }
}

impl Live<Retry> for Shared {
    fn words(&self) -> String {
        self.settings.read().retry.to_string()
    }

    fn change(&self, new: Retry) -> Applied {
        let (before, after);
        let changing = self.changing.lock();
        let old = self.settings();
        let retry = new.in_place_of(&old.retry);
        if retry.seed != old.retry.seed {
            *self.dice.lock() = dice(retry.seed);
        }
        (before, after) = (old.retry.to_string(), retry.to_string());
        let (asks, number) = (retry.asks_of_calls(), old.number + 1);
        // Whoever sees either of them looks into the settings, where it sees one of the two.
        if asks {
            self.asks_of_calls.store(true, Ordering::Relaxed);
        }
        let replaced = self.settings.replace(Settings { number, retry });
        self.asks_of_calls.store(asks, Ordering::Relaxed);
        drop(changing);
        Applied {
            before,
            after,
            rest: Box::new(move || drop((old, replaced))),
        }
    }
}

fn dice(seed: Option<u64>) -> fastrand::Rng {
    seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.settings.read().retry, f)
    }
}

impl<S> RetryService<S> {
    pub(super) fn new(inner: S, config: Retry) -> Self {
        Self {
            inner,
            shared: Arc::new(Shared::new(config)),
        }
    }

    /// Its settings, which may be changed.
    pub(in crate::layer) fn live(&self) -> Arc<dyn Live<Retry>> {
        Arc::clone(&self.shared) as Arc<dyn Live<Retry>>
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
