//! From an event to the bits that stand for its key.

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};
use std::sync::Arc;

use crate::event::Delivery;

/// 128 bits that stand for a key. Two halves, since a `u128` would be aligned to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layer) struct Fingerprint([u64; 2]);

impl Hash for Fingerprint {
    /// It is a hash already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

/// The two seeds of the hash.
#[derive(Debug, Default)]
pub(in crate::layer) struct Seeds([RandomState; 2]);

impl Seeds {
    /// Runs user code: the key's `Hash`.
    pub(in crate::layer) fn fingerprint<K: Hash + ?Sized>(&self, key: &K) -> Fingerprint {
        Fingerprint([self.0[0].hash_one(key), self.0[1].hash_one(key)])
    }
}

type Find = dyn Fn(&Delivery, &Seeds) -> Option<Fingerprint> + Send + Sync;

/// How the key of a call is found.
#[derive(Clone)]
pub(in crate::layer) struct KeyBy(Arc<Find>);

impl KeyBy {
    pub(in crate::layer) fn of<E: Any, K: Hash>(
        key: impl Fn(&E) -> K + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |delivery, seeds| {
            let event = delivery.event::<E>()?;
            Some(seeds.fingerprint(&key(event)))
        }))
    }

    /// The key of this call, or `None` for an event of another type. Runs user code.
    pub(in crate::layer) fn find(&self, delivery: &Delivery, seeds: &Seeds) -> Option<Fingerprint> {
        (self.0)(delivery, seeds)
    }
}

impl fmt::Debug for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBy").finish_non_exhaustive()
    }
}

/// Passes the bits of a fingerprint on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsIs(u64);

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
