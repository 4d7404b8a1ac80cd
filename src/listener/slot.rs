//! Where the future of one call lives while it runs.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;

use crate::outcome::{IntoOutcome, Verdict};

/// The future of one call, with its output mapped to a [`Verdict`]. Boxed.
pub(crate) struct Slot(Pin<Box<dyn Future<Output = Verdict> + Send>>);

impl Slot {
    pub(crate) fn start<F>(future: F) -> Self
    where
        F: Future<Output: IntoOutcome> + Send + 'static,
    {
        Self(Box::pin(future.map(IntoOutcome::into_outcome)))
    }

    /// Polls the future. It may panic: then the slot must be dropped, not polled again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        self.0.as_mut().poll(cx)
    }
}
