//! The end of a call: its future is dropped there and then, and what that panics with is caught.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::BoxError;
use crate::outcome::{CallError, Cause, catch};

/// Polls the future of a call, and drops it as soon as it has ended, so that what it holds is free for whatever comes next. A panic is what it comes to.
pub(super) fn poll_to_end<F, E>(
    mut future: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), BoxError>>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    let running = future.as_mut().as_pin_mut();
    let running = running.expect("it is not polled after it was ready");
    let polled = match catch(|| running.poll(cx)) {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(result)) => result.map_err(Into::into),
        Err(message) => Err(panicked(message)),
    };
    Poll::Ready(end(future, polled))
}

/// Drops the future of a call that comes to this.
pub(super) fn end<F>(
    mut future: Pin<&mut Option<F>>,
    result: Result<(), BoxError>,
) -> Result<(), BoxError> {
    match catch(|| future.set(None)) {
        Err(message) if result.is_ok() => Err(panicked(message)),
        // What failed says more than a panic in the drop of what it left.
        Err(message) => {
            tracing::error!(%message, "an attempt that had failed panicked while it was dropped");
            result
        }
        Ok(()) => result,
    }
}

fn panicked(message: Arc<str>) -> BoxError {
    CallError::new(Cause::Panicked(message)).into()
}
