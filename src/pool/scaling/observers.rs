//! Who is told what becomes of a pool's size.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::scaled::Scaled;
use crate::outcome::catch;
use crate::sync::Mutex;

/// Is told of each decision.
#[derive(Clone)]
pub(in crate::pool) struct Observer {
    tell: Arc<dyn Fn(&Scaled) + Send + Sync>,
    /// What it is told for: once that is gone, it need not be told any more.
    kept: Option<Weak<dyn Any + Send + Sync>>,
}

impl Observer {
    pub(super) fn is_wanted(&self) -> bool {
        let kept = self.kept.as_ref();
        kept.is_none_or(|kept| kept.strong_count() > 0)
    }

    pub(in crate::pool) fn new(tell: impl Fn(&Scaled) + Send + Sync + 'static) -> Self {
        Self {
            tell: Arc::new(tell),
            kept: None,
        }
    }

    pub(in crate::pool) fn while_kept<T: Send + Sync + 'static>(
        kept: Weak<T>,
        tell: impl Fn(&Scaled) + Send + Sync + 'static,
    ) -> Self {
        Self {
            kept: Some(kept),
            ..Self::new(tell)
        }
    }
}

pub(in crate::pool) struct Observers {
    name: Option<Arc<str>>,
    all: Mutex<Vec<Observer>>,
}

impl Observers {
    pub(in crate::pool) fn new(name: Option<Arc<str>>, all: Vec<Observer>) -> Self {
        Self {
            name,
            all: Mutex::new(all),
        }
    }

    pub(in crate::pool) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn shared_name(&self) -> Option<Arc<str>> {
        self.name.clone()
    }

    /// Adds one. Those that are not wanted any more are let go of whenever the list would have to grow, so that a pool that outlives its signals does not keep what was theirs.
    pub(in crate::pool) fn add(&self, observer: Observer) {
        let mut all = self.all.lock();
        if all.len() == all.capacity() {
            // Only those of the crate are ever unwanted: what is dropped here runs no code of others.
            all.retain(Observer::is_wanted);
        }
        all.push(observer);
    }

    /// Tells all of them. Called when no lock is held.
    pub(in crate::pool) fn tell(&self, scaled: &Scaled) {
        tracing::info!(%scaled, "a pool's size");
        let all = self.all.lock().clone();
        for observer in all.iter().filter(|observer| observer.is_wanted()) {
            if let Err(message) = catch(|| (observer.tell)(scaled)) {
                tracing::error!(%message, "an `on_scaled` callback panicked");
            }
        }
    }
}
