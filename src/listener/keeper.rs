//! What a call behind layers may ask of its signal.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::clock::Instant;
use crate::event::{Delivery, Held};
use crate::outcome::{Cause, Skip, Verdict};
use crate::sync::Handle;

/// Waits for the turn of a key: its bits, and a share of the turn.
pub(crate) type NextTurn = Pin<Box<dyn Future<Output = (u64, Held)> + Send>>;

/// What is left of a call.
pub(crate) type Rest = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// Told why a call was no success, or that it was one.
pub(crate) type Ended = Box<dyn FnOnce(Option<Cause>) + Send>;

/// Ready when a shutdown begins.
pub(crate) type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a call behind layers may ask of its signal, whatever its event type.
pub(crate) trait Keeper: Send + Sync {
    /// The listener counts as running, and its signal as busy, until this is dropped. `None` if the listener is gone.
    fn hold(&self) -> Option<Box<dyn Any + Send>>;

    /// Runs what is left of the call of a delivery in the background, on a permit of the pool if there is one. Given back if there is no room or no runtime for it.
    fn run(&self, rest: Rest, delivery: &Delivery) -> Result<(), Rest>;

    /// The same for a call that no emission makes: it counts as one more, and `ended` is told of its end, unless it is cancelled.
    fn run_again(&self, rest: Rest, delivery: &Delivery, ended: Ended) -> Result<(), Rest>;

    /// Counts a call that no emission makes, which begins.
    fn begins_again(&self);

    /// Where blocking work goes.
    fn runtime(&self) -> Option<Handle>;

    /// Lets a call in that no emission makes, until this is dropped; or why it is not to be made. A signal that is shut down has removed its listeners, as far as this says.
    fn admit(&self) -> Result<Box<dyn Any + Send>, Skip>;

    /// Waits for the turn of an event that no emission delivers, where the signal's events run in the order of their keys. Runs user code: the key.
    fn turn(&self, delivery: &Delivery) -> Option<NextTurn>;

    /// Tells of a call on a thread, whose report has said already that it was given up.
    fn tell_late(&self, verdict: Verdict, began: Instant);

    /// Counts and tells of follow-up events that will not be emitted: how many, of which types, and why.
    fn lost_follow_ups(&self, events: usize, types: &str, why: &'static str);

    /// Tells of a call that has failed for good, with this, and was saved by its fallback.
    fn fell_back(&self, cause: &Cause);

    /// Ready when a shutdown of the signal begins. `None` if the signal is gone.
    fn closing(&self) -> Option<Closing>;

    /// Tells the observers of the signal that the circuit breaker of the listener was forced or reset by hand: from what, to what.
    fn breaker_told(&self, before: &str, after: &str);

    /// Calls the listener no more until it is enabled again.
    fn disable(&self);

    /// Calls the listener no more for so long.
    fn pause(&self, time: Duration);
}
