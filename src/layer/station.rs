//! A listener with its whole stack, as the dispatcher calls it.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use tower::ServiceExt as _;
use tower::util::Oneshot;

use super::follow::FollowUps;
use super::live::{Cells, Told};
use super::policy::Failure;
use super::{BoxListener, Change, ChangeError, Decision, FailurePolicy, Place};
use crate::context::{in_turn, without_permit};
use crate::error::BoxError;
use crate::event::{Addressee, Delivery, Event, Held};
use crate::listener::{
    Call, Callee, Keeper, Kind, Onward, Payload, Rest, Slot, Stacked, Step, Storage,
};
use crate::outcome::{Cause, Skip, Verdict, catch};

/// A listener with its whole stack.
pub(crate) struct Station {
    pub(super) service: BoxListener,
    pub(super) addressee: Arc<Addressee>,
    pub(super) policy: FailurePolicy,
    pub(super) keeper: Arc<dyn Keeper>,
    /// What is around the listener, outermost first.
    pub(super) stack: Vec<(Option<Place>, String)>,
    pub(super) live: Cells,
    /// Some layer or the listener asks for the time of the emission.
    pub(super) wants_time: bool,
    /// Where follow-up events are emitted, if the listener or a layer has some.
    pub(super) onward: Option<Weak<dyn Onward>>,
}

impl Station {
    /// A call of the listener.
    fn drive(self: &Arc<Self>, delivery: Delivery) -> Drive {
        Drive {
            state: State::Here(self.service.clone().oneshot(delivery.clone())),
            turn: None,
            station: Arc::clone(self),
            delivery,
        }
    }

    /// Changes settings of its layers, all that are named or none.
    pub(crate) fn change(&self, change: Change) -> Result<Vec<Told>, ChangeError> {
        self.live.change(change, &self.policy)
    }

    /// What is around the listener now, outermost first.
    fn words(&self) -> Arc<[String]> {
        let now = |(place, words): &(Option<Place>, String)| {
            let live = place.and_then(|place| Some(place.with(&self.live.words(place)?)));
            live.unwrap_or_else(|| words.clone())
        };
        self.stack.iter().map(now).collect()
    }

    /// What a call comes to that ended with this error.
    fn conclude(&self, error: BoxError, delivery: &Delivery) -> Verdict {
        let delivery = delivery.latest();
        self.carry_out(self.policy.decide(&Failure::new(&error, &delivery)));
        Verdict::not(Cause::of(error))
    }

    /// Does what is decided about the listener itself.
    pub(super) fn carry_out(&self, decision: Option<Decision>) {
        match decision {
            Some(Decision::Disable) => self.keeper.disable(),
            Some(Decision::Pause(time)) => self.keeper.pause(time),
            _ => {}
        }
    }
}

/// A station in the list of a signal.
pub(crate) struct Layered(pub(crate) Arc<Station>);

impl<E: Event> Callee<E> for Layered {
    fn kind(&self) -> Kind {
        Kind::Service
    }

    fn storage(&self) -> Option<Storage> {
        Some(Slot::storage_of::<Drive>())
    }

    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step {
        let delivery = delivery_of(call.payload, &self.0.addressee);
        slot.start(self.0.drive(delivery), cx)
    }

    fn wants_time(&self) -> bool {
        self.0.wants_time
    }

    fn stack(&self) -> Option<Stacked> {
        let ledger = self.0.addressee.ledger();
        Some(Stacked {
            words: self.0.words(),
            retries: ledger.retries(),
            dead_letters: ledger.dead_letters(),
            breakers: self.0.live.breakers(),
        })
    }

    fn station(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(&*self.0)
    }
}

/// The first delivery of an event to one listener.
fn delivery_of<E: Event>(payload: &mut Payload<E>, to: &Arc<Addressee>) -> Delivery {
    let envelope = payload.envelope();
    Delivery::first(payload.share(), envelope, Arc::clone(to))
}

/// One call of a station.
struct Drive {
    state: State,
    station: Arc<Station>,
    delivery: Delivery,
    /// The turn of the event's key, when it goes on without the emission that has it.
    turn: Option<Box<(u64, Held)>>,
}

