//! The methods of a signal, on the bus: each finds its signal by the event's type.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tower_service::Service;

use super::Bus;
use crate::buffer::EnqueueError;
use crate::error::BoxError;
use crate::event::{Delivery, Event, IntoEvents, IntoFollowUps};
use crate::listener::Listener;
use crate::outcome::IntoOutcome;
use crate::signal::{Batches, IntoBatchOutcome, ListenBuilder, Ready, ReadyError, Subscription};

/// # Registration and sending
///
/// As on [`Signal`](crate::Signal), where each has its example; the signal is found, and made if need be, by the event's type.
///
/// # Performance
///
/// As there, and one look-up in a map without a lock. The first call for a type adds its signal to the map, under a lock that only other such calls wait for.
impl Bus {
    /// Starts the registration of a listener with options. See [`ListenBuilder`].
    #[track_caller]
    pub fn listen<E: Event>(&self) -> ListenBuilder<'static, E> {
        ListenBuilder::of(self.signal(), Location::caller())
    }

    /// Registers an async closure, an async fn, or a closure that returns a future. See [`Signal::on`](crate::Signal::on).
    ///
    /// # Panics
    ///
    /// If `E` is a reference type: `async |e: &Order| ..` compiles with `E = &'static Order` and would never be called.
    #[track_caller]
    pub fn on<E, F, Fut>(&self, listener: F) -> Subscription
    where
        E: Event,
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.signal().on(listener)
    }

    /// Registers an async closure that can fail: `?` works with no annotation. See [`Signal::try_on`](crate::Signal::try_on).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn try_on<E, F, Fut>(&self, listener: F) -> Subscription
    where
        E: Event,
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.signal().try_on(listener)
    }

    /// Registers a closure that borrows the event and runs in place. See [`Signal::on_sync`](crate::Signal::on_sync).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn on_sync<E, F, R>(&self, listener: F) -> Subscription
    where
        E: Event,
        F: Fn(&E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        self.signal().on_sync(listener)
    }

    /// Registers an async closure that is given an `Arc` of the event. See [`Signal::on_shared`](crate::Signal::on_shared).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn on_shared<E, F, Fut>(&self, listener: F) -> Subscription
    where
        E: Event,
        F: FnOnce(Arc<E>) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.signal().on_shared(listener)
    }

    /// Registers a closure that blocks. See [`Signal::on_blocking`](crate::Signal::on_blocking).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn on_blocking<E, F, R>(&self, listener: F) -> Subscription
    where
        E: Event,
        F: Fn(E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        self.signal().on_blocking(listener)
    }

    /// Registers an async closure of many events at once. See [`Signal::on_batch`](crate::Signal::on_batch).
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn on_batch<E, F, Fut>(&self, batches: Batches, listener: F) -> Subscription
    where
        E: Event,
        F: FnOnce(Vec<E>) -> Fut + Clone + Send + Sync + 'static, // fix: a `Vec` of the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoBatchOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.signal().on_batch(batches, listener)
    }

    /// Registers an async closure that returns events, which are emitted once it has succeeded. See [`Signal::follow`](crate::Signal::follow).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn follow<E, F, Fut, M>(&self, listener: F) -> Subscription
    where
        E: Event,
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoFollowUps<M>> + Send + 'static, // fix: return `One(event)`, or an `Option`, `Vec` or tuple of events; hold nothing that is not `Send` across an `.await`
    {
        self.signal().follow(listener)
    }

    /// Registers an async closure that returns events and can fail: `?` works with no annotation. See [`Signal::try_follow`](crate::Signal::try_follow).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn try_follow<E, F, Fut, R, M>(&self, listener: F) -> Subscription
    where
        E: Event,
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<R, BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
        R: IntoEvents<M>, // fix: return `Ok(One(event))`, or an `Option`, `Vec` or tuple of events
    {
        self.signal().try_follow(listener)
    }

    /// Registers a value that implements [`Listener`], where there is an example.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn listener<E: Event>(&self, listener: impl Listener<E>) -> Subscription {
        self.signal().listener(listener)
    }

    /// Registers a `tower` service for the events of type `E`. [`Delivery`] has an example.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn service<E, S>(&self, service: S) -> Subscription
    where
        E: Event,
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.signal::<E>().service(service)
    }

    /// Emits in a task of its own, and does not wait. See [`Signal::emit_detached`](crate::Signal::emit_detached).
    ///
    /// # Errors
    ///
    /// Gives the event back: see [`EnqueueError`].
    pub fn emit_detached<E: Event>(&self, event: E) -> Result<(), EnqueueError<E>> {
        self.signal().emit_detached(event)
    }

    /// Puts the event into the bounded buffer of its signal, and waits for room. See [`Signal::enqueue`](crate::Signal::enqueue).
    ///
    /// # Errors
    ///
    /// Gives the event back: see [`EnqueueError`].
    ///
    /// # Cancel safety
    ///
    /// As [`Signal::enqueue`](crate::Signal::enqueue).
    pub async fn enqueue<E: Event>(&self, event: E) -> Result<(), EnqueueError<E>> {
        self.signal().enqueue(event).await
    }

    /// Puts the event into the bounded buffer of its signal without waiting. See [`Signal::try_enqueue`](crate::Signal::try_enqueue).
    ///
    /// # Errors
    ///
    /// Gives the event back: see [`EnqueueError`].
    pub fn try_enqueue<E: Event>(&self, event: E) -> Result<(), EnqueueError<E>> {
        self.signal().try_enqueue(event)
    }

    /// Waits until the buffer of the signal has room and is not under pressure, and keeps that room. See [`Signal::ready`](crate::Signal::ready).
    ///
    /// # Errors
    ///
    /// See [`ReadyError`].
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, the room goes to whoever waits next.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = fanfare::Bus::new();
    /// bus.ready::<u32>().await?.enqueue(1)?;
    /// assert_eq!(bus.signal::<u32>().stats().enqueued(), 1);
    /// # Ok(()) }
    /// ```
    pub async fn ready<E: Event>(&self) -> Result<Ready<E>, ReadyError> {
        self.signal().ready().await
    }
}
