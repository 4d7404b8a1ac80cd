//! A service that holds what is around it to tower's contract.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use fanfare::{BoxError, Delivery, Report, Signal};
use tokio::task::{JoinHandle, JoinSet};
use tower::Service;

use crate::support::Gauge;

const MINUTE: Duration = Duration::from_secs(60);

/// Panics if it is called without having been made ready. It is ready when it is asked for the second time, and a clone of it is not ready.
#[derive(Default)]
pub(crate) struct Probe {
    shared: Arc<Shared>,
    ready: bool,
    /// It was asked already, and said that it is not ready yet.
    asked: bool,
    eager: bool,
    /// How often the first calls of an event fail.
    failures: usize,
    takes: Duration,
}

#[derive(Default)]
struct Shared {
    calls: Mutex<BTreeMap<u32, usize>>,
    gauge: Gauge,
}

/// What a probe and its clones have seen.
#[derive(Clone)]
pub(crate) struct Seen(Arc<Shared>);

impl Probe {
    /// Each call takes so long.
    pub(crate) fn taking(takes: Duration) -> Self {
        Self {
            takes,
            ..Self::default()
        }
    }

    /// Ready when it is asked for the first time.
    pub(crate) fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// The first so many calls of each event fail.
    pub(crate) fn failing(mut self, failures: usize) -> Self {
        self.failures = failures;
        self
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen(Arc::clone(&self.shared))
    }
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            ready: false,
            asked: false,
            ..*self
        }
    }
}

impl Seen {
    /// How often each event was called with.
    pub(crate) fn calls_of(&self, event: u32) -> usize {
        let calls = self.0.calls.lock().unwrap();
        calls.get(&event).copied().unwrap_or_default()
    }

    /// All events, and how often each was called with.
    pub(crate) fn calls(&self) -> Vec<(u32, usize)> {
        let calls = self.0.calls.lock().unwrap();
        calls
            .iter()
            .map(|(event, calls)| (*event, *calls))
            .collect()
    }

    pub(crate) fn gauge(&self) -> &Gauge {
        &self.0.gauge
    }

    /// Every event below `n` was called with so often, and no call is left.
    pub(crate) fn assert_each(&self, n: u32, times: usize) {
        let wanted: Vec<_> = (0..n).map(|event| (event, times)).collect();
        assert_eq!(self.calls(), wanted);
        assert_eq!(self.gauge().now(), 0);
    }
}

impl Service<Delivery> for Probe {
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready |= self.eager || self.asked;
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        self.asked = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        assert!(self.ready, "called without having been made ready");
        self.ready = false;
        self.asked = false;
        let event = *delivery.event::<u32>().unwrap();
        let nth = {
            let mut calls = self.shared.calls.lock().unwrap();
            let nth = calls.entry(event).or_default();
            *nth += 1;
            *nth
        };
        let (gauge, takes, fails) = (self.shared.gauge.clone(), self.takes, nth <= self.failures);
        Box::pin(async move {
            let _inside = gauge.enter();
            tokio::time::sleep(takes).await;
            if fails {
                return Err("the probe fails".into());
            }
            Ok(())
        })
    }
}

/// Emits in a task of its own.
pub(crate) fn spawn_emit(signal: &Signal<u32>, event: u32) -> JoinHandle<Report> {
    let signal = signal.clone();
    tokio::spawn(async move { signal.emit(event).timeout(MINUTE).await })
}

/// Emits every number below `n` at once, each in a task of its own, and adds up the reports.
pub(crate) async fn emit_each(signal: &Signal<u32>, n: u32) -> Vec<Report> {
    let mut tasks = JoinSet::new();
    for event in 0..n {
        let signal = signal.clone();
        tasks.spawn(async move { signal.emit(event).await });
    }
    tasks.join_all().await
}

/// How many of these did that.
pub(crate) fn count(reports: &[Report], outcome: fanfare::Outcome) -> usize {
    reports.iter().map(|report| report.count(outcome)).sum()
}
