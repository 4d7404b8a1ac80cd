//! The erased forms of listeners.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tower::ServiceExt as _;
use tower_service::Service;

use super::{Kind, Listener, Slot};
use crate::error::BoxError;
use crate::event::{Delivery, Event};
use crate::outcome::{IntoOutcome, Verdict};

/// Says whether a listener wants an event.
pub(crate) type Filter<E> = Box<dyn Fn(&E) -> bool + Send + Sync>;

/// A listener that blocks. Shared, since its thread can outlive its registration.
pub(crate) type Blocked<E> = Arc<dyn Fn(E) -> Verdict + Send + Sync>;

/// A listener as the dispatcher calls it. Each form says what it needs of the event, so that the dispatcher clones only for those that own theirs.
pub(crate) enum Callee<E> {
    Owned(Box<dyn Fn(E) -> Slot + Send + Sync>),
    Shared(Box<dyn Fn(Arc<E>) -> Slot + Send + Sync>),
    Borrowed(Box<dyn Fn(&E) -> Verdict + Send + Sync>),
    Blocking(Blocked<E>),
    Service(Box<dyn Fn(Delivery) -> Slot + Send + Sync>),
}

impl<E: Event> Callee<E> {
    pub(crate) fn owned<F, Fut>(listener: F) -> Self
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        Self::Owned(Box::new(move |event| Slot::start(listener.clone()(event))))
    }

    pub(crate) fn shared<F, Fut>(listener: F) -> Self
    where
        F: FnOnce(Arc<E>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        Self::Shared(Box::new(move |event| Slot::start(listener.clone()(event))))
    }

    pub(crate) fn borrowed<F, R>(listener: F) -> Self
    where
        F: Fn(&E) -> R + Send + Sync + 'static,
        R: IntoOutcome,
    {
        Self::Borrowed(Box::new(move |event| listener(event).into_outcome()))
    }

    pub(crate) fn blocking<F, R>(listener: F) -> Self
    where
        F: Fn(E) -> R + Send + Sync + 'static,
        R: IntoOutcome,
    {
        Self::Blocking(Arc::new(move |event| listener(event).into_outcome()))
    }

    pub(crate) fn listener<L: Listener<E>>(listener: L) -> Self {
        let listener = Arc::new(listener);
        Self::Owned(Box::new(move |event| {
            let listener = Arc::clone(&listener);
            Slot::start(async move { listener.handle(event).await.into_outcome() })
        }))
    }

    /// A `tower` service is cloned a call, driven to readiness, and called: `oneshot` is the one place that honours `poll_ready`.
    pub(crate) fn service<S>(service: S) -> Self
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self::Service(Box::new(move |delivery| {
            Slot::start(
                service
                    .clone()
                    .oneshot(delivery)
                    .map(IntoOutcome::into_outcome),
            )
        }))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Owned(_) => Kind::Async,
            Self::Shared(_) => Kind::Shared,
            Self::Borrowed(_) => Kind::Sync,
            Self::Blocking(_) => Kind::Blocking,
            Self::Service(_) => Kind::Service,
        }
    }

    /// Whether a call takes the event by value.
    pub(crate) fn owns(&self) -> bool {
        matches!(self, Self::Owned(_) | Self::Blocking(_))
    }

    /// Whether a call shares the event by `Arc`.
    pub(crate) fn shares(&self) -> bool {
        matches!(self, Self::Shared(_) | Self::Service(_))
    }
}
