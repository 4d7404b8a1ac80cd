//! The twin of `table.rs` for the model checkers: one map under one lock, which they know.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;

use super::key::AsIs;
use super::{Fingerprint, TooMany};
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The state of each key, for no more keys than a limit.
pub(crate) struct Table<V> {
    map: Mutex<HashMap<Fingerprint, V, BuildHasherDefault<AsIs>>>,
    most: AtomicUsize,
}

impl<V: Default> Table<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            map: Mutex::default(),
            most: AtomicUsize::new(most),
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    pub(crate) fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    pub(crate) fn len(&self) -> usize {
        self.map.lock().len()
    }

    pub(crate) fn enter<R>(
        &self,
        key: Fingerprint,
        change: impl FnOnce(&mut V) -> R,
    ) -> Result<(R, bool), TooMany> {
        let mut map = self.map.lock();
        let new = !map.contains_key(&key);
        if new && map.len() >= self.most() {
            return Err(TooMany);
        }
        Ok((change(map.entry(key).or_default()), new))
    }

    pub(crate) fn update<R>(
        &self,
        key: Fingerprint,
        change: impl FnOnce(&mut V) -> R,
        idle: impl FnOnce(&V) -> bool,
    ) -> Option<R> {
        let mut map = self.map.lock();
        let state = map.get_mut(&key)?;
        let result = change(state);
        if idle(state) {
            map.remove(&key);
        }
        Some(result)
    }

    pub(crate) fn each(&self, change: impl FnMut(&mut V)) {
        self.map.lock().values_mut().for_each(change);
    }

    pub(crate) fn look<R>(&self, key: Fingerprint, look: impl FnOnce(&V) -> R) -> Option<R> {
        self.map.lock().get(&key).map(look)
    }
}

impl<V> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("most", &self.most.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
