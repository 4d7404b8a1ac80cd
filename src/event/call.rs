//! One call of one listener, whatever attempts it takes.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use once_cell::race::OnceBox;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{Addressee, Envelope, Events, Held, Turning};
use crate::sync::{AtomicBool, AtomicU32, Mutex, Ordering};

/// One call of one listener, whatever attempts it takes: what its deliveries share.
pub(crate) struct Call {
    pub(super) event: Arc<dyn Any + Send + Sync>,
    pub(super) event_type: &'static str,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) listener: Arc<Addressee>,
    /// The token of the first attempt, once somebody has asked for it.
    pub(super) token: OnceLock<CancellationToken>,
    /// How often the event was taken back from the dead letters for this listener.
    pub(super) redrives: u32,
    /// How many attempts there have been, if there was more than one.
    attempts: AtomicU32,
    /// The listener asked that nobody after it be called.
    stop: AtomicBool,
    /// What is left of the call is to go on in the background.
    deferred: AtomicBool,
    /// The call runs in the background already.
    in_background: AtomicBool,
    /// Somebody has taken its dead letter.
    letter_taken: AtomicBool,
    more: OnceBox<More>,
}

/// What few calls have. Behind a pointer, since every call is moved to its place.
#[derive(Default)]
struct More {
    /// The turn of the event's key, if the listener has an order of its own.
    turn: OnceLock<Turning>,
    /// What is to be emitted if the call succeeds.
    follow_ups: Mutex<Events>,
    /// The envelope as the listener sees it, if that is not the one that all share.
    seen: OnceLock<Arc<Envelope>>,
    /// The span of the call, for whoever tells what came of it.
    span: Mutex<Kept>,
}

/// A span that is kept for somebody.
#[derive(Default)]
enum Kept {
    /// Nobody asks for it.
    #[default]
    Not,
    Asked,
    Here(Span),
}

impl Call {
    pub(super) fn new<E: Any + Send + Sync>(
        event: Arc<E>,
        envelope: Arc<Envelope>,
        listener: Arc<Addressee>,
    ) -> Self {
        Self {
            event,
            event_type: std::any::type_name::<E>(),
            envelope,
            listener,
            token: OnceLock::new(),
            redrives: 0,
            attempts: AtomicU32::new(1),
            stop: AtomicBool::new(false),
            deferred: AtomicBool::new(false),
            in_background: AtomicBool::new(false),
            letter_taken: AtomicBool::new(false),
            more: OnceBox::new(),
        }
    }

    /// The same event for the same listener, once more.
    pub(super) fn redriven(&self) -> Self {
        Self {
            event: Arc::clone(&self.event),
            event_type: self.event_type,
            envelope: Arc::clone(&self.envelope),
            listener: Arc::clone(&self.listener),
            token: OnceLock::new(),
            redrives: self.redrives + 1,
            attempts: AtomicU32::new(1),
            stop: AtomicBool::new(false),
            deferred: AtomicBool::new(false),
            in_background: AtomicBool::new(true),
            letter_taken: AtomicBool::new(false),
            more: OnceBox::new(),
        }
    }

    /// The envelope, as the listener sees it.
    pub(super) fn seen(&self) -> &Arc<Envelope> {
        let seen = self.more.get().and_then(|more| more.seen.get());
        seen.unwrap_or(&self.envelope)
    }

    /// Says what the listener sees, unless it was said before.
    pub(super) fn set_seen(&self, envelope: Arc<Envelope>) {
        let _ = self.more.get_or_init(Box::default).seen.set(envelope);
    }

    pub(crate) fn set_turn(&self, turn: Turning) {
        let _ = self.more.get_or_init(Box::default).turn.set(turn);
    }

    /// Shares of the turns that the call is made in, of its emission and its own, for what goes on when the call does not.
    pub(crate) fn shares_of_turns(&self) -> [Option<Held>; 2] {
        let own = self.more.get().and_then(|more| more.turn.get()?.share());
        [self.envelope.turn.as_ref().and_then(Turning::share), own]
    }

    /// The listener's own word that nobody after it is to be called. The attempts of a call are made one after another, in one task at a time: these are no more than
    /// notes to the one who looks at the end.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn note_letter(&self) {
        self.listener.lettered();
        self.letter_taken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_letter_taken(&self) -> bool {
        self.letter_taken.load(Ordering::Relaxed)
    }

    /// Puts these in the place of what is to be emitted so far.
    pub(crate) fn set_follow_ups(&self, events: Events) {
        // What was there is dropped once the lock is released: it is the user's.
        let more = self.more.get_or_init(Box::default);
        let before = std::mem::replace(&mut *more.follow_ups.lock(), events);
        drop(before);
    }

    pub(crate) fn take_follow_ups(&self) -> Events {
        let more = self.more.get();
        more.map_or_else(Events::default, |more| {
            std::mem::take(&mut *more.follow_ups.lock())
        })
    }

    /// A further attempt begins.
    pub(crate) fn note_attempt(&self, attempt: u32) {
        self.listener.retried();
        self.attempts.store(attempt, Ordering::Relaxed);
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Asks whoever drives the call to hand what is left of it to the background. False if it is there.
    pub(crate) fn ask_to_defer(&self) -> bool {
        let may = !self.in_background.load(Ordering::Relaxed);
        self.deferred.store(may, Ordering::Relaxed);
        may
    }

    /// Whether it was asked for. Answered with yes once.
    pub(crate) fn take_deferral(&self) -> bool {
        self.deferred.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn is_in_background(&self) -> bool {
        self.in_background.load(Ordering::Relaxed)
    }

    /// Asks for the span of the call, beyond the end of that. Whoever asks takes it.
    pub(crate) fn ask_for_span(&self) {
        *self.more.get_or_init(Box::default).span.lock() = Kept::Asked;
    }

    /// The call has ended. A dead letter does not keep the span: nobody has asked then.
    pub(crate) fn leave_span(&self, span: &Span) {
        let Some(more) = self.more.get() else { return };
        let mut kept = more.span.lock();
        if let Kept::Asked = *kept {
            *kept = Kept::Here(span.clone());
        }
    }

    /// The span, if there was one.
    pub(crate) fn take_span(&self) -> Span {
        let kept = self
            .more
            .get()
            .map(|more| std::mem::take(&mut *more.span.lock()));
        match kept {
            Some(Kept::Here(span)) => span,
            _ => Span::none(),
        }
    }

    /// Says where the call runs from here on, or that there is no room for it in the background.
    pub(crate) fn stay(&self) {
        self.in_background.store(true, Ordering::Relaxed);
    }
}
