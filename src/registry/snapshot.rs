//! One version of the registry.

use std::collections::HashMap;
use std::sync::Arc;

use super::Entry;
use crate::key::Key;

/// The listeners of a signal at one moment, in the order of calls. Never changes.
pub(crate) struct Snapshot<E> {
    pub(crate) entries: Vec<Arc<Entry<E>>>,
    pub(super) keys: Arc<HashMap<Key, Arc<Entry<E>>>>,
    /// Whether any listener shares the event by `Arc`.
    pub(crate) shares: bool,
}

impl<E> Snapshot<E> {
    pub(super) fn empty() -> Self {
        Self {
            entries: Vec::new(),
            keys: Arc::default(),
            shares: false,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Arc<Entry<E>>> {
        self.keys.get(key)
    }
}
