//! Whether what is layered from one config shares one state, and where those states are found.

use std::sync::{Arc, OnceLock, Weak};

use crate::sync::Mutex;

/// One state for each listener, or one for all that is layered from a config and its clones.
#[derive(Debug)]
pub(super) struct Sharing<S>(Option<Arc<OnceLock<Arc<S>>>>);

impl<S> Sharing<S> {
    /// Each listener has its own.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// All share one, which the first makes.
    pub(super) fn all(self) -> Self {
        Self(Some(self.0.unwrap_or_default()))
    }

    pub(super) fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// For a config whose options change: with its former self it shares nothing any more.
    pub(super) fn apart(self) -> Self {
        Self(self.0.map(|_| Arc::default()))
    }

    /// The state for one more listener.
    pub(super) fn state(&self, make: impl FnOnce() -> Arc<S>) -> Arc<S> {
        match &self.0 {
            Some(shared) => Arc::clone(shared.get_or_init(make)),
            None => make(),
        }
    }
}

impl<S> Clone for Sharing<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The states that were made from one config, as long as they live: for its handle.
#[derive(Debug)]
pub(super) struct States<S>(Mutex<Vec<Weak<S>>>);

impl<S> Default for States<S> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<S> States<S> {
    pub(super) fn add(&self, state: &Arc<S>) {
        let mut all = self.0.lock();
        if all.len() == all.capacity() {
            all.retain(|state| state.strong_count() > 0);
        }
        all.push(Arc::downgrade(state));
    }

    pub(super) fn all(&self) -> Vec<Arc<S>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}
