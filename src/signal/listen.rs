//! Registration with options.

use std::hash::Hash;
use std::marker::PhantomData;
use std::panic::Location;

use super::late::Late;
use super::{Batch, Derived, Signal};
use crate::event::Event;
use crate::layer::{Keyed, Layers, layer_methods};
use crate::listener::Filter;
use crate::registry::Rollout;

/// Registers one listener; everything is optional and by name. The last call, `on` or one of its siblings, says what is called.
///
/// # Examples
///
/// ```
/// use fanfare::Signal;
///
/// #[derive(Clone)]
/// struct OrderPlaced { total: u64 }
///
/// let placed = Signal::<OrderPlaced>::new();
/// let audit = placed
///     .listen()
///     .key("audit")                        // unique in the signal
///     .priority(10)                        // higher starts first
///     .stage(1)                            // stage 0 has finished before stage 1 starts
///     .filter(|order| order.total > 100)
///     .on(async |order| println!("{}", order.total))?;
/// assert_eq!(audit.key(), Some("audit"));
/// # Ok::<(), fanfare::RegisterError>(())
/// ```
#[must_use = "nothing is registered until `on` or one of its siblings is called"]
pub struct ListenBuilder<'a, E: Event, Takes = EventOnly> {
    pub(super) target: Target<'a, E>,
    pub(super) location: &'static Location<'static>,
    pub(super) key: Option<String>,
    pub(super) replace: bool,
    pub(super) priority: i32,
    pub(super) stage: u32,
    pub(super) times: Option<u64>,
    pub(super) once_means: Option<OnceMeans>,
    pub(super) filter: Option<Filter<E>>,
    pub(super) rollout: Option<Rollout<E>>,
    pub(super) late: Late,
    pub(super) layers: Layers,
    takes: PhantomData<Takes>,
}

/// The listener takes its event, and nothing else. See [`ListenBuilder`].
#[derive(Clone, Copy, Debug)]
pub struct EventOnly;

/// The listener takes its event and its [`Delivery`](crate::Delivery). [`ListenBuilder::with_delivery`] leads here.
#[derive(Clone, Copy, Debug)]
pub struct WithDelivery;

/// What `once` and `times` count for a listener that retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnceMeans {
    /// Events: the first attempt uses up the one call, and that event is tried again as the retry says.
    OneEvent,
    /// Attempts: there is one for each call, and no retry.
    OneAttempt,
}

pub(super) enum Target<'a, E: Event> {
    Signal(Signal<E>),
    Derived(Derived<E>),
    Batch(&'a Batch<E>),
}

impl<E: Event> Target<'_, E> {
    pub(super) fn signal(&self) -> &Signal<E> {
        match self {
            Self::Signal(signal) => signal,
            Self::Derived(derived) => derived.signal(),
            Self::Batch(batch) => batch.signal(),
        }
    }
}

impl<'a, E: Event> ListenBuilder<'a, E> {
    pub(super) fn new(target: Target<'a, E>, location: &'static Location<'static>) -> Self {
        Self {
            location,
            key: None,
            replace: false,
            priority: 0,
            stage: 0,
            times: None,
            once_means: None,
            filter: None,
            rollout: None,
            late: Late::default(),
            layers: target.signal().inner.layers.clone(),
            takes: PhantomData,
            target,
        }
    }

    pub(crate) fn of(signal: Signal<E>, location: &'static Location<'static>) -> Self {
        Self::new(Target::Signal(signal), location)
    }

    /// Gives the listener its [`Delivery`](crate::Delivery) beside the event: headers, ids, attempt, deadline, cancellation token.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.listen().with_delivery().key("audit").on(async |n, delivery| {
    ///     assert_eq!((n, delivery.attempt(), delivery.listener_key()), (7, 1, Some("audit")));
    /// })?;
    /// assert_eq!(signal.emit(7).await.delivered(), 1);
    /// # Ok(()) }
    /// ```
    pub fn with_delivery(self) -> ListenBuilder<'a, E, WithDelivery> {
        ListenBuilder {
            target: self.target,
            location: self.location,
            key: self.key,
            replace: self.replace,
            priority: self.priority,
            stage: self.stage,
            times: self.times,
            once_means: self.once_means,
            filter: self.filter,
            rollout: self.rollout,
            late: self.late,
            layers: self.layers,
            takes: PhantomData,
        }
    }
}

