//! The future.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::breaker::Breaker;
use super::permit::Permit;
use crate::error::BoxError;
use crate::key::Identity;

pin_project! {
    /// The future of [`CircuitBreakerService`](super::CircuitBreakerService). It asks the breaker when it is first polled.
    pub struct CircuitBreakerFuture<F> {
        // Dropped before the stage: a probe's place comes back when the probe is gone.
        #[pin]
        inner: F,
        stage: Stage,
    }
}

enum Stage {
    Refused(BoxError),
    New(Arc<Breaker>, Arc<Identity>),
    Running(Permit),
    Over,
}

impl<F> CircuitBreakerFuture<F> {
    pub(super) fn new(inner: F, breaker: Arc<Breaker>, caller: Arc<Identity>) -> Self {
        Self {
            inner,
            stage: Stage::New(breaker, caller),
        }
    }

    pub(super) fn refused(inner: F, error: BoxError) -> Self {
        Self {
            inner,
            stage: Stage::Refused(error),
        }
    }
}

impl<F, E> Future for CircuitBreakerFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let permit = match std::mem::replace(this.stage, Stage::Over) {
            Stage::New(breaker, caller) => Permit::new(breaker, caller)?,
            Stage::Running(permit) => permit,
            Stage::Refused(error) => return Poll::Ready(Err(error)),
            Stage::Over => panic!("polled after it was ready"),
        };
        // Nothing of the inner future is used again after a panic but its drop.
        match catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx))) {
            Ok(Poll::Pending) => {
                *this.stage = Stage::Running(permit);
                Poll::Pending
            }
            Ok(Poll::Ready(result)) => {
                let result = result.map_err(Into::into);
                permit.ended(&result);
                Poll::Ready(result)
            }
            Err(payload) => {
                permit.panicked();
                resume_unwind(payload)
            }
        }
    }
}

impl<F> fmt::Debug for CircuitBreakerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerFuture")
            .finish_non_exhaustive()
    }
}
