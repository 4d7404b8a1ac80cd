//! The event of one emission.

use std::borrow::Cow;
use std::sync::Arc;

use crate::event::Envelope;

/// The event of one emission, given to each listener in the form that it takes.
pub(crate) enum Payload<E> {
    Owned(E),
    /// At least one listener shares the event, or there is something that travels beside it.
    Shared(Arc<E>, Option<Arc<Envelope>>),
    /// The last listener has taken it.
    Gone,
}

impl<E: Clone> Payload<E> {
    #[inline]
    pub(crate) fn new(event: E) -> Self {
        Self::Owned(event)
    }

    /// An event that was kept for later, with what travels beside it.
    pub(crate) fn kept(event: Arc<E>, envelope: Option<Arc<Envelope>>) -> Self {
        Self::Shared(event, envelope)
    }

    /// The event and what travels beside it, to keep for later. Runs no user code.
    pub(crate) fn keep(&mut self) -> (Arc<E>, Option<Arc<Envelope>>) {
        self.share_from_now_on();
        match self {
            Self::Shared(event, envelope) => (Arc::clone(event), envelope.clone()),
            Self::Owned(_) | Self::Gone => gone(),
        }
    }

    /// Some listener shares the event.
    pub(crate) fn share_from_now_on(&mut self) {
        if matches!(self, Self::Owned(_)) {
            if let Self::Owned(event) = std::mem::replace(self, Self::Gone) {
                *self = Self::Shared(Arc::new(event), None);
            }
        }
    }

    #[inline]
    pub(crate) fn borrow(&self) -> &E {
        match self {
            Self::Owned(event) => event,
            Self::Shared(event, _) => event,
            Self::Gone => gone(),
        }
    }

    /// An event to own: the event itself for the last listener, a clone for any other.
    #[inline]
    pub(crate) fn own(&mut self, last: bool) -> E {
        if !last {
            return self.borrow().clone();
        }
        match std::mem::replace(self, Self::Gone) {
            Self::Owned(event) => event,
            Self::Shared(event, _) => Arc::unwrap_or_clone(event),
            Self::Gone => gone(),
        }
    }

    /// The event to look at, and to own only if no listener after this one needs it and nobody shares it.
    pub(crate) fn lend(&mut self, last: bool) -> Cow<'_, E> {
        if last && matches!(self, Self::Owned(_)) {
            return Cow::Owned(self.own(true));
        }
        Cow::Borrowed(self.borrow())
    }

    #[inline]
    pub(crate) fn share(&mut self) -> Arc<E> {
        match self {
            Self::Shared(event, _) => Arc::clone(event),
            // A listener that shares has replaced one that did not, after the emission began.
            Self::Owned(_) | Self::Gone => Arc::new(self.borrow().clone()),
        }
    }

    /// The event for a task of its own: owned if the listener owns its event, else shared.
    pub(crate) fn split(&mut self, owned: bool, last: bool) -> Self {
        if owned {
            return Self::Owned(self.own(last));
        }
        let envelope = match self {
            Self::Shared(_, envelope) => envelope.clone(),
            Self::Owned(_) | Self::Gone => None,
        };
        Self::Shared(self.share(), envelope)
    }

    /// What the deliveries of the emission share; made when it is first asked for.
    pub(crate) fn envelope(&mut self) -> Arc<Envelope> {
        match self {
            Self::Shared(_, envelope) => Arc::clone(envelope.get_or_insert_default()),
            // As in `share`: what it would share it with has begun without one.
            Self::Owned(_) | Self::Gone => Arc::default(),
        }
    }

    /// The same, to write to: the event is shared from now on.
    pub(crate) fn envelope_mut(&mut self) -> &mut Envelope {
        self.share_from_now_on();
        match self {
            Self::Shared(_, envelope) => Arc::make_mut(envelope.get_or_insert_default()),
            Self::Owned(_) | Self::Gone => gone(),
        }
    }
}

#[cold]
fn gone() -> ! {
    unreachable!("the event is taken for the last listener only")
}
