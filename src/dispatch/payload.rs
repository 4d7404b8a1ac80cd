//! The event of one emission.

use std::sync::Arc;

/// The event of one emission, given to each listener in the form that it takes.
pub(super) enum Payload<E> {
    Owned(E),
    /// At least one listener shares the event.
    Shared(Arc<E>),
    /// The last listener has taken it.
    Gone,
}

impl<E: Clone> Payload<E> {
    pub(super) fn new(event: E, shared: bool) -> Self {
        if shared {
            Self::Shared(Arc::new(event))
        } else {
            Self::Owned(event)
        }
    }

    pub(super) fn borrow(&self) -> &E {
        match self {
            Self::Owned(event) => event,
            Self::Shared(event) => event,
            Self::Gone => unreachable!("the event is taken for the last listener only"),
        }
    }

    /// An event to own: the event itself for the last listener, a clone for any other.
    pub(super) fn own(&mut self, last: bool) -> E {
        if !last {
            return self.borrow().clone();
        }
        match std::mem::replace(self, Self::Gone) {
            Self::Owned(event) => event,
            Self::Shared(event) => Arc::unwrap_or_clone(event),
            Self::Gone => unreachable!("the event is taken for the last listener only"),
        }
    }

    pub(super) fn share(&mut self) -> Arc<E> {
        match self {
            Self::Shared(event) => Arc::clone(event),
            // A listener that shares has replaced one that did not, after the emission began.
            Self::Owned(_) | Self::Gone => Arc::new(self.borrow().clone()),
        }
    }

    /// The event for a task of its own: owned if the listener owns its event, else shared.
    pub(super) fn split(&mut self, owned: bool, last: bool) -> Self {
        if owned {
            Self::Owned(self.own(last))
        } else {
            Self::Shared(self.share())
        }
    }
}
