//! Thread-locals under a model checker, whose threads and tasks all share one thread of the system.

use std::cell::Cell;

use super::twin::ModelKey;

/// As the standard library's, for keys with a constant start.
macro_rules! thread_local_ {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: $ty:ty = const { $init:expr };)*) => {
        $($(#[$meta])* $vis static $name: $crate::sync::LocalKey<$ty> = {
            $crate::sync::model_local! { static KEY: $ty = $init }
            $crate::sync::LocalKey::new(&KEY)
        };)*
    };
}
pub(crate) use thread_local_ as thread_local;

/// The methods that the standard library's key has and the model checker's has not.
pub(crate) struct LocalKey<T: 'static>(&'static ModelKey<T>);

impl<T> LocalKey<T> {
    pub(crate) const fn new(key: &'static ModelKey<T>) -> Self {
        Self(key)
    }

    pub(crate) fn with<R>(&'static self, look: impl FnOnce(&T) -> R) -> R {
        self.0.with(look)
    }

    /// The error is that the thread has ended.
    pub(crate) fn try_with<R>(&'static self, look: impl FnOnce(&T) -> R) -> Result<R, ()> {
        self.0.try_with(look).map_err(drop)
    }
}

impl<T> LocalKey<Cell<T>> {
    pub(crate) fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub(crate) fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub(crate) fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}
