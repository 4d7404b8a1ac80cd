//! The handle.

#[cfg(feature = "metrics")]
use std::any::Any;
use std::fmt;
use std::future::ready;
#[cfg(feature = "metrics")]
use std::sync::OnceLock;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::BusBuilder;
use super::map::Map;
use crate::dispatch::{Core, Emit, Options, Stats};
use crate::event::{Erased, Event};
use crate::layer::{ChangeError, Layers};
use crate::listener::{AnyEmission, Onward};
#[cfg(feature = "metrics")]
use crate::metrics::Board;
#[cfg(feature = "metrics")]
use crate::pool::Pool;
use crate::registry::{Home, Metadata};
use crate::signal::{
    AnySignal, Description, Inner, Shutdown, Signal, Subscription, Teller, resize, shutdown,
    tell_of_begin, tell_of_end,
};

/// All signals of a service, found by event type. Cheap to clone; clones are the same bus.
///
/// A bus without a pool runs listeners in the emitter's task. With [`pool`](BusBuilder::pool), every emission dispatches to a `JoinSet` under the pool's
/// semaphore. It works outside a runtime and in a `static`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::EmitError> {
/// use fanfare::Bus;
///
/// #[derive(Clone)]
/// struct OrderPlaced { id: u64 }
///
/// let bus = Bus::new();
/// bus.on(async |order: OrderPlaced| println!("order {}", order.id));
/// bus.emit(OrderPlaced { id: 7 }).await.into_result()?;
/// # Ok(()) }
/// ```
///
/// In a `static`:
///
/// ```
/// use std::sync::LazyLock;
/// use fanfare::Bus;
///
/// static BUS: LazyLock<Bus> = LazyLock::new(Bus::new);
/// BUS.on(async |n: u32| println!("{n}"));
/// BUS.try_enqueue(1_u32).unwrap(); // outside a runtime: delivered when a call is made inside one
/// ```
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Shared>,
}

pub(super) struct Shared {
    signals: Map,
    options: Options,
    layers: Layers,
    /// Counts the events of types that have no signal, speaks for them, and is closed with the bus.
    unknown: Arc<Core>,
    /// What the floor above has seen of it when it last looked how it does.
    #[cfg(feature = "metrics")]
    looked_at: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Onward for Shared {
    fn emit(&self, event: Erased) -> AnyEmission {
        match self.signals.get_any(event.type_id()) {
            Some(signal) => signal.emit_any(event),
            None => Box::pin(ready(self.unknown.unknown_event(event.event_type))),
        }
    }
}

impl Bus {
    /// Makes a bus with the default options: no pool, listeners run in the emitter's task. See [`Bus`](crate::Bus).
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Starts a bus with options. They are the defaults of its signals; [`BusBuilder::signal`] sets those of one signal.
    ///
    /// ```
    /// use fanfare::{Bus, Pool};
    /// let bus = Bus::builder().pool(Pool::new(64)).buffer(10_000).build();
    /// # drop(bus);
    /// ```
    pub fn builder() -> BusBuilder {
        BusBuilder::new()
    }

