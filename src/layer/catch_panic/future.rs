//! The future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::BoxError;
use crate::outcome::{CallError, Cause, catch};

pin_project! {
    /// The future of [`CatchPanicService`](super::CatchPanicService).
    #[derive(Debug)]
    pub struct CatchPanicFuture<F> {
        // None once it has ended: what its drop panics with is caught too.
        #[pin]
        inner: Option<F>,
    }

    impl<F> PinnedDrop for CatchPanicFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let inner = this.project().inner;
            if let Err(message) = clear(inner) {
                tracing::error!(%message, "an attempt that was given up panicked while it was dropped");
            }
        }
    }
}

impl<F> CatchPanicFuture<F> {
    pub(super) fn new(inner: F) -> Self {
        Self { inner: Some(inner) }
    }
}

impl<F, E> Future for CatchPanicFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.project().inner;
        let future = inner.as_mut().as_pin_mut();
        let future = future.expect("it is not polled after it was ready");
        let polled = match catch(|| future.poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result.map_err(Into::into),
            Err(message) => Err(panicked(message)),
        };
        match clear(inner) {
            // The first panic says more than a second in the drop of what it left.
            Err(message) if polled.is_ok() => Poll::Ready(Err(panicked(message))),
            _ => Poll::Ready(polled),
        }
    }
}

/// Drops the future. The message of the panic, if that panics.
fn clear<F>(mut inner: Pin<&mut Option<F>>) -> Result<(), Arc<str>> {
    catch(|| inner.set(None))
}

fn panicked(message: Arc<str>) -> BoxError {
    CallError::new(Cause::Panicked(message)).into()
}
