//! A bounded map from keys to their state.

use std::fmt;
use std::hash::BuildHasherDefault;

use dashmap::{DashMap, Entry};

use super::key::AsIs;
use super::{Fingerprint, TooMany};
use crate::sync::{AtomicUsize, Ordering};

/// Below this many keys the room of those that left is not given back.
const SMALL: usize = 4_096;
/// It is given back when no more than this part of the keys is left.
const LEFT: usize = 16;

/// The state of each key, for no more keys than a limit. What a caller does to a state happens under a shard's lock: it neither waits nor runs user code.
pub(crate) struct Table<V> {
    map: DashMap<Fingerprint, V, BuildHasherDefault<AsIs>>,
    len: AtomicUsize,
    /// The most keys since room was last given back.
    peak: AtomicUsize,
    most: AtomicUsize,
}

impl<V: Default> Table<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            map: DashMap::default(),
            len: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            most: AtomicUsize::new(most),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// From now on no more keys than this. Those that there are stay.
    pub(crate) fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Changes the state of a key, which is made if there is none and there is room. Also says whether it was.
    pub(crate) fn enter<R>(
        &self,
        key: Fingerprint,
        change: impl FnOnce(&mut V) -> R,
    ) -> Result<(R, bool), TooMany> {
        if let Some(mut known) = self.map.get_mut(&key) {
            return Ok((change(&mut known), false));
        }
        match self.map.entry(key) {
            Entry::Occupied(mut known) => Ok((change(known.get_mut()), false)),
            Entry::Vacant(free) => {
                let most = self.most();
                let grown = |len| (len < most).then_some(len + 1);
                let before = self
                    .len
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
                    .map_err(|_| TooMany)?;
                self.peak.fetch_max(before + 1, Ordering::Relaxed);
                Ok((change(&mut free.insert(V::default())), true))
            }
        }
    }

    /// Changes the state of a key, and removes the key if it is idle then. `None` if there is none.
    pub(crate) fn update<R>(
        &self,
        key: Fingerprint,
        change: impl FnOnce(&mut V) -> R,
        idle: impl FnOnce(&V) -> bool,
    ) -> Option<R> {
        let (result, removed) = match self.map.entry(key) {
            Entry::Vacant(_) => return None,
            Entry::Occupied(mut known) => {
                let result = change(known.get_mut());
                let removed = idle(known.get());
                if removed {
                    known.remove();
                    self.len.fetch_sub(1, Ordering::Relaxed);
                }
                (result, removed)
            }
        };
        if removed {
            self.give_room_back();
        }
        Some(result)
    }

    /// Changes the state of each key. Those that come or go meanwhile may be missed.
    pub(crate) fn each(&self, mut change: impl FnMut(&mut V)) {
        self.map.iter_mut().for_each(|mut state| change(&mut state));
    }

    /// Looks at the state of a key, if there is one.
    pub(crate) fn look<R>(&self, key: Fingerprint, look: impl FnOnce(&V) -> R) -> Option<R> {
        self.map.get(&key).map(|state| look(&state))
    }

    /// When few keys are left of many, so are their places: it costs as much as the few, and the many have come and gone since the last time.
    fn give_room_back(&self) {
        let (len, peak) = (self.len(), self.peak.load(Ordering::Relaxed));
        if peak >= SMALL && len <= peak / LEFT {
            let lowered = self.peak.compare_exchange(
                peak,
                len,
                // A count: whoever changes it gives the room back, under the locks of the map.
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if lowered.is_ok() {
                self.map.shrink_to_fit();
            }
        }
    }

    /// How many keys it has room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.map.capacity()
    }
}

impl<V> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.len)
            .field("most", &self.most.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
