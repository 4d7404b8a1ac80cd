//! The future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::store::{Reservation, Store, Taken, Wait};
use crate::context::{WithoutPermit, without_permit};
use crate::error::BoxError;
use crate::keyed::Fingerprint;

pin_project! {
    /// The future of [`RateLimitService`](super::RateLimitService).
    #[derive(Debug)]
    pub struct RateLimitFuture<F> {
        #[pin]
        inner: F,
        gate: Gate,
    }
}

enum Gate {
    /// The call has not been polled.
    Closed(Arc<Store>, Option<Fingerprint>),
    Waiting(WithoutPermit<Wait>, Reservation),
    Open,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(..) => "Closed",
            Self::Waiting(..) => "Waiting",
            Self::Open => "Open",
        })
    }
}

impl<F> RateLimitFuture<F> {
    pub(super) fn new(inner: F, store: Arc<Store>, key: Option<Fingerprint>) -> Self {
        Self {
            inner,
            gate: Gate::Closed(store, key),
        }
    }
}

impl<F, E> Future for RateLimitFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        loop {
            let next = match this.gate {
                Gate::Closed(store, key) => match store.take(*key)? {
                    Taken::Pass => Gate::Open,
                    Taken::Wait(turn, reservation) => {
                        Gate::Waiting(without_permit(reservation.wait(turn)), reservation)
                    }
                },
                Gate::Waiting(wait, reservation) => {
                    ready!(Pin::new(wait).poll(cx));
                    reservation.pass();
                    Gate::Open
                }
                Gate::Open => return this.inner.poll(cx).map_err(Into::into),
            };
            *this.gate = next;
        }
    }
}
