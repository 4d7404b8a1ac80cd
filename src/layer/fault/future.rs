//! The future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::InjectedFault;
use super::config::Only;
use super::source::Source;
use super::state::{Decision, Odds};
use crate::clock::{self, Sleep, sleep_until};
use crate::error::BoxError;
use crate::event::Delivery;

pin_project! {
    /// The future of [`FaultService`](super::FaultService).
    pub struct FaultFuture<S>
    where
        S: Service<Delivery>,
    {
        #[pin]
        inner: Option<Oneshot<S, Delivery>>,
        #[pin]
        delay: Option<Sleep>,
        call: Option<(S, Delivery)>,
        // What is to be drawn, until it is.
        draw: Option<Draw>,
        hangs: bool,
    }
}

struct Draw {
    odds: Odds,
    only: Option<Only>,
    source: Arc<Source>,
}

impl<S: Service<Delivery>> FaultFuture<S> {
    pub(super) fn new(
        inner: S,
        delivery: Delivery,
        odds: Odds,
        only: Option<Only>,
        source: Arc<Source>,
    ) -> Self {
        Self {
            inner: None,
            delay: None,
            call: Some((inner, delivery)),
            draw: Some(Draw { odds, only, source }),
            hangs: false,
        }
    }
}

impl Draw {
    /// What the delivery meets, or the failure or panic that it ends with.
    fn decide(self, delivery: &Delivery) -> Result<Decision, BoxError> {
        if self.only.is_some_and(|wanted| !wanted(delivery)) {
            return Ok(Decision::Pass);
        }
        let (draw, decision) = self.source.draw(&self.odds);
        let seed = self.source.seed();
        match decision {
            Decision::Fail => Err(InjectedFault::new(seed, draw).into()),
            Decision::Panic => panic!("injected panic (fault seed {seed}, draw {draw})"),
            other => Ok(other),
        }
    }
}

impl<S: Service<Delivery>> fmt::Debug for FaultFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultFuture").finish_non_exhaustive()
    }
}

impl<S> Future for FaultFuture<S>
where
    S: Service<Delivery, Response = ()>,
    S::Error: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let (Some(draw), Some((_, delivery))) = (this.draw.take(), this.call.as_ref()) {
            match draw.decide(delivery)? {
                Decision::Delay(by) => {
                    let ends = clock::now().checked_add(by);
                    // Beyond the clock's range is never.
                    *this.hangs = ends.is_none();
                    this.delay.set(ends.map(sleep_until));
                }
                Decision::Hang => *this.hangs = true,
                Decision::Pass | Decision::Fail | Decision::Panic => {}
            }
        }
        if *this.hangs {
            return Poll::Pending;
        }
        if let Some(delay) = this.delay.as_mut().as_pin_mut() {
            ready!(delay.poll(cx));
            this.delay.set(None);
        }
        if let Some((service, delivery)) = this.call.take() {
            this.inner.set(Some(service.oneshot(delivery)));
        }
        let inner = this.inner.as_pin_mut().expect("it was made before");
        inner.poll(cx).map_err(Into::into)
    }
}
