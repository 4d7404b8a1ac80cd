//! The turn of an emission, where the events of a signal run in the order of their keys.
//!
//! The turn is taken after the emission was let in and before its first listener starts, and ends when all of them have: those in tasks, on threads and in the background included, which hold a
//! share of it each.

use std::any::Any;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::buffer::{Keyed, Queued};
use crate::event::{Event, Held, Turning};
use crate::keyed::{Fingerprint, Turn};
use crate::listener::NextTurn;

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

/// The turn of one emission.
pub(super) enum Its<E: Event> {
    /// Nobody's turn is asked for.
    None,
    Waits(Turn<Queued<E>>),
    /// The last who drops it hands the turn on.
    Has(Fingerprint, Held),
}

impl<E: Event> Its<E> {
    pub(super) fn key(&self) -> Option<Fingerprint> {
        match self {
            Self::None => None,
            Self::Waits(turn) => Some(turn.key()),
            Self::Has(key, _) => Some(*key),
        }
    }

    /// A share of the turn, for a call that may go on when the emission does not.
    pub(super) fn share(&self) -> Option<&Held> {
        match self {
            Self::Has(_, turn) => Some(turn),
            _ => None,
        }
    }

    /// Ready when it is the emission's turn: with `Some` when that has just come to be.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Turning>> {
        let Self::Waits(turn) = self else {
            return Poll::Ready(None);
        };
        ready!(turn.poll(cx));
        let Self::Waits(turn) = std::mem::replace(self, Self::None) else {
            unreachable!("looked at above");
        };
        let key = turn.key();
        let turn: Held = Arc::new(turn);
        let turning = Turning::new(key.bits(), &turn);
        *self = Self::Has(key, turn);
        Poll::Ready(Some(turning))
    }
}
