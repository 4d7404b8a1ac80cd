//! Options of a signal.

use std::hash::Hash;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::buffering::Buffering;
use super::inner::OnDropped;
use super::{Inner, Signal, observe};
use crate::buffer::{DropReason, Overflow};
use crate::dispatch::{DeadEvents, Dispatch, Lifecycle, OnError, Options, Order, Timing};
use crate::error::OptionError;
use crate::event::Event;
use crate::keyed::EventKey;
use crate::layer::{Layers, RateLimit, layer_methods};
use crate::outcome::ReportEntry;
use crate::pool::Pool;
use crate::registry::Changed;
use crate::sync::Handle;

/// Options of a [`Signal`]. Each has a default and a limit; what makes no sense is refused by name in [`build`](Self::build).
///
/// [`Signal::builder`] shows how it is used.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct SignalBuilder<E: Event> {
    pub(crate) options: Options,
    layers: Layers,
    name: Option<String>,
    on_dropped: Vec<OnDropped<E>>,
    keyed: Option<EventKey<E>>,
    lanes: Option<usize>,
    pub(super) buffering: Buffering<E>,
    /// The pool is the signal's own, not that of its bus.
    own_pool: bool,
    emission_limit: Option<RateLimit>,
}

impl<E: Event> Default for SignalBuilder<E> {
    fn default() -> Self {
        Self::with_options(Options::default(), Layers::default())
    }
}

impl<E: Event> SignalBuilder<E> {
    pub(crate) fn with_options(options: Options, layers: Layers) -> Self {
        Self {
            options,
            layers,
            name: None,
            on_dropped: Vec::new(),
            keyed: None,
            lanes: None,
            buffering: Buffering::default(),
            own_pool: false,
            emission_limit: None,
        }
    }

