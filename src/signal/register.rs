//! Registration in one call.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tower_service::Service;

use super::{ListenBuilder, Signal, Subscription};
use crate::error::BoxError;
use crate::event::{Delivery, Event};
use crate::listener::Listener;
use crate::outcome::IntoOutcome;
use crate::registry::RegisterError;

/// # Registration
///
/// Each takes the event in its own way; the subscription that it returns may be dropped: the listener stays. A registration costs one copy of the
/// list, O(n).
impl<E: Event> Signal<E> {
    /// Starts the registration of a listener with options. See [`ListenBuilder`].
    ///
    /// # Performance
    ///
    /// A registration copies the list, O(n), and with a key the index of keys, under a lock that only other changes wait for.
    #[track_caller]
    pub fn listen(&self) -> ListenBuilder<'_, E> {
        ListenBuilder::of(self.clone(), Location::caller())
    }

    /// Registers an async closure, an async fn, or a closure that returns a future. It owns its event.
    ///
    /// The closure is cloned a call, so what it captures must be `Clone`: an `Arc` of the state. A closure's own mutable state is fresh at each call.
    /// What it may return is [`IntoOutcome`]'s to say.
    ///
    /// # Performance
    ///
    /// A call clones the closure and, for all listeners but the last, the event. Its future runs in a place of 256 bytes in the emission and is boxed, one
    /// allocation, if it is larger, or if it suspends after another of the same emission: see [`Storage`](crate::Storage).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<String>::new();
    /// signal.on(async |name| println!("hello, {name}"));
    /// assert_eq!(signal.emit("world".to_owned()).await.delivered(), 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `E` is a reference type: `async |e: &Order| ..` compiles with `E = &'static Order` and would never be called. If the layers that the listener inherits cannot stand around
    /// it: a dead letter that leads back to this very signal.
    #[track_caller]
    pub fn on<F, Fut>(&self, listener: F) -> Subscription
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        registered(self.listen().on(listener))
    }

    /// Registers an async closure that can fail: `?` works in it with no annotation, since its error type is [`BoxError`].
    ///
    /// # Performance
    ///
    /// As [`on`](Self::on); an error is an allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<String>::new();
    /// signal.try_on(async |text| {
    ///     let _number: u32 = text.parse()?;
    ///     Ok(())
    /// });
    /// assert_eq!(signal.emit("seven".to_owned()).await.failed(), 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn try_on<F, Fut>(&self, listener: F) -> Subscription
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        registered(self.listen().try_on(listener))
    }

    /// Registers a closure that borrows the event and runs in place: the cheapest listener. It must not block.
    ///
    /// # Performance
    ///
    /// A call allocates nothing of its own and clones nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<Vec<u8>>::new();
    /// signal.on_sync(|bytes| println!("{} bytes", bytes.len()));
    /// assert_eq!(signal.emit(vec![1, 2, 3]).await.delivered(), 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn on_sync<F, R>(&self, listener: F) -> Subscription
    where
        F: Fn(&E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        registered(self.listen().on_sync(listener))
    }

    /// Registers an async closure that is given an `Arc` of the event, for events that are dear to clone. The `Arc` is made once an emission.
    ///
    /// # Performance
    ///
    /// One allocation an emission for the `Arc`; a call clones the closure and the `Arc`. Otherwise as [`on`](Self::on).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<Vec<u8>>::new();
    /// signal.on_shared(async |bytes| println!("{} bytes", bytes.len()));
    /// signal.on_shared(async |bytes| println!("first: {:?}", bytes.first()));
    /// assert_eq!(signal.emit(vec![0; 1 << 20]).await.delivered(), 2); // no clone of the megabyte
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn on_shared<F, Fut>(&self, listener: F) -> Subscription
    where
        F: FnOnce(Arc<E>) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        registered(self.listen().on_shared(listener))
    }

    /// Registers a closure that blocks: it runs on tokio's blocking pool, and the emission waits for it.
    ///
    /// A thread cannot be cancelled. If nobody waits any more, because the emission was dropped or timed out, the report says cancelled, the thread
    /// runs to its end, and the listener counts as running, with its permit, until then. What came of it is told to the failure callbacks.
    ///
    /// # Performance
    ///
    /// A trip to a thread of the blocking pool and back; some allocations.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<String>::new();
    /// signal.on_blocking(|path| std::fs::metadata(path).map(drop));
    /// assert_eq!(signal.emit(".".to_owned()).await.delivered(), 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn on_blocking<F, R>(&self, listener: F) -> Subscription
    where
        F: Fn(E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        registered(self.listen().on_blocking(listener))
    }

    /// Registers a value that implements [`Listener`], where there is an example.
    ///
    /// # Performance
    ///
    /// As [`on`](Self::on), with an `Arc` cloned instead of the closure.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn listener(&self, listener: impl Listener<E>) -> Subscription {
        registered(self.listen().listener(listener))
    }

    /// Registers a `tower` service: it is cloned a call, driven to readiness, then called. [`Delivery`] has an example.
    ///
    /// # Performance
    ///
    /// One allocation an emission to share the event; a call clones the service. Otherwise as [`on`](Self::on).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn service<S>(&self, service: S) -> Subscription
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        registered(self.listen().service(service))
    }
}

/// A registration without options fails only for a type that nobody can emit, for layers that lead back here, and for events that have nowhere to go.
#[track_caller]
pub(super) fn registered(result: Result<Subscription, RegisterError>) -> Subscription {
    match result {
        Ok(subscription) => subscription,
        Err(error) => panic!("{error}"),
    }
}