impl<E: Event, Takes> ListenBuilder<'_, E, Takes> {
    /// Names the listener. Unique in the signal, not empty. Default: no key; the listener does not show in `keys()`. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Takes the place of the listener that has the key, in one step: every emission calls the old one or the new one, none calls both or neither.
    /// Without such a listener it is an addition. The new one keeps the old one's place among those of equal stage and priority. Default: off.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// let signal = fanfare::Signal::<u32>::new();
    /// let old = signal.listen().key("price").on(async |_| {})?;
    /// signal.listen().key("price").replace().on(async |_| {})?;
    /// assert_eq!(signal.len(), 1);
    /// assert!(!old.remove()); // stale: the new one stays
    /// # Ok(()) }
    /// ```
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }

    /// Higher starts first; equal ones in the order of registration. Default: 0. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Every listener of a stage has finished before the next stage starts. Default: 0, the first. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn stage(mut self, stage: u32) -> Self {
        self.stage = stage;
        self
    }

    /// Calls the listener at most once, then removes it. The attempt counts, whatever comes of it. Default: no limit. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Calls the listener at most `n` times, then removes it. `n` is 1 or more. Default: no limit. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn times(mut self, n: u64) -> Self {
        self.times = Some(n);
        self
    }

    /// Says what [`once`](Self::once) and [`times`](Self::times) count for a listener that has a retry; without it such a listener is refused. Default: not said.
    ///
    /// ```
    /// use fanfare::{OnceMeans, Signal};
    /// use fanfare::layer::Retry;
    ///
    /// let signal = Signal::<u32>::new();
    /// assert!(signal.listen().once().retry(Retry::exponential()).on(async |_| {}).is_err());
    /// signal.listen().once().once_means(OnceMeans::OneEvent).retry(Retry::exponential()).on(async |_| {})?;
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn once_means(mut self, means: OnceMeans) -> Self {
        self.once_means = Some(means);
        self
    }

    /// Calls the listener only for events that `wanted` says yes to; the others are reported as skipped. It runs in the emitter's task, before a
    /// permit is taken; it should be quick. A panic in it is the listener's. Default: every event. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn filter(mut self, wanted: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Box::new(wanted));
        self
    }

    /// Delivers events to this listener in the order of their keys: the next event of a key when the one before it is done, with all its attempts, in the background too; events of
    /// different keys side by side, on [`lanes`](Self::lanes). For all listeners of a signal at once: [`SignalBuilder::keyed_by`](crate::SignalBuilder::keyed_by). Default: as
    /// emissions come.
    ///
    /// The order is that in which emissions come to call the listener. While it waits for its turn, a call holds no permit; its emission waits, for as long as the
    /// [`deadline`](Self::deadline) and its timeout let it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use std::time::Duration;
    /// use fanfare::Signal;
    /// use fanfare::layer::Retry;
    ///
    /// #[derive(Clone)]
    /// struct Booking { account: u32 }
    ///
    /// let bookings = Signal::<Booking>::new();
    /// bookings.listen().keyed_by(|booking| booking.account).lanes(8).retry(Retry::exponential()).on(async |_| {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    /// })?;
    /// let began = tokio::time::Instant::now();
    /// let emit = |account| bookings.emit(Booking { account });
    /// let _ = tokio::join!(emit(1), emit(1), emit(2)); // the second of account 1 waits for the first
    /// assert_eq!(began.elapsed(), Duration::from_secs(2));
    /// # Ok(()) }
    /// ```
    pub fn keyed_by<K: Hash>(mut self, key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        self.layers.slots().keyed = Some(Keyed::by(key));
        self
    }

    /// How many keys this listener works on at once where its events are [keyed](Self::keyed_by). A listener that sleeps before a retry holds none. Default: 64; from 1 to 65,536.
    pub fn lanes(mut self, keys: usize) -> Self {
        self.layers.slots().lanes = Some(keys);
        self
    }

    /// Calls the listener only for its side of the rollout; what is outside of that is reported as skipped. Asked after the filter, and before a permit is taken. The last one that is
    /// given is the one that counts. Default: every event. See [`Rollout`].
    pub fn rollout(mut self, rollout: &Rollout<E>) -> Self {
        self.rollout = Some(rollout.clone());
        self
    }

    layer_methods!();
}

impl<E: Event, Takes> std::fmt::Debug for ListenBuilder<'_, E, Takes> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenBuilder")
            .field("key", &self.key)
            .field("priority", &self.priority)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
