//! The handle.

use std::fmt;
use std::sync::Arc;

use super::Gate;
use super::dial::{Dial, side};
use super::share::{self, Turns};
use crate::error::OptionError;
use crate::event::Event;
use crate::registry::Home;
use crate::sync::unique_id;

/// A fraction of the events, which can be changed at run time: of their keys, or of the deliveries. [`ListenBuilder::rollout`](crate::ListenBuilder::rollout) gives it a listener, and
/// [`rest`](Self::rest) is the other side. Cheap to clone; the clones share the fraction.
///
/// **By key** a stable hash decides: a key stays on its side, in every process and in every version of this crate, for as long as the fraction is the same. A raised fraction only adds
/// keys, and a lowered one only takes some of those away. Which keys are the first is up to the [`salt`](Self::salt).
///
/// **An emission goes by the fraction that is set when `emit` is called**, and chooses once for all its listeners: of two that have the two sides of a rollout just one is called, also
/// while the fraction changes. What is passed over is reported as [`Skip::OutsideFraction`](crate::Skip::OutsideFraction), and uses up no `once`, permit or limit.
///
/// # Performance
///
/// A listener with a rollout, and those after it, are not called in the one pass over plain listeners but on the longer way that a `once` or a pool takes too; a choice is the key's
/// closure and a hash, once an emission. A change costs O(n) in each signal, as a registration does. What an emission is passed over by is an entry of its report, which is allocated.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use fanfare::{Bus, Rollout};
///
/// #[derive(Clone)]
/// struct OrderPlaced { customer: u64 }
///
/// let pricing = Rollout::by_key(0.0, |order: &OrderPlaced| order.customer.to_be_bytes()).salt("new-pricing");
/// let bus = Bus::new();
/// bus.listen::<OrderPlaced>().key("pricing-v1").rollout(&pricing.rest()).on(async |_| {})?;
/// bus.listen::<OrderPlaced>().key("pricing-v2").rollout(&pricing).on(async |_| {})?;
///
/// pricing.set(0.10)?; // a tenth of the customers
/// let report = bus.emit(OrderPlaced { customer: 7 }).await;
/// assert_eq!((report.delivered(), report.skipped()), (1, 1)); // one of the two
/// # Ok(()) }
/// ```
#[must_use = "a rollout does nothing until it is given to a listener"]
pub struct Rollout<E> {
    dial: Arc<Dial>,
    choice: Arc<Choice<E>>,
    rest: bool,
}

/// How it is chosen.
pub(super) struct Choice<E> {
    pub(super) id: u64,
    by: By<E>,
    seed: u64,
}

enum By<E> {
    Key(PointOf<E>),
    Turn(Turns),
}

/// Where the key of an event stands, with a seed.
type PointOf<E> = Arc<dyn Fn(&E, u64) -> u64 + Send + Sync>;

