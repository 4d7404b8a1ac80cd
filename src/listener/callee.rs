//! The erased forms of listeners.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use super::{Kind, Listener, Payload, Slot, Stacked, Step, Storage};
use crate::event::Event;
use crate::outcome::{IntoOutcome, Verdict};

/// Says whether a listener wants an event.
pub(crate) type Filter<E> = Box<dyn Fn(&E) -> bool + Send + Sync>;

/// A listener that blocks. Shared, since its thread can outlive its registration.
pub(crate) type Blocked<E> = Arc<dyn Fn(E) -> Verdict + Send + Sync>;

/// A listener as the dispatcher calls it. Each takes the event in the form that it needs, so that it is cloned only for those that own theirs.
pub(crate) trait Callee<E>: Send + Sync {
    fn kind(&self) -> Kind;

    /// Where its future lives, if it has one.
    fn storage(&self) -> Option<Storage>;

    /// Calls the listener and, given a context, polls it once; a call that is pending is in the slot then. Runs user code: the closure, the future, the event's `Clone`. If it
    /// panics, the slot is to be cleared.
    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step;

    /// Whether it takes deliveries, and wants the time of the emission in them.
    fn wants_time(&self) -> bool {
        false
    }

    /// What is around it, if it has layers.
    fn stack(&self) -> Option<Stacked> {
        None
    }

    /// Where the settings of its layers can be changed, if it has layers: a room above knows the type.
    fn station(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }

    /// What is to be called on a blocking thread, if that is its kind. `call` is for all others.
    fn blocked(&self) -> Option<&Blocked<E>> {
        None
    }
}

/// What a listener is called with.
pub(crate) struct Call<'a, E> {
    pub(crate) payload: &'a mut Payload<E>,
    /// No listener after this one needs the event.
    pub(crate) last: bool,
}

pub(crate) struct Owned<F, Fut>(F, PhantomData<fn() -> Fut>);

pub(crate) fn owned<F, Fut>(listener: F) -> Owned<F, Fut> {
    Owned(listener, PhantomData)
}

impl<E, F, Fut> Callee<E> for Owned<F, Fut>
where
    E: Event,
    F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
{
    fn kind(&self) -> Kind {
        Kind::Async
    }

    fn storage(&self) -> Option<Storage> {
        Some(Slot::storage_of::<Fut>())
    }

    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step {
        let event = call.payload.own(call.last);
        slot.start(self.0.clone()(event), cx)
    }
}

pub(crate) struct Shared<F, Fut>(F, PhantomData<fn() -> Fut>);

pub(crate) fn shared<F, Fut>(listener: F) -> Shared<F, Fut> {
    Shared(listener, PhantomData)
}

impl<E, F, Fut> Callee<E> for Shared<F, Fut>
where
    E: Event,
    F: FnOnce(Arc<E>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
{
    fn kind(&self) -> Kind {
        Kind::Shared
    }

    fn storage(&self) -> Option<Storage> {
        Some(Slot::storage_of::<Fut>())
    }

    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step {
        let event = call.payload.share();
        slot.start(self.0.clone()(event), cx)
    }
}

pub(crate) struct Borrowed<F>(F);

pub(crate) fn borrowed<E, F: Fn(&E) -> Step>(listener: F) -> Borrowed<F> {
    Borrowed(listener)
}

impl<E, F> Callee<E> for Borrowed<F>
where
    E: Event,
    F: Fn(&E) -> Step + Send + Sync + 'static,
{
    fn kind(&self) -> Kind {
        Kind::Sync
    }

    fn storage(&self) -> Option<Storage> {
        None
    }

    fn call(&self, call: Call<'_, E>, _: Pin<&mut Slot>, _: Option<&mut Context<'_>>) -> Step {
        (self.0)(call.payload.borrow())
    }
}

pub(crate) struct Blocking<E>(Blocked<E>);

pub(crate) fn blocking<E, F, R>(listener: F) -> Blocking<E>
where
    F: Fn(E) -> R + Send + Sync + 'static,
    R: IntoOutcome,
{
    Blocking(Arc::new(move |event| listener(event).into_outcome()))
}

impl<E: Event> Callee<E> for Blocking<E> {
    fn kind(&self) -> Kind {
        Kind::Blocking
    }

    fn storage(&self) -> Option<Storage> {
        None
    }

    fn call(&self, _: Call<'_, E>, _: Pin<&mut Slot>, _: Option<&mut Context<'_>>) -> Step {
        unreachable!("blocking listeners are started on their own pool")
    }

    fn blocked(&self) -> Option<&Blocked<E>> {
        Some(&self.0)
    }
}

/// A value that implements [`Listener`], as a closure that takes the event.
pub(crate) fn listener<E: Event, L: Listener<E>>(listener: L) -> impl Callee<E> {
    let listener = Arc::new(listener);
    owned(move |event| async move { listener.handle(event).await.into_outcome() })
}
