//! What is called, for listeners that take their delivery too.

use std::future::{Future, ready};
use std::sync::Arc;

use super::listen::WithDelivery;
use super::{ListenBuilder, Subscription};
use crate::error::BoxError;
use crate::event::{Delivery, Event};
use crate::layer::{event_of, leaf, on_thread, shared_event_of};
use crate::outcome::IntoOutcome;
use crate::registry::RegisterError;

/// # What is called, with its delivery
impl<E: Event> ListenBuilder<'_, E, WithDelivery> {
    /// Registers an async closure, an async fn, or a closure that returns a future, of the event and its delivery. See [`Signal::on`](crate::Signal::on).
    ///
    /// # Errors
    ///
    /// [`RegisterError`], if the key is taken or an option makes no sense.
    pub fn on<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E, Delivery) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type and a `Delivery`; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        let call = move |d: &Delivery| listener.clone()(event_of::<E>(d).clone(), d.clone());
        self.register_layered(true, |_| leaf(call))
    }

    /// Registers an async closure that can fail: `?` works with no annotation. See [`Signal::try_on`](crate::Signal::try_on).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn try_on<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E, Delivery) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type and a `Delivery`; an `Arc` of what it captures
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.on(listener)
    }

    /// Registers a closure that borrows event and delivery and runs in place. See [`Signal::on_sync`](crate::Signal::on_sync).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_sync<F, R>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: Fn(&E, &Delivery) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        let listener = Arc::new(listener);
        let call = move |d: &Delivery| ready(listener(event_of::<E>(d), d).into_outcome());
        self.register_layered(true, |_| leaf(call))
    }

    /// Registers an async closure that shares the event with the others of its kind. See [`Signal::on_shared`](crate::Signal::on_shared).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_shared<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(Arc<E>, Delivery) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type and a `Delivery`; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        let call = move |d: &Delivery| listener.clone()(shared_event_of::<E>(d), d.clone());
        self.register_layered(true, |_| leaf(call))
    }

    /// Registers a closure that blocks. See [`Signal::on_blocking`](crate::Signal::on_blocking).
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_blocking<F, R>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: Fn(E, Delivery) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        let listener = Arc::new(listener);
        self.register_layered(true, |keeper| {
            leaf(move |d: &Delivery| {
                let (listener, own) = (Arc::clone(&listener), d.clone());
                let event = event_of::<E>(d).clone();
                on_thread(&keeper, d, move || listener(event, own).into_outcome())
            })
        })
    }
}
