//! What is called: the last step of a registration with options.

use std::future::{Future, ready};
use std::sync::Arc;

use tower_service::Service;

use super::{ListenBuilder, Subscription};
use crate::error::BoxError;
use crate::event::{Delivery, Event};
use crate::layer::{Attempt, event_of, leaf, on_thread, shared_event_of};
use crate::listener::{Kind, Listener, Payload, Step, callee};
use crate::outcome::IntoOutcome;
use crate::registry::RegisterError;

/// # What is called
impl<E: Event> ListenBuilder<'_, E> {
    /// Registers an async closure, an async fn, or a closure that returns a future. See [`Signal::on`](crate::Signal::on).
    ///
    /// # Errors
    ///
    /// [`RegisterError`], if the key is taken or an option makes no sense.
    pub fn on<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        if self.is_plain() {
            return self.register(Kind::Async, |_| callee::owned(listener));
        }
        let direct = listener.clone();
        let direct = move |event: &mut Payload<E>, last| direct.clone()(event.own(last));
        let call = move |d: &Delivery| listener.clone()(event_of::<E>(d).clone());
        self.register_traced(direct, leaf(call))
    }

    /// Registers an async closure that can fail: `?` works with no annotation. See [`Signal::try_on`](crate::Signal::try_on).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn try_on<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        if self.is_plain() {
            return self.register(Kind::Async, |_| callee::owned(listener));
        }
        let direct = listener.clone();
        let direct = move |event: &mut Payload<E>, last| direct.clone()(event.own(last));
        let call = move |d: &Delivery| listener.clone()(event_of::<E>(d).clone());
        self.register_traced(direct, leaf(call))
    }

    /// Registers a closure that borrows the event and runs in place. See [`Signal::on_sync`](crate::Signal::on_sync).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_sync<F, R>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: Fn(&E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        if self.is_plain() {
            let listener = move |event: &E| Step::from(listener(event).into_outcome());
            return self.register(Kind::Sync, |_| callee::borrowed(listener));
        }
        let listener = Arc::new(listener);
        let direct = Arc::clone(&listener);
        let direct = move |event: &mut Payload<E>, _| ready(direct(event.borrow()).into_outcome());
        let call = move |d: &Delivery| ready(listener(event_of::<E>(d)).into_outcome());
        self.register_traced(direct, leaf(call))
    }

    /// Registers an async closure that shares one `Arc` of the event with the others of its kind. See [`Signal::on_shared`](crate::Signal::on_shared).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_shared<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(Arc<E>) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        if self.is_plain() {
            return self.register(Kind::Shared, |_| callee::shared(listener));
        }
        let direct = listener.clone();
        let direct = move |event: &mut Payload<E>, _| direct.clone()(event.share());
        let call = move |d: &Delivery| listener.clone()(shared_event_of::<E>(d));
        self.register_traced(direct, leaf(call))
    }

    /// Registers a closure that blocks. See [`Signal::on_blocking`](crate::Signal::on_blocking).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_blocking<F, R>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: Fn(E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        if self.is_plain() {
            return self.register(Kind::Blocking, |_| callee::blocking(listener));
        }
        let listener = Arc::new(listener);
        self.register_layered(false, |keeper| {
            leaf(move |d: &Delivery| {
                let (listener, event) = (Arc::clone(&listener), event_of::<E>(d).clone());
                on_thread(&keeper, d, move || listener(event).into_outcome())
            })
        })
    }

    /// Registers a value that implements [`Listener`].
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn listener(self, listener: impl Listener<E>) -> Result<Subscription, RegisterError> {
        if self.is_plain() {
            return self.register(Kind::Async, |_| callee::listener(listener));
        }
        let listener = Arc::new(listener);
        let handle = move |event| {
            let listener = Arc::clone(&listener);
            async move { listener.handle(event).await.into_outcome() }
        };
        let direct = handle.clone();
        let direct = move |event: &mut Payload<E>, last| direct(event.own(last));
        let call = move |d: &Delivery| handle(event_of::<E>(d).clone());
        self.register_traced(direct, leaf(call))
    }

    /// Registers a `tower` service. See [`Signal::service`](crate::Signal::service).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn service<S>(self, service: S) -> Result<Subscription, RegisterError>
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.register_layered(true, |_| Attempt(service))
    }
}
