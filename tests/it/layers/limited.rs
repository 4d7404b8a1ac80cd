//! What the tests of both limits share.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fanfare::{BoxError, Cause, Delivery, Rejection, Report, ReportEntry};
use tokio::time::{Instant, sleep};
use tower::Service;

use crate::support::{Gauge, Log};

/// A listener that writes down the numbers that it is called with, and when: in milliseconds since it was made. It panics if it is called without having been made ready,
/// which takes two polls, and a clone of it is not ready.
pub(super) struct Logged {
    start: Instant,
    takes: Duration,
    calls: Log<(u32, u128)>,
    running: Gauge,
    end: Arc<dyn Fn(u32) -> Result<(), BoxError> + Send + Sync>,
    ready: usize,
}

impl Logged {
    /// Each call takes so many milliseconds.
    pub(super) fn taking(millis: u64) -> Self {
        Self {
            start: Instant::now(),
            takes: Duration::from_millis(millis),
            calls: Log::default(),
            running: Gauge::default(),
            end: Arc::new(|_| Ok(())),
            ready: 0,
        }
    }

    /// Each call ends so.
    pub(super) fn ending(
        mut self,
        end: impl Fn(u32) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.end = Arc::new(end);
        self
    }

    pub(super) fn calls(&self) -> Log<(u32, u128)> {
        self.calls.clone()
    }

    pub(super) fn running(&self) -> Gauge {
        self.running.clone()
    }
}

impl Clone for Logged {
    fn clone(&self) -> Self {
        Self {
            calls: self.calls.clone(),
            running: self.running.clone(),
            end: Arc::clone(&self.end),
            ready: 0,
            ..*self
        }
    }
}

impl Service<Delivery> for Logged {
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready += 1;
        if self.ready >= 2 {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        assert!(self.ready >= 2, "called without having been made ready");
        self.ready = 0;
        let number = delivery.event::<u32>().copied().unwrap_or(u32::MAX);
        self.calls.push((number, self.start.elapsed().as_millis()));
        let (takes, running, end) = (self.takes, self.running.clone(), Arc::clone(&self.end));
        Box::pin(async move {
            let _inside = running.enter();
            if !takes.is_zero() {
                sleep(takes).await;
            }
            end(number)
        })
    }
}

/// The only rejection of a report.
#[track_caller]
pub(super) fn rejection(report: &Report) -> Rejection {
    match report.failures().next().map(ReportEntry::cause) {
        Some(Cause::Rejected(rejection)) => rejection.clone(),
        cause => panic!("not rejected: {cause:?}"),
    }
}