    pub(super) fn with_options(options: Options, layers: Layers, name: Arc<str>) -> Self {
        let home = Arc::new(Home::new(name, options.meters()));
        home.set_observers(options.on_change.clone());
        let pool = options.pool.clone();
        let bus = Self {
            inner: Arc::new(Shared {
                signals: Map::new(),
                unknown: Arc::new(Core::new(&home, "", options.clone())),
                options,
                layers,
                #[cfg(feature = "metrics")]
                looked_at: OnceLock::new(),
            }),
        };
        if let Some(pool) = pool {
            bus.follow_pool(&pool);
        }
        bus
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.inner.unknown.home
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn looked_at(&self) -> &OnceLock<Box<dyn Any + Send + Sync>> {
        &self.inner.looked_at
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn board(&self) -> &Board {
        &self.inner.options.board
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn signals(&self) -> Vec<Arc<dyn AnySignal>> {
        self.inner.signals.all()
    }

    /// The pool of the bus, if it was given one.
    #[cfg(feature = "metrics")]
    pub(crate) fn pool(&self) -> Option<&Pool> {
        self.inner.options.pool.as_ref()
    }

    /// The signal of one event type, if there is one.
    pub(super) fn signal_if_any<E: Event>(&self) -> Option<Signal<E>> {
        let inner = self.inner.signals.get()?;
        Some(Signal { inner })
    }

    /// The signal of one event type, made if there is none. Keep the handle where events are emitted often: it saves the look-up.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let bus = fanfare::Bus::new();
    /// let numbers = bus.signal::<u32>();
    /// numbers.on(async |_| {});
    /// assert_eq!(bus.emit(7_u32).await.delivered(), 1);
    /// # }
    /// ```
    pub fn signal<E: Event>(&self) -> Signal<E> {
        Signal {
            inner: self.signal_or(|| {
                Signal::with_checked(self.inner.options.clone(), self.inner.layers.clone())
            }),
        }
    }

    pub(super) fn signal_or<E: Event>(&self, make: impl FnOnce() -> Signal<E>) -> Arc<Inner<E>> {
        let signal = self.inner.signals.get_or_add(|| {
            let signal = make();
            signal.inner.set_onward(self.onward());
            signal
        });
        // Shutdown closes first and then looks for signals: one that it did not find is closed here.
        if self.is_closed() {
            signal.close();
        }
        if self.inner.unknown.ended.has_fired() {
            signal.core.ended.fire();
        }
        signal
    }

    /// Where the events of its signals may lead.
    pub(super) fn onward(&self) -> Weak<dyn Onward> {
        let bus: Weak<Shared> = Arc::downgrade(&self.inner);
        bus
    }

    /// Calls the listeners of the event's type that are registered now, and waits until all of them have finished. See [`Signal::emit`].
    ///
    /// # Performance
    ///
    /// [`Signal::emit`] and one look-up in a map, without a lock. A type that nobody has listened to makes no signal and allocates nothing.
    #[inline(always)]
    pub fn emit<E: Event>(&self, event: E) -> Emit<'_, E> {
        match self.inner.signals.find().or_else(|| self.find_or_keep()) {
            Some(signal) => signal.emit(event),
            None => Emit::new(&self.inner.unknown, None, event),
        }
    }

    /// The signal of a type that has none yet, if it is to keep its events: there are to be listeners that come late.
    #[cold]
    fn find_or_keep<E: Event>(&self) -> Option<&Inner<E>> {
        self.inner.options.replay?;
        drop(self.signal::<E>());
        self.inner.signals.find()
    }

    /// Shuts every signal down, with one limit for all. See [`Signal::shutdown`].
    ///
    /// # Cancel safety
    ///
    /// Intake stays closed if it is dropped; call it again to wait on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// let bus = fanfare::Bus::new();
    /// bus.on(async |_: u32| tokio::time::sleep(Duration::from_millis(5)).await);
    /// bus.emit_detached(1_u32).unwrap();
    /// let left = bus.shutdown(Duration::from_secs(10)).await;
    /// assert!(left.is_clean(), "{left}");
    /// # }
    /// ```
    pub async fn shutdown(&self, limit: Duration) -> Shutdown {
        let unknown = &self.inner.unknown;
        if unknown.gate.close(&unknown.home) {
            tell_of_begin(&unknown.home);
        }
        let left = shutdown(self.inner.signals.all(), limit, Teller::Together).await;
        // In this order: a signal that is made meanwhile is found here, or finds that it has ended.
        unknown.ended.fire();
        for signal in self.inner.signals.all() {
            signal.core().ended.fire();
        }
        tell_of_end(&unknown.home, &left);
        left
    }

    /// A handle that does not keep the bus alive.
    ///
    /// A listener that captures its own bus keeps the bus, and so itself, alive for ever. For a bus that lives as long as the service that is
    /// well; for one that comes and goes, capture this, or [`clear`](Self::clear) the bus at its end.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let bus = fanfare::Bus::new();
    /// let weak = bus.downgrade();
    /// bus.on(async move |n: u32| {
    ///     if let Some(bus) = weak.upgrade() {
    ///         bus.emit(n.to_string()).await;
    ///     }
    /// });
    /// bus.on(async |text: String| assert_eq!(text, "7"));
    /// assert!(bus.emit(7_u32).await.is_ok());
    /// let weak = bus.downgrade();
    /// drop(bus);
    /// assert!(weak.upgrade().is_none());
    /// # }
    /// ```
    pub fn downgrade(&self) -> WeakBus {
        WeakBus {
            inner: Arc::downgrade(&self.inner),
        }
    }

    /// Whether [`shutdown`](Self::shutdown) has been called.
    pub fn is_closed(&self) -> bool {
        self.inner.unknown.gate.is_closed()
    }

    /// Changes the number of permits of the bus's pool, as [`Pool::resize`](crate::Pool::resize) does, and tells the observers of the bus, once. A signal that was given a pool of its own keeps that
    /// as it is.
    ///
    /// # Errors
    ///
    /// [`ChangeError`], if there is no pool, or the size makes no sense.
    ///
    /// ```
    /// let bus = fanfare::Bus::builder().pool(fanfare::Pool::new(8)).build();
    /// bus.resize_pool(32)?;
    /// assert_eq!(bus.resize_pool(0).unwrap_err().to_string(), "option `pool` cannot be 0: it takes 1 to 1,048,576 permits");
    /// # Ok::<(), fanfare::layer::ChangeError>(())
    /// ```
    pub fn resize_pool(&self, size: usize) -> Result<(), ChangeError> {
        resize(
            self.inner.options.pool.as_ref(),
            size,
            &self.inner.unknown.home,
        )
    }

    /// How many listeners all signals have together. See [`Bus`](crate::Bus).
    pub fn len(&self) -> usize {
        self.inner
            .signals
            .all()
            .iter()
            .map(|signal| signal.len())
            .sum()
    }

    /// Whether nobody listens to anything. See [`Bus`](crate::Bus).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known about every listener of every signal, by signal name and then in the order of calls. See [`Metadata`].
    ///
    /// ```
    /// let bus = fanfare::Bus::new();
    /// bus.listen::<u32>().key("audit").on(async |_| {})?;
    /// let listeners = bus.listeners();
    /// assert_eq!((listeners[0].signal(), listeners[0].key()), ("u32", Some("audit")));
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn listeners(&self) -> Vec<Metadata> {
        self.inner
            .signals
            .all()
            .iter()
            .flat_map(|signal| signal.metadata())
            .collect()
    }

    /// The handles of the listeners with this key, one of each signal that has it, by signal name: to switch them off and on where their event types are not known.
    /// [`Signal::subscription`] has that of one signal.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use fanfare::{Bus, Pause};
    ///
    /// let bus = Bus::new();
    /// bus.listen::<u32>().key("audit").on(async |_| {})?;
    /// bus.listen::<String>().key("audit").on(async |_| {})?;
    /// for audit in bus.subscriptions("audit") {
    ///     audit.pause(Pause::until_resumed().buffer(1_000))?;
    /// }
    /// assert!(bus.listeners().iter().all(|audit| audit.switched_off().is_some()));
    /// # Ok(()) }
    /// ```
    pub fn subscriptions(&self, key: &str) -> Vec<Subscription> {
        let signals = self.inner.signals.all();
        let found = signals.iter().filter_map(|signal| signal.subscription(key));
        found.collect()
    }

    /// Signal name and key of every listener that has a key. [`Signal::keys`] has those of one signal.
    pub fn keys(&self) -> Vec<(String, String)> {
        let listeners = self.listeners();
        let keyed = listeners
            .iter()
            .filter_map(|one| Some((one.signal(), one.key()?)));
        keyed
            .map(|(signal, key)| (signal.to_owned(), key.to_owned()))
            .collect()
    }

    /// The options of every signal in effect. See [`Description`].
    pub fn describe(&self) -> Vec<Description> {
        self.inner
            .signals
            .all()
            .iter()
            .map(|signal| signal.describe())
            .collect()
    }

    /// What all signals have done together, and the events that no signal was there for: as if the bus were one signal. See [`Stats`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let bus = fanfare::Bus::new();
    /// bus.on(async |_: u32| {});
    /// bus.emit(1_u32).await;
    /// bus.emit("nobody listens").await;
    /// assert_eq!((bus.stats().emissions(), bus.stats().dead()), (2, 1));
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        let signals = self.inner.signals.all();
        let unknown = self.inner.unknown.stats();
        signals
            .iter()
            .fold(unknown, |sum, signal| sum.plus(&signal.core().stats()))
    }

    /// How many events were emitted whose type no listener has ever been registered for. See [`Bus`](crate::Bus).
    pub fn unknown_events(&self) -> u64 {
        self.inner.unknown.stats().dead()
    }

    /// Removes every listener of every signal, and says how many there were. See [`Signal::clear`].
    pub fn clear(&self) -> usize {
        self.inner
            .signals
            .all()
            .iter()
            .map(|signal| signal.clear())
            .sum()
    }
}

/// A handle that does not keep its bus alive, for listeners that emit on their own bus. [`Bus::downgrade`] makes it.
#[derive(Clone)]
pub struct WeakBus {
    pub(super) inner: Weak<Shared>,
}

impl WeakBus {
    /// The bus, if a [`Bus`] handle still lives.
    pub fn upgrade(&self) -> Option<Bus> {
        let inner = self.inner.upgrade()?;
        Some(Bus { inner })
    }
}

impl fmt::Debug for WeakBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakBus").finish_non_exhaustive()
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("name", &self.inner.unknown.name)
            .field("listeners", &self.len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