impl<E: Event> Rollout<E> {
    /// A fraction of the keys, from 0.0 to 1.0: 0.01 is 1%. Another one is refused when a listener is registered with it.
    ///
    /// The closure gives the bytes of an event's key that are hashed: write numbers as bytes in one order (`to_be_bytes`), so that every machine agrees. It runs in the emitter's task and
    /// should be quick; a panic in it is the listener's, of both sides. At 0 and at 1 it is not asked.
    ///
    /// A key is in if `siphash13(key: (siphash13(key: (0, 0), salt), 0), bytes) < fraction * 2^64`, so that a service in another language can choose the same. Not for secrets: the keys of
    /// the hash are known, so who can choose a key can choose its side.
    pub fn by_key<K>(fraction: f64, key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self
    where
        K: AsRef<[u8]>,
    {
        Self::new(Dial::new(fraction, ""), by_key(key))
    }

    /// A fraction of the deliveries, whatever their keys, spread evenly: of n emissions it takes n times the fraction, give or take one. 0.0 to 1.0; another fraction is refused when a
    /// listener is registered with it.
    ///
    /// For what has no key, or where a customer may see both: a load test of a new listener, a sample. Of 5% it is each twentieth, so events that come in a pattern may always meet the same
    /// side: take a [`by_key`](Self::by_key) over an id of the event then. All clones count together; the [`salt`](Self::salt) says where the count begins.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::{Rollout, Signal};
    ///
    /// let signal = Signal::<u32>::new();
    /// let sample = Rollout::of_deliveries(0.05);
    /// let sub = signal.listen().rollout(&sample).on(async |_| {})?;
    /// for n in 0..1_000 {
    ///     let _ = signal.emit(n).await;
    /// }
    /// assert_eq!(sub.metadata().calls(), 50);
    /// # Ok(()) }
    /// ```
    pub fn of_deliveries(fraction: f64) -> Self {
        let dial = Dial::new(fraction, "");
        let turns = Turns::new(dial.seed);
        Self::new(dial, By::Turn(turns))
    }

    /// The same rollout for another event type, by the key that this gives: the same fraction, salt and side, and one `set` for all. Keys of equal bytes are on the same side in both.
    ///
    /// ```
    /// use fanfare::Rollout;
    ///
    /// #[derive(Clone)]
    /// struct Placed { customer: u64 }
    /// #[derive(Clone)]
    /// struct Returned { of_customer: u64 }
    ///
    /// let placed = Rollout::by_key(0.01, |placed: &Placed| placed.customer.to_be_bytes()).salt("new-pricing");
    /// let returned = placed.with_key(|returned: &Returned| returned.of_customer.to_be_bytes());
    /// placed.set(0.10)?;
    /// assert_eq!(returned.fraction(), 0.10);
    /// # Ok::<(), fanfare::OptionError>(())
    /// ```
    pub fn with_key<F, K>(&self, key: impl Fn(&F) -> K + Send + Sync + 'static) -> Rollout<F>
    where
        F: Event,
        K: AsRef<[u8]>,
    {
        let rest = self.rest;
        let other = Rollout::new(Arc::clone(&self.dial), by_key(key));
        Rollout { rest, ..other }
    }

    /// Says which keys are the first. Two rollouts of the same salt take in the same keys first, so that the same customers meet every new thing; those of different salts choose
    /// independently. Not for [`of_deliveries`](Self::of_deliveries), of which two with the same fraction keep in step. It makes a new rollout: call it before this one is used. Default: the empty text.
    ///
    /// See [`Rollout`](crate::Rollout).
    pub fn salt(self, salt: impl AsRef<str>) -> Self {
        let dial = Dial::new(self.dial.fraction(), salt.as_ref());
        let by = match &self.choice.by {
            By::Key(point_of) => By::Key(Arc::clone(point_of)),
            By::Turn(_) => By::Turn(Turns::new(dial.seed)),
        };
        let rest = self.rest;
        Self {
            rest,
            ..Self::new(dial, by)
        }
    }

    fn new(dial: Arc<Dial>, by: By<E>) -> Self {
        Self {
            choice: Arc::new(Choice {
                id: unique_id(),
                by,
                seed: dial.seed,
            }),
            dial,
            rest: false,
        }
    }

    /// What stands before a listener of the signal that has this home.
    pub(crate) fn gate(&self, home: &Arc<Home>) -> Result<Gate<E>, OptionError> {
        share::check(self.dial.fraction())?;
        Ok(Gate::new(self.clone(), self.dial.place(home)))
    }
}

impl<E> Rollout<E> {
    /// The other side: for each emission, a listener with this or one with that is called, and never both. Its fraction is what is left of one. The rest of the rest is the rollout again.
    ///
    /// See [`Rollout`](crate::Rollout).
    pub fn rest(&self) -> Self {
        Self {
            rest: !self.rest,
            ..self.clone()
        }
    }

    /// The fraction that is set now: of the rest, what is left of one. See [`Rollout`](crate::Rollout).
    pub fn fraction(&self) -> f64 {
        side(self.dial.fraction(), self.rest)
    }

    /// Changes the fraction, of the rest that of the rest. Emissions that are made after it returns go by the new one; those that were made before go by the old one, also where they have
    /// not come to the listener yet. The observers ([`on_change`](crate::SignalBuilder::on_change)) are told of each listener with the rollout: "1% -> 10%".
    ///
    /// Of two threads that set it at the same time, one is the last for all signals. A signal remembers the last 1,024 changes, for emissions that were made before them.
    ///
    /// O(n) in each signal that has a listener with the rollout.
    ///
    /// # Errors
    ///
    /// [`OptionError`] if it is not from 0.0 to 1.0. Nothing is changed then.
    pub fn set(&self, fraction: f64) -> Result<(), OptionError> {
        let fraction = share::check(fraction)?;
        self.dial.set(side(fraction, self.rest));
        Ok(())
    }

    pub(super) fn is_rest(&self) -> bool {
        self.rest
    }

    pub(super) fn choice(&self) -> &Choice<E> {
        &self.choice
    }
}

impl<E> Choice<E> {
    /// Where the key of this event stands, if it is chosen by key.
    pub(super) fn point(&self, event: &E) -> Option<u64> {
        match &self.by {
            By::Key(point_of) => Some(point_of(event, self.seed)),
            By::Turn(_) => None,
        }
    }

    pub(super) fn takes(&self, fraction: f64, point: Option<u64>) -> bool {
        match &self.by {
            By::Key(_) => share::takes(fraction, point.unwrap_or_default()),
            By::Turn(turns) => turns.next(fraction),
        }
    }
}

fn by_key<E, K>(key: impl Fn(&E) -> K + Send + Sync + 'static) -> By<E>
where
    K: AsRef<[u8]>,
{
    By::Key(Arc::new(move |event, seed| {
        share::point(seed, key(event).as_ref())
    }))
}

impl<E> Clone for Rollout<E> {
    fn clone(&self) -> Self {
        Self {
            dial: Arc::clone(&self.dial),
            choice: Arc::clone(&self.choice),
            rest: self.rest,
        }
    }
}

/// "1% by key (salt `new-pricing`)", "the other 99% by key (salt `new-pricing`)".
impl<E> fmt::Display for Rollout<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let the_other = if self.rest { "the other " } else { "" };
        let percent = share::percent(self.fraction());
        let by = match &self.choice.by {
            By::Key(_) => "by key",
            By::Turn(_) => "of deliveries",
        };
        write!(f, "{the_other}{percent} {by}")?;
        match &*self.dial.salt {
            "" => Ok(()),
            salt => write!(f, " (salt `{salt}`)"),
        }
    }
}

impl<E> fmt::Debug for Rollout<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rollout({self})")
    }
}
