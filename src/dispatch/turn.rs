//! The turn of an emission, where the events of a signal run in the order of their keys.
//!
//! The turn is taken after the emission was let in and before its first listener starts, and ends when all of them have: those in tasks, on threads and in the background included, which hold a
//! share of it each.

use std::any::Any;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::emission::State;
use crate::buffer::{Keyed, Queued};
use crate::context::{Outer, has_turn};
use crate::event::{Event, Held, Turning};
use crate::keyed::{Fingerprint, Turn};
use crate::listener::NextTurn;
use crate::outcome::{Cause, Rejection, catch};
use crate::registry::Deliveries;

/// The turns of a signal, whatever its event type.
pub(crate) trait AnyKeyed: Send + Sync {
    fn as_any(&self) -> &dyn Any;

    /// Waits for the turn of an event that is delivered once more. `None` if it is of another type.
    fn turn_of(&self, event: &dyn Any) -> Option<NextTurn>;
}

impl<E: Event> AnyKeyed for Keyed<E> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn turn_of(&self, event: &dyn Any) -> Option<NextTurn> {
        let key = self.key_of(event.downcast_ref()?);
        let mut turn = self.lines().turn(key);
        Some(Box::pin(async move {
            poll_fn(|cx| turn.poll(cx)).await;
            (turn.key().bits(), Arc::new(turn) as Held)
        }))
    }
}

impl<E: Event> State<'_, E> {
    /// Stands in the line of the event's key, unless the emission has its turn already.
    #[inline(never)]
    pub(super) fn ask_for_turn(&mut self, outer: Outer<'_>, keyed: &Keyed<E>) {
        if !self.more().turn.is_none() {
            return;
        }
        let key = match catch(|| keyed.key_of(self.payload.borrow())) {
            Ok(key) => key,
            Err(message) => return self.pass_over_rest(&Cause::Panicked(message)),
        };
        if has_turn(outer, key.bits()) {
            return self.reject(&Rejection::WouldDeadlock);
        }
        self.more().turn = Its::waiting(keyed.lines().turn(key));
    }

    /// Ready when it is the emission's turn.
    #[inline(never)]
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(turn) = ready!(self.more().turn.poll(cx)) {
            if self.snapshot().deliveries != Deliveries::None {
                self.payload.envelope_mut().turn = Some(turn);
            }
        }
        Poll::Ready(())
    }
}

/// The turn of one emission, if it asks for one. Behind a pointer: most do not.
pub(super) struct Its<E: Event>(Option<Box<Stage<E>>>);

enum Stage<E: Event> {
    Waits(Turn<Queued<E>>),
    /// The last who drops it hands the turn on.
    Has(Fingerprint, Held),
}

impl<E: Event> Its<E> {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn waiting(turn: Turn<Queued<E>>) -> Self {
        Self(Some(Box::new(Stage::Waits(turn))))
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The key, as a frame has it.
    #[inline]
    pub(super) fn bits(&self) -> u64 {
        match self.0.as_deref() {
            None => 0,
            Some(Stage::Waits(turn)) => turn.key().bits(),
            Some(Stage::Has(key, _)) => key.bits(),
        }
    }

    /// A share of the turn, for a call that may go on when the emission does not.
    #[inline]
    pub(super) fn share(&self) -> Option<&Held> {
        match self.0.as_deref()? {
            Stage::Has(_, turn) => Some(turn),
            Stage::Waits(_) => None,
        }
    }

    /// Ready when it is the emission's turn: with `Some` when that has just come to be.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Turning>> {
        let Some(Stage::Waits(turn)) = self.0.as_deref_mut() else {
            return Poll::Ready(None);
        };
        ready!(turn.poll(cx));
        let Some(Stage::Waits(turn)) = self.0.take().map(|state| *state) else {
            unreachable!("looked at above");
        };
        let key = turn.key();
        let turn: Held = Arc::new(turn);
        let turning = Turning::new(key.bits(), &turn);
        self.0 = Some(Box::new(Stage::Has(key, turn)));
        Poll::Ready(Some(turning))
    }
}
