//! The twin of `slot.rs` without `unsafe`: every future is boxed. The tests compare the two; `--cfg fanfare_safe_slot` builds the crate with this one.

use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{Step, Storage};
use crate::outcome::{IntoOutcome, catch};

pin_project! {
    /// A place for the future of one call.
    pub(crate) struct Slot {
        held: Option<Pin<Box<dyn Future<Output = Step> + Send>>>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

pin_project! {
    /// A future with its output mapped; it is dropped when this is, not before.
    struct Mapped<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output: IntoOutcome>> Future for Mapped<F> {
    type Output = Step;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        let polled = self.project().future.poll(cx);
        polled.map(|output| Step::from(output.into_outcome()))
    }
}

impl Slot {
    pub(crate) const fn new() -> Self {
        Self {
            held: None,
            _pinned: PhantomPinned,
        }
    }

    /// Where the futures of this type live.
    #[expect(clippy::extra_unused_type_parameters, reason = "as the twin's")]
    pub(crate) const fn storage_of<F>() -> Storage {
        Storage::Boxed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_none()
    }

    /// As the twin's.
    pub(crate) fn start<F>(
        mut self: Pin<&mut Self>,
        future: F,
        cx: Option<&mut Context<'_>>,
    ) -> Step
    where
        F: Future<Output: IntoOutcome> + Send + 'static,
    {
        assert!(self.is_empty(), "a slot holds one future at a time");
        let future = Mapped { future };
        *self.as_mut().project().held = Some(Box::pin(future));
        cx.map_or(Step::Pending, |cx| self.poll(cx))
    }

    /// As the twin's.
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Step {
        let held = self.as_mut().project().held.as_mut();
        let future = held.expect("an empty slot is not polled");
        let Poll::Ready(step) = future.as_mut().poll(cx) else {
            return Step::Pending;
        };
        match catch(|| self.clear()) {
            Ok(()) => step,
            Err(message) => {
                let _ = catch(|| drop(step));
                Step::panicked(message)
            }
        }
    }

    /// As the twin's.
    pub(crate) fn clear(self: Pin<&mut Self>) {
        drop(self.project().held.take());
    }
}
