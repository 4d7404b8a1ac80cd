//! The twin of `swap.rs` for the model checkers: a lock where that has none, and a count of owners that they see.
//!
//! So arc-swap itself is taken to be right: that a guard is counted for whoever has swapped its value out, and that letting go of it is a release.

use std::ops::Deref;
use std::sync::Arc;

use super::{AtomicUsize, Mutex, Ordering, fence};

/// As the standard library's, with a modelled count.
pub(crate) struct Shared<T> {
    value: Arc<T>,
    owners: Arc<AtomicUsize>,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Arc::new(value),
            owners: Arc::new(AtomicUsize::new(1)),
        }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        self.owners.fetch_add(1, Ordering::Relaxed);
        Self {
            value: Arc::clone(&self.value),
            owners: Arc::clone(&self.owners),
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // As the standard library does it. The value is dropped with the last of `value`, which is this one then.
        if self.owners.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
        }
    }
}

pub(crate) struct ArcSwap<T>(Mutex<Shared<T>>);

impl<T> ArcSwap<T> {
    pub(crate) fn new(value: Shared<T>) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn load(&self) -> Guard<Shared<T>> {
        Guard(self.0.lock().clone())
    }

    pub(crate) fn swap(&self, value: Shared<T>) -> Shared<T> {
        std::mem::replace(&mut *self.0.lock(), value)
    }
}

pub(crate) struct Guard<T>(T);

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Clone)]
pub(crate) struct Old(Arc<AtomicUsize>);

impl Old {
    pub(crate) fn strong_count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) fn old<T>(value: &Shared<T>) -> Old {
    Old(Arc::clone(&value.owners))
}
