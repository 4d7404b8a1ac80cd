//! A value that is replaced as a whole, and who has an older one in hand.

use std::any::Any;
pub(crate) use std::sync::Arc as Shared;
use std::sync::Weak;

pub(crate) use arc_swap::{ArcSwap, Guard};

/// A value that may have been let go of.
pub(crate) type Old = Weak<dyn Any + Send + Sync>;

/// Follows a value without keeping it.
pub(crate) fn old<T: Send + Sync + 'static>(value: &Shared<T>) -> Old {
    let weak: Weak<T> = Shared::downgrade(value);
    weak
}
