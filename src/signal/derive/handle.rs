//! The handle of a derived signal.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::combine::{combinators, made};
use super::node::Node;
use super::{Measure, OneOf, Upstream, Window, Windowed};
use crate::dispatch::Stats;
use crate::error::{BoxError, OptionError};
use crate::event::Event;
use crate::outcome::IntoOutcome;
use crate::registry::Metadata;
use crate::signal::listen::Target;
use crate::signal::stream::built;
use crate::signal::{Description, EventStream, ListenBuilder, Next, Signal, Subscription};
use crate::sync::Ordering;

/// A signal that is made from others: filtered, mapped, merged, put into windows. It can be listened to, and not emitted on. Cheap to clone; clones are the same signal.
///
/// It is lazy: while it has listeners, its source has one for it, and none otherwise. An awaited emission of the source waits for the listeners of what was derived from it; one that fails
/// makes the link to it [`Failed`](crate::Outcome::Failed), with an [`EmitError`](crate::EmitError) that names it.
///
/// When its last handle is dropped, its listeners hear nothing any more: keep it for as long as they are to hear. It keeps its source alive. To
/// [`clear`](Signal::clear) the source cuts it off too, until its next listener comes or one of its own goes.
///
/// It inherits the options of its source: mode, pool, failure callbacks; layers it does not, nor [how much is measured](crate::Metrics), which goes by the bus. A listener that fails is told to the failure callbacks of its own signal, and so is the link to
/// it of the source. In the source it shows as a listener of the kind [`Derived`](crate::Kind::Derived), at the place in the code where it was made.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::Signal;
///
/// #[derive(Clone)]
/// struct Order { id: u64, total: u64 }
///
/// let orders = Signal::<Order>::new();
/// let large = orders.filter(|order| order.total > 100).map(|order| order.id);
/// assert!(orders.is_empty()); // nobody listens to it yet
///
/// large.on(async |id| println!("order {id} is large"));
/// assert_eq!(orders.len(), 1); // filter and map are one listener
/// assert!(orders.emit(Order { id: 7, total: 120 }).await.is_ok());
///
/// drop(large);
/// assert!(orders.is_empty());
/// # }
/// ```
#[must_use = "a derived signal is released when it is dropped"]
pub struct Derived<E: Event> {
    pub(super) node: Arc<Node<E>>,
}

/// # Registration
impl<E: Event> Derived<E> {
    /// Starts the registration of a listener with options. See [`ListenBuilder`].
    #[track_caller]
    pub fn listen(&self) -> ListenBuilder<'_, E> {
        ListenBuilder::new(Target::Derived(self.clone()), Location::caller())
    }

    /// Registers an async closure, an async fn, or a closure that returns a future. See [`Signal::on`].
    ///
    /// # Panics
    ///
    /// As [`Signal::on`].
    #[track_caller]
    pub fn on<F, Fut>(&self, listener: F) -> Subscription
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.node.signal.on(listener)
    }

    /// Registers an async closure that can fail. See [`Signal::try_on`].
    ///
    /// # Panics
    ///
    /// As [`Signal::on`].
    #[track_caller]
    pub fn try_on<F, Fut>(&self, listener: F) -> Subscription
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.node.signal.try_on(listener)
    }

    /// Registers a closure that borrows the event and runs in place. See [`Signal::on_sync`].
    ///
    /// # Panics
    ///
    /// As [`Signal::on`].
    #[track_caller]
    pub fn on_sync<F, R>(&self, listener: F) -> Subscription
    where
        F: Fn(&E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        self.node.signal.on_sync(listener)
    }

    /// Registers an async closure that shares one `Arc` of the event with the others of its kind. See [`Signal::on_shared`].
    ///
    /// # Panics
    ///
    /// As [`Signal::on`].
    #[track_caller]
    pub fn on_shared<F, Fut>(&self, listener: F) -> Subscription
    where
        F: FnOnce(Arc<E>) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.node.signal.on_shared(listener)
    }

    /// Its events from now on, as a [`Stream`](futures_core::Stream), which keeps it. See [`Signal::stream`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use futures::StreamExt;
    ///
    /// let numbers = fanfare::Signal::<u32>::new();
    /// let mut even = numbers.filter(|n| n % 2 == 0).stream();
    /// for n in 1..=4 {
    ///     numbers.emit(n).await;
    /// }
    /// assert_eq!((even.next().await, even.next().await), (Some(2), Some(4)));
    /// drop(even);
    /// assert!(numbers.is_empty());
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`Signal::on`].
    #[track_caller]
    pub fn stream(&self) -> EventStream<E> {
        built(self.listen().stream())
    }

    /// The next event that `wanted` says yes to. See [`Signal::next`].
    ///
    /// # Panics
    ///
    /// As [`Signal::on`].
    #[track_caller]
    pub fn next(&self, wanted: impl Fn(&E) -> bool + Send + Sync + 'static) -> Next<E> {
        Next::of(self.listen().filter(wanted))
    }

    /// Removes the listener with this key. False if there is none. See [`Signal::remove`].
    pub fn remove(&self, key: &str) -> bool {
        self.node.signal.remove(key)
    }

    /// Removes every listener, and says how many there were. See [`Signal::clear`].
    pub fn clear(&self) -> usize {
        self.node.signal.clear()
    }
}

