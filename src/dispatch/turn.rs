//! What an emission waits for before its first listener starts: its turn, where the events of a signal run in the order of their keys, and then what it pays, where emissions are limited.
//!
//! The turn is taken after the emission was let in and before its first listener starts, and ends when all of them have: those in tasks, on threads and in the background included, which hold a
//! share of it each.

use std::any::Any;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::emission::State;
use crate::buffer::{Keyed, Queued};
use crate::clock::{self, Instant};
use crate::context::{Outer, has_turn};
use crate::event::{Event, Held, Turning};
use crate::keyed::{Fingerprint, Turn};
use crate::listener::{NextTurn, Payload, Toll, Waits};
use crate::metrics::Wait;
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
        if self.more().turn.has_turn() {
            return;
        }
        let key = match catch(|| keyed.key_of(self.payload.borrow())) {
            Ok(key) => key,
            Err(message) => return self.pass_over_rest(&Cause::Panicked(message)),
        };
        if has_turn(outer, key.bits()) {
            return self.reject(&Rejection::WouldDeadlock);
        }
        self.more().turn.ask(keyed.lines().turn(key));
    }

    /// Ready when the first listener may start.
    #[inline(never)]
    pub(super) fn poll_door(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_turn(cx));
        let core = self.core;
        let more = self.more.get_or_insert_default();
        let Some(toll) = more.turn.toll() else {
            return Poll::Ready(());
        };
        if let Err(cause) = ready!(toll.poll(cx, &core.options.tolls, &self.payload)) {
            self.pass_over_rest(&cause);
        }
        Poll::Ready(())
    }

    /// The emission is over: it hands its turn on, and notes how long it waited.
    pub(super) fn leave_door(&mut self) {
        let its = std::mem::replace(&mut self.more().turn, Its::NONE);
        if let Some(waited) = its.waited() {
            self.tally.waited(waited);
            let core = self.core;
            let meters = &core.home.meters;
            if meters.times(self.more().draw) {
                meters.waited(Wait::Limit, waited);
            }
        }
    }

    /// Ready when it is the emission's turn.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(turn) = ready!(self.more().turn.poll(cx)) {
            let core = self.core;
            let meters = &core.home.meters;
            let more = self.more();
            let waited = more.suspended && meters.times(more.draw);
            meters.arrived(Wait::Turn, more.draw.filter(|_| waited));
            if self.snapshot().deliveries != Deliveries::None {
                self.payload.envelope_mut().turn = Some(turn);
            }
        }
        Poll::Ready(())
    }
}

/// What one emission waits for before its first listener, if there is anything. Behind a pointer: most wait for nothing.
pub(super) struct Its<E: Event>(Option<Box<Door<E>>>);

/// Field order is drop order.
struct Door<E: Event> {
    paying: Option<Paying>,
    turn: Option<Stage<E>>,
}

enum Stage<E: Event> {
    Waits(Turn<Queued<E>>),
    /// The last who drops it hands the turn on.
    Has(Fingerprint, Held),
}

/// What an emission still has to pay.
#[derive(Default)]
pub(super) struct Paying {
    /// How many limits have let it through.
    paid: usize,
    waits: Option<Waits>,
    /// Since when it waits, or has waited.
    since: Option<Instant>,
    waited: Duration,
}

impl<E: Event> Its<E> {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn waiting(turn: Turn<Queued<E>>) -> Self {
        let mut its = Self::NONE;
        its.ask(turn);
        its
    }

    fn door(&mut self) -> &mut Door<E> {
        self.0.get_or_insert_with(|| {
            Box::new(Door {
                paying: None,
                turn: None,
            })
        })
    }

    fn ask(&mut self, turn: Turn<Queued<E>>) {
        self.door().turn = Some(Stage::Waits(turn));
    }

    /// It has to pay before its first listener.
    pub(super) fn owe(&mut self) {
        self.door().paying = Some(Paying::default());
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn stage(&self) -> Option<&Stage<E>> {
        self.0.as_ref()?.turn.as_ref()
    }

    fn has_turn(&self) -> bool {
        self.stage().is_some()
    }

    fn toll(&mut self) -> Option<&mut Paying> {
        self.0.as_mut()?.paying.as_mut()
    }

    /// How long it waited for what it paid, if it had to.
    fn waited(&self) -> Option<Duration> {
        let paying = self.0.as_ref()?.paying.as_ref()?;
        let waits = paying.since.map(clock::since);
        Some(paying.waited + waits.unwrap_or_default()).filter(|waited| !waited.is_zero())
    }

    /// The key, as a frame has it.
    #[inline]
    pub(super) fn bits(&self) -> u64 {
        match self.stage() {
            None => 0,
            Some(Stage::Waits(turn)) => turn.key().bits(),
            Some(Stage::Has(key, _)) => key.bits(),
        }
    }

    /// A share of the turn, for a call that may go on when the emission does not.
    #[inline]
    pub(super) fn share(&self) -> Option<&Held> {
        match self.stage()? {
            Stage::Has(_, turn) => Some(turn),
            Stage::Waits(_) => None,
        }
    }

    /// Ready when it is the emission's turn: with `Some` when that has just come to be.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Turning>> {
        let Some(door) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let Some(Stage::Waits(turn)) = &mut door.turn else {
            return Poll::Ready(None);
        };
        ready!(turn.poll(cx));
        let Some(Stage::Waits(turn)) = door.turn.take() else {
            unreachable!("looked at above");
        };
        let key = turn.key();
        let turn: Held = Arc::new(turn);
        let turning = Turning::new(key.bits(), &turn);
        door.turn = Some(Stage::Has(key, turn));
        Poll::Ready(Some(turning))
    }
}

impl Paying {
    /// Ready when all is paid, or with why the listeners are not to be called.
    fn poll<E: Event>(
        &mut self,
        cx: &mut Context<'_>,
        tolls: &[Arc<dyn Toll>],
        payload: &Payload<E>,
    ) -> Poll<Result<(), Cause>> {
        loop {
            if let Some(waits) = &mut self.waits {
                ready!(waits.as_mut().poll(cx));
                self.waits = None;
                let waited = self.since.take().map(|since| clock::now() - since);
                self.waited += waited.unwrap_or_default();
            }
            let Some(toll) = tolls.get(self.paid) else {
                return Poll::Ready(Ok(()));
            };
            self.paid += 1;
            match catch(|| toll.pay(payload.borrow())) {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(waits))) => {
                    (self.waits, self.since) = (Some(waits), Some(clock::now()));
                }
                Ok(Err(cause)) => return Poll::Ready(Err(cause)),
                Err(message) => return Poll::Ready(Err(Cause::Panicked(message))),
            }
        }
    }
}
