//! A `Trace` whose spans nobody asks for. A binary of its own: whether anybody asks is the whole process's.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{self, Poll};

use fanfare::layer::{Decision, Trace};
use fanfare::{BoxError, Bus, Dispatch, Listener, Outcome, Pool, Verdict};
use futures::FutureExt as _;
use tokio::task::yield_now;
use tracing::span::{Attributes, Id};
use tracing::subscriber::set_global_default;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// What a listener emits in turn.
#[derive(Clone)]
struct Shipped(&'static str);

struct Ledger(Bus);

impl Listener<u32> for Ledger {
    type Output = Result<(), BoxError>;

    async fn handle(&self, _: u32) -> Result<(), BoxError> {
        yield_now().await;
        let _ = self.0.emit(Shipped("listener")).await;
        Ok(())
    }
}

/// Fails, and panics when it is dropped.
struct FailsAndPanics;

impl Future for FailsAndPanics {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err("before its drop".into()))
    }
}

impl Drop for FailsAndPanics {
    fn drop(&mut self) {
        panic!("in its drop");
    }
}

/// Counts the spans that are opened.
#[derive(Clone, Default)]
struct Opened(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Opened {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn buses() -> [(&'static str, Bus); 4] {
    let traced = || Bus::builder().trace(Trace::info());
    [
        ("concurrent", traced().build()),
        (
            "sequential",
            traced().dispatch(Dispatch::Sequential).build(),
        ),
        ("pool", traced().pool(Pool::new(2)).build()),
        ("parallel", traced().dispatch(Dispatch::Parallel).build()),
    ]
}

/// All that can be seen of two emissions to a listener of each kind, in words. `sampled`: the flag that their headers have.
async fn seen(bus: &Bus, sampled: bool) -> Vec<String> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shipped = Arc::clone(&seen);
    bus.listen::<Shipped>()
        .with_delivery()
        .on(async move |from, delivery| {
            let ids = (delivery.correlation_id(), delivery.causation_id().is_some());
            let trace = delivery.header("traceparent").is_some();
            let line = format!("{} {ids:?} {trace}", from.0);
            shipped.lock().unwrap().push(line);
        })
        .unwrap();

    let signal = bus.signal::<u32>();
    let emits = bus.clone();
    signal.on(async move |n| {
        let _ = emits.emit(Shipped("at once")).await;
        yield_now().await;
        let _ = emits.emit(Shipped("later")).await;
        assert_eq!(n, 7);
    });
    let emits = bus.clone();
    signal.on_shared(async move |n| {
        assert_eq!(*n, 7);
        let _ = emits.emit(Shipped("shared")).await;
    });
    let emits = bus.clone();
    signal.on_sync(move |n| {
        assert_eq!(*n, 7);
        let _ = emits.emit(Shipped("sync")).now_or_never();
    });
    signal.listener(Ledger(bus.clone()));
    signal.try_on(async |n| {
        yield_now().await;
        Err(io::Error::other(format!("no {n}")).into())
    });
    let disabled = signal.try_on(async |_| Err(Decision::Disable.with("for good").into()));
    signal.on(async |_| panic!("in the future"));
    signal.on(|_| -> std::future::Ready<()> { panic!("in the closure") });
    signal.on_sync(|_| Verdict::failed("in place"));
    signal.on(|_| FailsAndPanics);

    let flags = u8::from(sampled);
    let w3c = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags:02}");
    let emit = signal.emit(7).correlation_id("order 1");
    let report = emit.header("traceparent", w3c.as_str()).await;
    let mut lines: Vec<_> = report.failures().map(|it| it.cause().to_string()).collect();
    lines.extend(seen.lock().unwrap().drain(..));
    lines.sort();
    lines.push(format!(
        "{} done, {} failed, of those {} panicked, disabled: {}",
        report.delivered(),
        report.failed(),
        report.count(Outcome::Panicked),
        !disabled.is_enabled()
    ));
    let again = signal.emit(7).header("traceparent", w3c).await;
    lines.push(format!("{} skipped", again.skipped()));
    let stats = signal.stats();
    let (emissions, deliveries) = (stats.emissions(), stats.deliveries());
    lines.push(format!("{emissions} emissions, {deliveries} deliveries"));
    lines
}

#[tokio::test]
async fn the_same_comes_of_an_emission_whether_or_not_anybody_asks_for_its_spans() {
    let mut unheard = Vec::new();
    for (mode, bus) in buses() {
        let seen = seen(&bus, true).await;
        let text = seen.join("\n");
        // What is emitted in place ends in place where there are no tasks and no permits to wait for.
        let in_place = matches!(mode, "concurrent" | "sequential");
        let from = ["at once", "later", "shared", "listener"];
        for from in from.into_iter().chain(in_place.then_some("sync")) {
            let line = format!("{from} (Some(\"order 1\"), true) true");
            assert!(seen.contains(&line), "{mode}: no {line} in\n{text}");
        }
        let counts = "4 done, 6 failed, of those 2 panicked, disabled: true";
        assert!(text.contains(counts), "{mode}: {text}");
        assert!(text.contains("1 skipped"), "{mode}: {text}");
        unheard.push((mode, seen));
    }

    let opened = Opened::default();
    let subscriber =
        tracing_subscriber::registry().with(opened.clone().with_filter(LevelFilter::INFO));
    set_global_default(subscriber).unwrap();
    for ((mode, bus), unheard) in buses().into_iter().zip(unheard.clone()) {
        // Two emissions to ten listeners, one of which is skipped once, and what they emit.
        let before = opened.0.load(Ordering::SeqCst);
        assert_eq!((mode, seen(&bus, true).await), unheard);
        let spans = opened.0.load(Ordering::SeqCst) - before;
        assert!(spans >= 2 + 19, "{mode}: {spans}");
    }
    // Asked for, and not sampled.
    for ((mode, bus), unheard) in buses().into_iter().zip(unheard) {
        let before = opened.0.load(Ordering::SeqCst);
        assert_eq!((mode, seen(&bus, false).await), unheard);
        assert_eq!(opened.0.load(Ordering::SeqCst), before, "{mode}");
    }
}

#[tokio::test]
async fn a_listener_that_is_called_without_its_stack_has_it_all_the_same() {
    let signal = fanfare::Signal::<u32>::builder()
        .trace(Trace::debug())
        .build();
    let sub = signal.listen().key("audit").on(async |_| {}).unwrap();
    assert!(signal.emit(1).await.is_ok());
    let metadata = sub.metadata();
    assert_eq!(metadata.layers(), ["trace (DEBUG)", "panic", "listener"]);
    // Nothing of it is known to a signal without.
    signal
        .listen()
        .without(fanfare::layer::Place::Trace)
        .on(async |_| {})
        .unwrap();
    assert_eq!(signal.emit(1).await.delivered(), 2);
}
