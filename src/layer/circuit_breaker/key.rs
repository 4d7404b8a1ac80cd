//! What a breaker of its own is kept for.

use std::any::Any;
use std::fmt::Display;
use std::hash::{BuildHasher as _, Hash, RandomState};

use crate::event::Delivery;

/// A key as 128 bits of a keyed hash: no two keys of a process meet in practice, and nobody outside can make them.
pub(super) type Fingerprint = u128;

/// Finds the key of a delivery and shows it to a closure, which is not called if the event is of another type. Both run user code.
pub(super) type KeyOf = dyn Fn(&Delivery, &mut Found<'_>) + Send + Sync;

pub(super) type Found<'a> = dyn FnMut(Fingerprint, &dyn Display) + 'a;

pub(super) fn key_of<E: Any, K: Hash + Display + 'static>(
    key: impl Fn(&E) -> K + Send + Sync + 'static,
) -> impl Fn(&Delivery, &mut Found<'_>) + Send + Sync {
    let hashers = [RandomState::new(), RandomState::new()];
    move |delivery, found| {
        if let Some(event) = delivery.event::<E>() {
            let key = key(event);
            let [high, low] = hashers.each_ref().map(|hasher| hasher.hash_one(&key));
            found((u128::from(high) << 64) | u128::from(low), &key);
        }
    }
}