    /// The signal's name in reports, errors and logs. Default: the event type's name. Not empty. See [`Signal::builder`](crate::Signal::builder).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How the listeners of an emission run. Default: [`Dispatch::Concurrent`] without a pool, [`Dispatch::Parallel`] with one.
    pub fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.options.dispatch = Some(dispatch);
        self
    }

    /// Runs the events in the order of their keys: the next event of a key begins when all listeners are done with the one before, and events of different keys run side by side, on
    /// [`lanes`](Self::lanes). Default: events run as they come.
    ///
    /// An `emit` waits for its turn and for its listeners; an `enqueue` for room. Order is that of the calls: of `emit`, of the first poll. A key with many events in the buffer stands
    /// behind the others again after each of them. What a listener does about an event, its retries included, is done before the next event of the key, in tasks, on threads and in the
    /// background too; other keys go on meanwhile. A listener that emits an event of its own key and waits for it would wait for itself:
    /// [`Rejection::WouldDeadlock`](crate::Rejection::WouldDeadlock).
    ///
    /// A key is kept as 128 bits of hash, and only while an event of it waits or runs. `key` runs in the caller's task and should be quick. Where it panics, `emit` reports the panic for
    /// each listener, and `enqueue` panics.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use std::time::Duration;
    /// use fanfare::Signal;
    ///
    /// #[derive(Clone)]
    /// struct Booking { account: u32, amount: i64 }
    ///
    /// let bookings = Signal::<Booking>::builder().keyed_by(|booking: &Booking| booking.account).lanes(8).build();
    /// bookings.try_on(async |booking| {
    ///     tokio::time::sleep(Duration::from_millis(booking.amount.unsigned_abs())).await;
    ///     Ok(())
    /// });
    /// for amount in [500, -20, 70] {
    ///     bookings.enqueue(Booking { account: 7, amount }).await.unwrap(); // one after another
    /// }
    /// assert!(bookings.shutdown(Duration::from_secs(1)).await.is_clean());
    /// # }
    /// ```
    pub fn keyed_by<K: Hash>(mut self, key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        self.keyed = Some(EventKey::of(key));
        self
    }

    /// How many keys run at once where events are [keyed](Self::keyed_by). A lane is a permit of a pool that is the signal's own: a listener that sleeps before a retry, or waits for an
    /// emission of its own, holds none. The [`buffer`](Self::buffer) is divided into as many parts, by the hash of the keys, so that a key with many events leaves room for those of
    /// the others; an event keeps its place until it is done. Default: 64, or the permits of the [`pool`](Self::pool) if there is one, which takes no lanes beside it; from 1 to
    /// 65,536. Changed at run time by [`Signal::resize_lanes`](crate::Signal::resize_lanes).
    pub fn lanes(mut self, keys: usize) -> Self {
        self.lanes = Some(keys);
        self
    }

    /// Which of two listeners of equal stage and priority is called first. Default: [`Order::Fifo`].
    pub fn order(mut self, order: Order) -> Self {
        self.options.order = order;
        self
    }

    /// What a failure means for the listeners that have not started. Default: [`OnError::Continue`].
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.options.on_error = on_error;
        self
    }

    /// Which listeners are timed. Default: [`Timing::Auto`].
    pub fn timing(mut self, timing: Timing) -> Self {
        self.options.timing = timing;
        self
    }

    /// Bounds how many listeners run at once; clones of one pool share the bound. Default: none. See [`Signal::builder`](crate::Signal::builder).
    pub fn pool(mut self, pool: Pool) -> Self {
        self.options.pool = Some(pool);
        self.own_pool = true;
        self
    }

    /// How many events `enqueue` may buffer, in each lane where there are [priorities](Self::priorities). Default: 1,024; from 1 to 16,777,216. See [`Signal::builder`](crate::Signal::builder).
    pub fn buffer(mut self, events: usize) -> Self {
        self.options.buffer = events;
        self
    }

    /// What happens when the buffer is full. Default: [`Overflow::Wait`]; a wait with a limit takes one above zero.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// How many buffered events are emitted at once. Default: 1, which keeps their order; from 1 to 65,536. See [`Signal::builder`](crate::Signal::builder).
    pub fn enqueue_concurrency(mut self, emissions: usize) -> Self {
        self.options.enqueue_concurrency = emissions;
        self
    }

    /// How many emissions of `emit_detached` may be under way. Default: 10,000; from 1 to 16,777,216. See [`Signal::builder`](crate::Signal::builder).
    pub fn max_detached(mut self, emissions: usize) -> Self {
        self.options.max_detached = emissions;
        self
    }

    /// How many listeners are expected: one more is logged once as a likely leak, and registered all the same. Default: 100; from 1. See [`Signal::builder`](crate::Signal::builder).
    pub fn max_listeners(mut self, listeners: usize) -> Self {
        self.options.max_listeners = listeners;
        self
    }

    /// How deep emissions may be nested, each awaited by a listener of the one before. Default: 64; from 1 to 1,024. Deep nesting needs stack:
    /// in-task listeners are polled inside one another. See [`Signal::builder`](crate::Signal::builder).
    pub fn recursion_limit(mut self, emissions: usize) -> Self {
        self.options.recursion_limit = emissions;
        self
    }

    /// Keeps the last `events` events for listeners that [ask for them](crate::ListenBuilder::replay), and for [`Signal::last`](crate::Signal::last) and
    /// [`history`](crate::Signal::history). Default: none; from 1 to 1,000,000.
    ///
    /// An event is kept from the call of `emit` on, or from when it is taken out of the buffer: whatever comes of its emission, and whether anybody listens. A signal that is closed keeps what it has, and no more.
    ///
    /// # Performance
    ///
    /// An emission clones its event, makes an `Arc` of that, and takes a lock that all emitters of the signal share.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// let signal = fanfare::Signal::<u32>::builder().replay(100).build();
    /// let _ = signal.emit(7).await;
    /// signal.listen().replay().on(async |n| println!("{n}"))?; // "7" is printed in the background
    /// # Ok(()) }
    /// ```
    pub fn replay(mut self, events: usize) -> Self {
        self.options.replay = Some(events);
        self
    }

    /// Keeps the last event: [`replay`](Self::replay) of one. Default: none is kept. See [`Signal::last`](crate::Signal::last).
    pub fn sticky(self) -> Self {
        self.replay(1)
    }

    /// Bounds how often the signal emits. An emission takes a token before its first listener starts; where there is none, it waits, or all its listeners are reported as rejected, as the
    /// [`RateLimit`] says. Default: no limit but that of the bus, which is asked after this one.
    ///
    /// The wait is a part of the emission: its deadline and its cancellation hold, it has no permit of a pool meanwhile, and [`Report::waited`](crate::Report::waited) says how long it was. Events of the buffer
    /// wait before the buffer's next one is taken, so that it fills up. An emission that nobody listens to takes no token, nor does a call with what its listener has [held](crate::Pause); a nested emission takes one.
    /// To bound one listener instead: [`ListenBuilder::rate_limit`](crate::ListenBuilder::rate_limit).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use std::time::Duration;
    /// use fanfare::Signal;
    /// use fanfare::layer::RateLimit;
    ///
    /// let signal = Signal::<u32>::builder().emission_limit(RateLimit::per_second(10).burst(1)).build();
    /// signal.on(async |_| {});
    /// assert_eq!(signal.emit(1).await.waited(), Duration::ZERO);
    /// assert_eq!(signal.emit(2).await.waited(), Duration::from_millis(100));
    /// # }
    /// ```
    pub fn emission_limit(mut self, limit: RateLimit) -> Self {
        self.emission_limit = Some(limit);
        self
    }

    /// Adds a callback for every listener that did not succeed. All callbacks are called, in order; one that panics does not stop the next. Default:
    /// none, and failures are logged instead.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::sync::Mutex;
    /// use std::sync::Arc;
    /// use fanfare::Signal;
    ///
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let sink = Arc::clone(&seen);
    /// let signal = Signal::<u32>::builder().on_failure(move |f| sink.lock().unwrap().push(f.to_string())).build();
    /// signal.listen().key("db").on(async |_| Err::<(), _>("down")).unwrap();
    /// let _ = signal.emit(1).await;
    /// assert_eq!(*seen.lock().unwrap(), ["`db` failed: down"]);
    /// # }
    /// ```
    pub fn on_failure(mut self, callback: impl Fn(&ReportEntry) + Send + Sync + 'static) -> Self {
        self.options.on_failure.push(Arc::new(callback));
        self
    }

    /// Adds a callback for whatever is changed at run time: listeners switched on and off, settings of their layers, a rollout, lanes. All callbacks are called, in order, by whoever makes
    /// the change, when it is made. Default: none; each change is logged at `info` in any case. See [`Changed`].
    pub fn on_change(mut self, callback: impl Fn(&Changed) + Send + Sync + 'static) -> Self {
        self.options.on_change.push(Arc::new(callback));
        self
    }

    /// Adds a callback for whatever listener comes or goes. Default: none. See [`Lifecycle`].
    ///
    /// All callbacks are called, in order, and one that panics does not stop the next. They see the changes in the order in which they were made, each once, when no lock is held: by whoever makes
    /// the change, the emission that uses up a [`once`](crate::ListenBuilder::once) included; or, if somebody is just telling of another change of the signal, by them, soon after. A change that a callback makes
    /// is told once that callback has returned. An emission costs no more for it.
    pub fn on_lifecycle(mut self, callback: impl Fn(&Lifecycle) + Send + Sync + 'static) -> Self {
        self.options.on_lifecycle.push(Arc::new(callback));
        self
    }

    /// Adds a callback that is given every event that the buffer drops, and why. Default: none; drops are counted in any case. See [`Signal::builder`](crate::Signal::builder).
    pub fn on_dropped(mut self, callback: impl Fn(E, DropReason) + Send + Sync + 'static) -> Self {
        self.on_dropped.push(Arc::new(callback));
        self
    }

    /// What happens to an event that nobody listens to. Default: [`DeadEvents::Ignore`].
    pub fn dead_events(mut self, policy: DeadEvents) -> Self {
        self.options.dead_events = policy;
        self
    }

    /// The runtime for buffered events, and for tasks of emissions. Default: the runtime of the call; for the buffer, of the first `enqueue`. See [`Signal::builder`](crate::Signal::builder).
    pub fn runtime(mut self, handle: Handle) -> Self {
        self.options.runtime = Some(handle);
        self
    }

    /// Cancels every emission, now and later, when the token fires. Default: none. See [`Signal::builder`](crate::Signal::builder).
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        self.options.token = Some(token);
        self
    }

    /// How many calls of listeners may go on in the background, waiting for a retry or redriven. Default: 1,000; from 1 to 16,777,216. See
    /// [`Retry::in_background`](crate::layer::Retry::in_background).
    pub fn max_background(mut self, calls: usize) -> Self {
        self.options.max_background = calls;
        self
    }

    /// Notes the time of every emission for the deliveries of its listeners, one reading of the clock. Default: only where a service, a listener with its delivery or a dead letter asks
    /// for it. See [`Delivery::emitted_at`](crate::Delivery::emitted_at).
    pub fn timestamps(mut self) -> Self {
        self.options.timestamps = true;
        self
    }

    layer_methods!();

    /// Makes the signal.
    ///
    /// # Panics
    ///
    /// Where [`try_build`](Self::try_build) returns an error.
    #[track_caller]
    pub fn build(self) -> Signal<E> {
        match self.try_build() {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes the signal, or says which option makes no sense.
    ///
    /// ```
    /// use fanfare::Signal;
    /// let error = Signal::<u32>::builder().buffer(0).try_build().unwrap_err();
    /// assert_eq!(error.to_string(), "option `buffer` cannot be 0: it takes 1 to 16,777,216 events");
    /// ```
    ///
    /// # Errors
    ///
    /// The first option whose value is outside its limits.
    pub fn try_build(self) -> Result<Signal<E>, OptionError> {
        self.options.check()?;
        self.layers.check()?;
        let mut options = self.options;
        if let Some(limit) = &self.emission_limit {
            limit.check()?;
            options.tolls.insert(0, limit.toll());
        }
        options.use_lanes(self.keyed.is_some(), self.lanes)?;
        self.buffering.check(self.keyed.is_some())?;
        let shape = self.buffering.shape(options.shape());
        let name = match self.name {
            Some(name) if name.is_empty() => {
                return Err(OptionError::new(
                    "name",
                    "\"\"",
                    "it takes text that is not empty",
                ));
            }
            Some(name) => name.into(),
            None => std::any::type_name::<E>().into(),
        };
        let pool = options.pool.clone().filter(|_| self.own_pool);
        let inner = Inner::new(
            name,
            options,
            self.layers,
            self.on_dropped,
            self.keyed,
            shape,
        );
        if let Some(pool) = pool {
            observe(&pool, inner.registry.home());
        }
        Ok(Signal { inner })
    }
}

/// For what stands above.
#[cfg(feature = "metrics")]
impl<E: Event> SignalBuilder<E> {
    pub(crate) fn options(&mut self) -> &mut Options {
        &mut self.options
    }
}

impl<E: Event> std::fmt::Debug for SignalBuilder<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignalBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
