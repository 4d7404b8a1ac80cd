//! The future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::store::{Entry, Held, Store};
use crate::context::{WithoutPermit, without_permit};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::outcome::{CallError, Cause, Outcome, Skip};

pin_project! {
    /// The future of [`DedupService`](super::DedupService).
    pub struct DedupFuture<S>
    where
        S: Service<Delivery>,
    {
        // Dropped before the key is let go: a duplicate starts when nothing of this call is left.
        #[pin]
        inner: Option<Oneshot<S, Delivery>>,
        held: Option<Held>,
        call: Option<(S, Delivery)>,
        key: Option<u128>,
        store: Arc<Store>,
        before: Option<WithoutPermit<WaitForCancellationFutureOwned>>,
    }
}

impl<S: Service<Delivery>> DedupFuture<S> {
    pub(super) fn new(inner: S, delivery: Delivery, key: Option<u128>, store: Arc<Store>) -> Self {
        Self {
            inner: None,
            held: None,
            call: Some((inner, delivery)),
            key,
            store,
            before: None,
        }
    }
}

impl<S: Service<Delivery>> fmt::Debug for DedupFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupFuture").finish_non_exhaustive()
    }
}

impl<S> Future for DedupFuture<S>
where
    S: Service<Delivery, Response = ()>,
    S::Error: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        while this.inner.is_none() {
            if let Some(before) = this.before {
                ready!(Pin::new(before).poll(cx));
                *this.before = None;
            }
            if let Some(key) = *this.key {
                match this.store.enter(key) {
                    Entry::Run(held) => *this.held = Some(held),
                    Entry::Skip => return Poll::Ready(Err(duplicate())),
                    Entry::Wait(token) => {
                        *this.before = Some(without_permit(token.cancelled_owned()));
                        continue;
                    }
                }
            }
            let (service, delivery) = this.call.take().expect("polled after it was ready");
            this.inner.set(Some(service.oneshot(delivery)));
        }
        let inner = this.inner.as_mut().as_pin_mut();
        let result = ready!(inner.expect("it was just made").poll(cx)).map_err(Into::into);
        this.inner.set(None);
        if let Some(held) = this.held.take() {
            held.ended(outcome(&result));
        }
        Poll::Ready(result)
    }
}

fn outcome(result: &Result<(), BoxError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => Cause::outcome_of(&**error),
    }
}

fn duplicate() -> BoxError {
    CallError::new(Cause::Skipped(Skip::Duplicate)).into()
}