enum State {
    Here(Oneshot<BoxListener, Delivery>),
    /// It has succeeded, and what it has returned is emitted.
    Following(Box<FollowUps>),
    /// It was offered to the background, which had no room for it.
    Back(Rest),
    Gone,
}

impl Future for Drive {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        let this = &mut *self;
        let polled = match &mut this.state {
            State::Here(service) => {
                in_own_turn(this.turn.as_deref(), || Pin::new(service).poll(cx))
            }
            State::Following(events) => {
                return in_own_turn(this.turn.as_deref(), || events.poll(&this.delivery, cx));
            }
            State::Back(rest) => return rest.as_mut().poll(cx),
            State::Gone => unreachable!("polled after it was ready"),
        };
        let call = this.delivery.call();
        match polled {
            Poll::Ready(Ok(())) if this.station.onward.is_some() => this.follow(cx),
            Poll::Ready(Ok(())) if call.is_asked_to_stop() => Poll::Ready(Verdict::stop()),
            Poll::Ready(Ok(())) => Poll::Ready(Verdict::done()),
            Poll::Ready(Err(error)) => Poll::Ready(this.station.conclude(error, &this.delivery)),
            Poll::Pending if call.take_deferral() => {
                call.stay();
                let rest = Self {
                    state: std::mem::replace(&mut this.state, State::Gone),
                    station: Arc::clone(&this.station),
                    delivery: this.delivery.clone(),
                    turn: this.delivery.envelope().share_of_turn().map(Box::new),
                };
                match this.station.keeper.run(Box::pin(rest), &this.delivery) {
                    Ok(()) => Poll::Ready(Verdict::not(Cause::Deferred)),
                    Err(rest) => {
                        // It has asked to be polled again.
                        this.state = State::Back(rest);
                        Poll::Pending
                    }
                }
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drive {
    /// The whole stack has succeeded: what the listener has returned is emitted, as a part of the call.
    fn follow(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        let mut events = FollowUps::of(&self.station, &self.delivery);
        let polled = in_own_turn(self.turn.as_deref(), || events.poll(&self.delivery, cx));
        if polled.is_pending() {
            self.state = State::Following(Box::new(events));
        }
        polled
    }
}

/// Runs `code` in the turn that a call has apart from its emission, if it has one.
fn in_own_turn<R>(turn: Option<&(u64, Held)>, code: impl FnOnce() -> R) -> R {
    match turn {
        Some((key, _)) => in_turn(*key, code),
        None => code(),
    }
}

/// A way back to a listener, for an event that was given up.
pub(super) type WayBack = Weak<Station>;

/// Why an event that was given up did not come back to its listener.
pub(super) enum NotBack {
    Not(Skip),
    NoRoom,
}

/// What came of an event that did.
pub(super) struct CameBack {
    /// Why it was no success, if it was none.
    pub(super) cause: Option<Cause>,
    /// That made a new letter, which somebody has taken.
    pub(super) letter: bool,
}

impl Station {
    /// Calls the listener once more with an event that was given up, in the background. What comes of it is told to `done`.
    pub(super) fn call_again(
        self: &Arc<Self>,
        delivery: &Delivery,
        done: impl FnOnce(CameBack) + Send + 'static,
    ) -> Result<(), NotBack> {
        let admitted = self.keeper.admit().map_err(NotBack::Not)?;
        let delivery = delivery.redriven();
        let call = Arc::clone(delivery.call());
        let mut drive = self.drive(delivery.clone());
        let rest = async move {
            let next = catch(|| drive.station.keeper.turn(&drive.delivery));
            if let Ok(Some(next)) = next {
                drive.turn = Some(Box::new(without_permit(next).await));
            }
            drive.station.keeper.begins_again();
            drive.await
        };
        let ended = move |cause| {
            done(CameBack {
                cause,
                letter: call.is_letter_taken(),
            });
        };
        let run = self
            .keeper
            .run_again(Box::pin(rest), &delivery, Box::new(ended));
        drop(admitted);
        run.map_err(|_| NotBack::NoRoom)
    }
}
