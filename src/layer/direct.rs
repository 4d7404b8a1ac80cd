//! A listener with no layer but a trace, where there is to be no span: called without its stack.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::ending::end;
use super::{Decision, Layered, Station};
use crate::context::because_of;
use crate::error::BoxError;
use crate::event::{Envelope, Event, Traced};
use crate::listener::{Call, Callee, Kind, Payload, Slot, Stacked, Step, Storage};
use crate::outcome::{Cause, Flow, IntoOutcome, Verdict};
use crate::span::Detail;

/// A listener that a trace alone stands around, and how it is called without: by a closure that is given the event, and whether no listener after this one needs it.
pub(crate) struct Direct<F, Fut> {
    layered: Layered,
    listener: F,
    /// The level of the spans.
    detail: Detail,
    future: PhantomData<fn() -> Fut>,
}

impl<F, Fut> Direct<F, Fut> {
    pub(crate) fn new(layered: Layered, detail: Detail, listener: F) -> Self {
        Self {
            layered,
            listener,
            detail,
            future: PhantomData,
        }
    }
}

impl<E, F, Fut> Callee<E> for Direct<F, Fut>
where
    E: Event,
    F: Fn(&mut Payload<E>, bool) -> Fut + Send + Sync,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
{
    fn kind(&self) -> Kind {
        Callee::<E>::kind(&self.layered)
    }

    fn storage(&self) -> Option<Storage> {
        if self.detail.is_heard() {
            return Callee::<E>::storage(&self.layered);
        }
        Some(Slot::storage_of::<DirectFuture<Fut>>())
    }

    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step {
        // Before the event is taken, which is what it lies beside.
        let envelope = call.payload.envelope();
        if self.detail.is_heard() && !matches!(envelope.traced, Traced::No) {
            return self.layered.call(call, slot, cx);
        }
        let inner = because_of(&envelope, || (self.listener)(call.payload, call.last));
        let future = DirectFuture {
            inner: Some(inner),
            envelope,
            station: Arc::clone(&self.layered.0),
        };
        slot.start(future, cx)
    }

    fn wants_time(&self) -> bool {
        Callee::<E>::wants_time(&self.layered)
    }

    fn stack(&self) -> Option<Stacked> {
        Callee::<E>::stack(&self.layered)
    }

    fn station(&self) -> Option<&(dyn Any + Send + Sync)> {
        Callee::<E>::station(&self.layered)
    }
}

pin_project! {
    /// One call. What it emits is emitted because of its event, and a failure is what it is in the stack.
    struct DirectFuture<Fut> {
        // There until it has failed.
        #[pin]
        inner: Option<Fut>,
        envelope: Arc<Envelope>,
        station: Arc<Station>,
    }
}

impl<Fut: Future<Output: IntoOutcome>> Future for DirectFuture<Fut> {
    type Output = Verdict;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        let inner = inner.expect("it is not polled after it was ready");
        let polled = because_of(this.envelope, || {
            inner.poll(cx).map(IntoOutcome::into_outcome)
        });
        polled.map(|verdict| match verdict.0 {
            Flow::Failed(error) => failed(this.station, this.inner, error),
            _ => verdict,
        })
    }
}

/// What failed is dropped first. There are no rules, so the error alone decides.
#[cold]
fn failed<Fut>(station: &Station, inner: Pin<&mut Option<Fut>>, error: BoxError) -> Verdict {
    let Err(error) = end(inner, Err(error)) else {
        unreachable!("what has failed stays failed")
    };
    station.carry_out(Decision::of(&*error));
    Verdict::not(Cause::of(error))
}
