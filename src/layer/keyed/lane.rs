//! The lane of an attempt: so many keys run at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_layer::Layer;
use tower_service::Service;

use super::lanes_in_words;
use crate::context::{WithoutPermit, count_within, without_permit};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::ending::poll_to_end;
use crate::layer::live::{Applied, Live};
use crate::outcome::{CallError, Rejection};
use crate::pool::{Acquire, Permit, Pool};

/// The lanes of one listener: the permits of a pool of its own.
pub(in crate::layer) struct Lanes(Pool);

impl Lanes {
    pub(super) fn new(lanes: usize) -> Arc<Self> {
        Arc::new(Self(Pool::new(lanes)))
    }
}

impl Live<usize> for Lanes {
    fn words(&self) -> String {
        lanes_in_words(self.0.size())
    }

    /// An attempt that runs keeps its lane.
    fn change(&self, new: usize) -> Applied {
        let before = self.0.resized(new, None).unwrap_or(new);
        Applied {
            before: lanes_in_words(before),
            after: lanes_in_words(new),
            rest: Box::new(|| {}),
        }
    }
}

/// Puts lanes around a service.
pub(in crate::layer) struct OnLane(pub(in crate::layer) Arc<Lanes>);

impl<S> Layer<S> for OnLane {
    type Service = LaneService<S>;

    fn layer(&self, inner: S) -> LaneService<S> {
        LaneService {
            inner,
            lanes: Arc::clone(&self.0),
        }
    }
}

/// Makes each attempt wait for a lane.
#[derive(Clone)]
pub(in crate::layer) struct LaneService<S> {
    inner: S,
    lanes: Arc<Lanes>,
}

impl<S> Service<Delivery> for LaneService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = LaneFuture<S>;

    /// Ready at once: a call waits for its lane.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> LaneFuture<S> {
        let lanes = &self.lanes.0;
        let listener = delivery.listener_id();
        let lane = match lanes.try_acquire() {
            Some(lane) => Lane::Has(lane),
            // Made from inside another call of the listener: the lanes may all be with calls that wait for this one.
            None if count_within(|call| call.listener == listener) > 1 => Lane::Refused,
            None => Lane::Waits(without_permit(lanes.acquire())),
        };
        LaneFuture {
            call: None,
            lane,
            start: Some((self.inner.clone(), delivery)),
        }
    }
}

enum Lane {
    Waits(WithoutPermit<Acquire>),
    Has(#[expect(dead_code, reason = "it is held")] Permit),
    Refused,
}

pin_project! {
    /// Field order is drop order: the attempt first, then its lane.
    pub(in crate::layer) struct LaneFuture<S>
    where
        S: Service<Delivery>,
    {
        #[pin]
        call: Option<Oneshot<S, Delivery>>,
        lane: Lane,
        start: Option<(S, Delivery)>,
    }
}

impl<S> Future for LaneFuture<S>
where
    S: Service<Delivery, Response = ()>,
    S::Error: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.start.is_some() {
            if let Lane::Waits(wait) = this.lane {
                let lane = ready!(Pin::new(wait).poll(cx));
                *this.lane = Lane::Has(lane.expect("it waits for as long as it takes"));
            }
            if let Lane::Refused = this.lane {
                return Poll::Ready(Err(CallError::rejected(Rejection::WouldDeadlock).into()));
            }
            let (service, delivery) = this.start.take().expect("looked at above");
            this.call.set(Some(service.oneshot(delivery)));
        }
        poll_to_end(this.call, cx)
    }
}
