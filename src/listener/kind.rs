//! The kinds of listeners.

use std::fmt;

/// How a listener takes its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An async closure, async fn or [`Listener`](crate::Listener) that owns its event.
    Async,
    /// An async closure that shares one `Arc` of the event with the others of its kind.
    Shared,
    /// A closure that borrows the event and runs in place.
    Sync,
    /// A closure that runs on the blocking pool.
    Blocking,
    /// A `tower` service.
    Service,
    /// The way on to the listeners of a signal that was derived from this one: see [`Derived`](crate::Derived).
    Derived,
}

impl Kind {
    /// Whether a call takes the event by value.
    pub(crate) fn owns(self) -> bool {
        matches!(self, Self::Async | Self::Blocking)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async => "async",
            Self::Shared => "shared",
            Self::Sync => "sync",
            Self::Blocking => "blocking",
            Self::Service => "service",
            Self::Derived => "derived",
        })
    }
}

/// Where the future of a call lives while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Storage {
    /// In the emission itself: no allocation for a call that does not suspend.
    InPlace,
    /// In a box, one allocation a call: the future is larger than 256 bytes, or more aligned than 16.
    Boxed,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InPlace => "in place",
            Self::Boxed => "boxed",
        })
    }
}
