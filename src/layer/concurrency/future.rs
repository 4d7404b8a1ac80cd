//! The future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::store::{Arrived, Permit, Store, Waiter};
use crate::clock::{self, Instant, Sleep, sleep_until};
use crate::context::{WithoutPermit, without_permit};
use crate::error::BoxError;
use crate::keyed::Fingerprint;
use crate::sync::Ordering;

pin_project! {
    /// The future of [`ConcurrencyService`](super::ConcurrencyService).
    #[derive(Debug)]
    pub struct ConcurrencyFuture<F> {
        // Dropped before the permit: what the call holds is free when the next one begins.
        #[pin]
        inner: Option<F>,
        gate: Gate,
    }
}

enum Gate {
    /// The call has not been polled.
    Closed(Arc<Store>, Option<Fingerprint>),
    Waiting(WithoutPermit<Wait>),
    Open {
        _permit: Permit,
    },
    Ended,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(..) => "Closed",
            Self::Waiting(_) => "Waiting",
            Self::Open { .. } => "Open",
            Self::Ended => "Ended",
        })
    }
}

impl<F> ConcurrencyFuture<F> {
    pub(super) fn new(inner: F, store: Arc<Store>, key: Option<Fingerprint>) -> Self {
        Self {
            inner: Some(inner),
            gate: Gate::Closed(store, key),
        }
    }
}

impl<F, E> Future for ConcurrencyFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.gate {
                Gate::Closed(store, key) => match store.arrive(*key)? {
                    Arrived::Runs(permit) => Gate::Open { _permit: permit },
                    Arrived::Waits(waiter) => Gate::Waiting(without_permit(Wait::new(waiter))),
                },
                Gate::Waiting(wait) => Gate::Open {
                    _permit: ready!(Pin::new(wait).poll(cx))?,
                },
                Gate::Open { .. } => {
                    let inner = this.inner.as_mut().as_pin_mut();
                    let inner = inner.expect("it is there until it has ended");
                    let result = ready!(inner.poll(cx));
                    this.inner.set(None);
                    *this.gate = Gate::Ended;
                    return Poll::Ready(result.map_err(Into::into));
                }
                Gate::Ended => panic!("polled after it was ready"),
            };
            *this.gate = next;
        }
    }
}

pin_project! {
    /// The wait for a place, as long as the policy says.
    struct Wait {
        waiter: Waiter,
        since: Instant,
        #[pin]
        limit: Option<Sleep>,
        given: Duration,
        over: bool,
    }

    impl PinnedDrop for Wait {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.over {
                measure(this.waiter, *this.since);
            }
        }
    }
}

impl Wait {
    fn new(waiter: Waiter) -> Self {
        let since = clock::now();
        let given = waiter.store().longest_wait();
        // A time beyond the clock's range is for ever.
        let ends = given.and_then(|given| since.checked_add(given));
        Self {
            waiter,
            since,
            limit: ends.map(sleep_until),
            given: given.unwrap_or_default(),
            over: false,
        }
    }
}

impl Future for Wait {
    type Output = Result<Permit, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut place = this.waiter.poll(cx.waker());
        if place.is_none() {
            let Some(limit) = this.limit.as_pin_mut() else {
                return Poll::Pending;
            };
            ready!(limit.poll(cx));
            place = this.waiter.give_up();
        }
        *this.over = true;
        measure(this.waiter, *this.since);
        Poll::Ready(place.ok_or_else(|| this.waiter.store().full(*this.given)))
    }
}

fn measure(waiter: &Waiter, since: Instant) {
    let time = clock::since(since);
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let total = &waiter.store().counts.wait_nanos;
    total.fetch_add(nanos, Ordering::Relaxed);
}
