//! What the deliveries of one emission share.

use std::any::Any;
use std::sync::{Arc, Weak};

use tracing::Span;

use super::headers::{TRACEPARENT, TRACESTATE};
use super::{Delivery, Headers};
use crate::clock::Instant;
use crate::sync::unique_id;

/// The turn of a key that an emission has.
#[derive(Clone, Debug)]
pub(crate) struct Turning {
    /// The key, as bits.
    key: u64,
    turn: Weak<dyn Any + Send + Sync>,
}

impl Turning {
    pub(crate) fn new(key: u64, turn: &Held) -> Self {
        Self {
            key,
            turn: Arc::downgrade(turn),
        }
    }

    /// A share of the turn, unless it has ended.
    pub(crate) fn share(&self) -> Option<Held> {
        self.turn.upgrade()
    }
}

/// Something that is held for as long as anybody has a share of it: the turn of a key.
pub(crate) type Held = Arc<dyn Any + Send + Sync>;

/// Whether an emission has a span, once that is decided.
#[derive(Clone, Debug, Default)]
pub(crate) enum Traced {
    #[default]
    Undecided,
    No,
    /// The span, while the emission goes on. Weak: a dead letter that is kept does not keep the span open.
    Yes(Weak<Span>),
}

/// What the deliveries of one emission share, beside the event. There is none for an emission that no listener takes a delivery of.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    /// Unique in the process.
    pub(crate) id: u64,
    pub(crate) headers: Headers,
    /// The `tracestate` is that of the cause, and goes where the `traceparent` of the cause goes.
    inherits_state: bool,
    pub(crate) correlation: Option<Arc<str>>,
    pub(crate) causation: Option<Arc<str>>,
    /// When the emission began, if anybody has asked for it.
    pub(crate) emitted: Option<Instant>,
    /// When the emission ends, whatever is done by then.
    pub(crate) deadline: Option<Instant>,
    /// The turn of the event's key, where events run in the order of their keys. Weak: a dead letter that is kept does not keep the turn.
    pub(crate) turn: Option<Turning>,
    /// Nobody awaits its emission.
    pub(crate) unattended: bool,
    pub(crate) traced: Traced,
}

impl Default for Envelope {
    fn default() -> Self {
        Self {
            id: unique_id(),
            headers: Headers::default(),
            inherits_state: false,
            correlation: None,
            causation: None,
            emitted: None,
            deadline: None,
            turn: None,
            unattended: false,
            traced: Traced::Undecided,
        }
    }
}

impl Envelope {
    /// A share of the turn, for what goes on when the emission does not.
    pub(crate) fn share_of_turn(&self) -> Option<(u64, Held)> {
        let turning = self.turn.as_ref()?;
        Some((turning.key, turning.share()?))
    }

    /// The same, for a call that is made when the emission is over, with its deadline and its turn.
    pub(crate) fn for_later(self: Arc<Self>) -> Arc<Self> {
        if self.deadline.is_none() && self.turn.is_none() {
            return self;
        }
        let mut envelope = Arc::unwrap_or_clone(self);
        envelope.deadline = None;
        envelope.turn = None;
        Arc::new(envelope)
    }

    /// That the event was emitted because of another.
    pub(crate) fn caused_by(&mut self, cause: &Self) {
        let id: Arc<str> = cause.id.to_string().into();
        let root = cause.correlation.as_ref().unwrap_or(&id);
        self.correlation.get_or_insert_with(|| Arc::clone(root));
        self.causation.get_or_insert(id);
        if let Traced::Undecided = self.traced {
            self.traced = cause.traced.of_cause();
        }
        if self.headers.get(TRACEPARENT).is_none() {
            self.inherit_trace(&cause.headers);
        }
    }

    /// The two headers of a trace belong together, and say nothing if the first is not well formed.
    fn inherit_trace(&mut self, cause: &Headers) {
        let parent = cause.get(TRACEPARENT);
        let Some(parent) = parent.filter(|_| cause.traceparent().is_some()) else {
            return;
        };
        self.headers.insert(TRACEPARENT, parent);
        let state = cause.get(TRACESTATE);
        if let (Some(state), None) = (state, self.headers.get(TRACESTATE)) {
            self.headers.insert(TRACESTATE, state);
            self.inherits_state = true;
        }
    }

    /// Sets a header of the emission's own.
    pub(crate) fn set_header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        let is = |header: &str| name.eq_ignore_ascii_case(header);
        if self.inherits_state && (is(TRACEPARENT) || is(TRACESTATE)) {
            self.headers.remove(TRACESTATE);
            self.inherits_state = false;
        }
        self.headers.insert(name, value);
    }
}

impl Traced {
    /// The same for what is emitted because of it, without the span.
    fn of_cause(&self) -> Self {
        match self {
            Self::Yes(_) => Self::Yes(Weak::new()),
            Self::Undecided => Self::Undecided,
            Self::No => Self::No,
        }
    }
}

impl Delivery {
    /// What the deliveries of the emission share, as the listener of this one sees it.
    #[inline]
    pub(crate) fn envelope(&self) -> &Arc<Envelope> {
        self.call.seen()
    }

    /// Changes what the listener of this delivery sees, before it is called.
    pub(crate) fn show(&self, change: impl FnOnce(&mut Envelope)) {
        let mut envelope = Envelope::clone(self.envelope());
        change(&mut envelope);
        self.call.set_seen(Arc::new(envelope));
    }
}
