//! From an event to the bits that stand for its key.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::Arc;

use crate::event::Delivery;

/// 128 bits that stand for a key. Two halves, since a `u128` would be aligned to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u64; 2]);

impl Hash for Fingerprint {
    /// It is a hash already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

impl Fingerprint {
    /// Half of it, for where few are compared.
    pub(crate) fn bits(self) -> u64 {
        self.0[0]
    }
}

/// The two seeds of the hash.
#[derive(Debug, Default)]
pub(crate) struct Seeds([RandomState; 2]);

impl Seeds {
    /// Runs user code: the key's `Hash`.
    pub(crate) fn fingerprint<K: Hash + ?Sized>(&self, key: &K) -> Fingerprint {
        Fingerprint([self.0[0].hash_one(key), self.0[1].hash_one(key)])
    }
}

type Find = dyn Fn(&(dyn Any + Send + Sync), &Seeds) -> Option<Fingerprint> + Send + Sync;

/// How the key of a call is found.
#[derive(Clone)]
pub(crate) struct KeyBy(Arc<Find>);

impl KeyBy {
    pub(crate) fn of<E: Any, K: Hash>(key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |event, seeds| {
            let event = event.downcast_ref::<E>()?;
            Some(seeds.fingerprint(&key(event)))
        }))
    }

    /// The key of this call, or `None` for an event of another type. Runs user code.
    pub(crate) fn find(&self, delivery: &Delivery, seeds: &Seeds) -> Option<Fingerprint> {
        self.find_in(delivery.any_event(), seeds)
    }

    /// The same, of the event itself.
    pub(crate) fn find_in(
        &self,
        event: &(dyn Any + Send + Sync),
        seeds: &Seeds,
    ) -> Option<Fingerprint> {
        (self.0)(event, seeds)
    }
}

impl fmt::Debug for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBy").finish_non_exhaustive()
    }
}

type FindOf<E> = dyn Fn(&E, &Seeds) -> Fingerprint + Send + Sync;

/// How the key of an event is found.
pub(crate) struct EventKey<E> {
    find: Arc<FindOf<E>>,
    seeds: Arc<Seeds>,
}

impl<E: 'static> EventKey<E> {
    pub(crate) fn of<K: Hash>(key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        Self {
            find: Arc::new(move |event, seeds| seeds.fingerprint(&key(event))),
            seeds: Arc::default(),
        }
    }

    /// The key of this event. Runs user code.
    pub(crate) fn find(&self, event: &E) -> Fingerprint {
        (self.find)(event, &self.seeds)
    }
}

impl<E> Clone for EventKey<E> {
    fn clone(&self) -> Self {
        Self {
            find: Arc::clone(&self.find),
            seeds: Arc::clone(&self.seeds),
        }
    }
}

/// A map from keys to what is known of them.
pub(crate) type ByFingerprint<V> = HashMap<Fingerprint, V, BuildHasherDefault<AsIs>>;

/// Passes the bits of a fingerprint on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
