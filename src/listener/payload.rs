//! The event of one emission.

use std::sync::Arc;

use crate::sync::unique_id;

/// The event of one emission, given to each listener in the form that it takes.
pub(crate) struct Payload<E> {
    event: Form<E>,
    /// The number that the deliveries of the emission share; zero while there is none.
    emission: u64,
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
            emission: 0,
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
        // A list without a listener that shares draws no number: it would be a write that all emitters share.
        let emission = match self.event {
            Form::Shared(_) => self.emission(),
            Form::Owned(_) | Form::Gone => self.emission,
        };
        let event = if owned {
            Form::Owned(self.own(last))
        } else {
            Form::Shared(self.share())
        };
        Self { event, emission }
    }

    /// The number of the emission, unique in the process; drawn when it is first asked for.
    pub(crate) fn emission(&mut self) -> u64 {
        if self.emission == 0 {
            self.emission = unique_id();
        }
        self.emission
    }
}

#[cold]
fn gone() -> ! {
    unreachable!("the event is taken for the last listener only")
}