impl<E: Event> Derived<E> {
    pub(in crate::signal) fn signal(&self) -> &Signal<E> {
        &self.node.signal
    }
}

/// # Introspection
impl<E: Event> Derived<E> {
    /// Its name: that of its source and what it does, "orders.filter.map". See [`Derived`].
    pub fn name(&self) -> &str {
        self.node.signal.name()
    }

    /// How many listeners are registered. See [`Signal::len`].
    pub fn len(&self) -> usize {
        self.node.signal.len()
    }

    /// Whether nobody listens: then the source has no listener for it. See [`Signal::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.node.signal.is_empty()
    }

    /// The keys, in the order of calls. See [`Signal::keys`].
    pub fn keys(&self) -> Vec<String> {
        self.node.signal.keys()
    }

    /// What is known about every listener, in the order of calls. See [`Signal::listeners`].
    pub fn listeners(&self) -> Vec<Metadata> {
        self.node.signal.listeners()
    }

    /// What the signal has done: its emissions are the events that have come through. See [`Stats`].
    pub fn stats(&self) -> Stats {
        self.node.signal.stats()
    }

    /// How many events it has kept back: those that a throttle let go, that a debounce saw superseded, and that fell out of a window for want of room before any window had them. Always 0 for a
    /// signal that remembers nothing, a filter too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use std::time::Duration;
    ///
    /// let signal = fanfare::Signal::<u32>::new();
    /// let seldom = signal.throttle(Duration::from_secs(1));
    /// seldom.on(async |_| {});
    /// for n in 0..10 {
    ///     let _ = signal.emit(n).await;
    /// }
    /// assert_eq!((seldom.stats().emissions(), seldom.held_back()), (1, 9));
    /// # }
    /// ```
    pub fn held_back(&self) -> u64 {
        self.node.held_back.load(Ordering::Relaxed)
    }

    /// The options in effect, as text. See [`Description`].
    pub fn describe(&self) -> Description {
        self.node.signal.describe()
    }
}

impl<E: Event> Derived<E> {
    /// The signal that has its listeners.
    #[cfg(feature = "metrics")]
    pub(crate) fn inner_signal(&self) -> &Signal<E> {
        &self.node.signal
    }

    combinators!();

    fn upstream(&self) -> Upstream<E> {
        Upstream::from(self)
    }
}

impl<E: Event> Signal<E> {
    combinators!();

    fn upstream(&self) -> Upstream<E> {
        Upstream::from(self)
    }
}

impl<E: Event> Clone for Derived<E> {
    fn clone(&self) -> Self {
        Self {
            node: Arc::clone(&self.node),
        }
    }
}

impl<E: Event> fmt::Debug for Derived<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived")
            .field("name", &self.name())
            .field("listeners", &self.len())
            .finish_non_exhaustive()
    }
}
