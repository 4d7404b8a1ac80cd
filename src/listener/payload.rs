//! The event of one emission.

use std::sync::Arc;

use crate::event::Envelope;

/// The event of one emission, given to each listener in the form that it takes.
pub(crate) struct Payload<E> {
    event: Form<E>,
    /// What the deliveries of the emission share, once there is anything.
    envelope: Option<Arc<Envelope>>,
}

enum Form<E> {
    Owned(E),
    /// At least one listener shares the event.
    Shared(Arc<E>),
    /// The last listener has taken it.
    Gone,
}

impl<E: Clone> Payload<E> {
    #[inline]
    pub(crate) fn new(event: E) -> Self {
        Self {
            event: Form::Owned(event),
            envelope: None,
        }
    }

    /// Some listener shares the event.
    pub(crate) fn share_from_now_on(&mut self) {
        if let Form::Owned(event) = std::mem::replace(&mut self.event, Form::Gone) {
            self.event = Form::Shared(Arc::new(event));
        }
    }

    #[inline]
    pub(crate) fn borrow(&self) -> &E {
        match &self.event {
            Form::Owned(event) => event,
            Form::Shared(event) => event,
            Form::Gone => gone(),
        }
    }

    /// An event to own: the event itself for the last listener, a clone for any other.
    #[inline]
    pub(crate) fn own(&mut self, last: bool) -> E {
        if !last {
            return self.borrow().clone();
        }
        match std::mem::replace(&mut self.event, Form::Gone) {
            Form::Owned(event) => event,
            Form::Shared(event) => Arc::unwrap_or_clone(event),
            Form::Gone => gone(),
        }
    }

    #[inline]
    pub(crate) fn share(&mut self) -> Arc<E> {
        match &self.event {
            Form::Shared(event) => Arc::clone(event),
            // A listener that shares has replaced one that did not, after the emission began.
            Form::Owned(_) | Form::Gone => Arc::new(self.borrow().clone()),
        }
    }

    /// The event for a task of its own: owned if the listener owns its event, else shared.
    pub(crate) fn split(&mut self, owned: bool, last: bool) -> Self {
        let event = if owned {
            Form::Owned(self.own(last))
        } else {
            Form::Shared(self.share())
        };
        let envelope = self.envelope.clone();
        Self { event, envelope }
    }

    /// What the deliveries of the emission share; made when it is first asked for.
    pub(crate) fn envelope(&mut self) -> &Arc<Envelope> {
        let make = || Arc::new(Envelope::new());
        self.envelope.get_or_insert_with(make)
    }

    /// The same, to write to.
    pub(crate) fn envelope_mut(&mut self) -> &mut Envelope {
        self.envelope();
        let envelope = self.envelope.as_mut().expect("made above");
        Arc::make_mut(envelope)
    }
}

#[cold]
fn gone() -> ! {
    unreachable!("the event is taken for the last listener only")
}
