//! What hangs below what.

use std::time::Duration;

use fanfare::layer::{Place, Retry, Trace};
use fanfare::{BoxError, Bus, Delivery, Dispatch as Mode, Pause, Signal};
use tokio::time::timeout;
use tracing::dispatcher::{self, Dispatch};

use super::capture::{Capture, log};
use crate::support::{builders, settle, yield_once};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn every_call_is_below_its_emission_in_every_mode_and_with_every_pool() {
    for (setup, builder, _) in builders::<u32>() {
        let (capture, _guard) = Capture::start();
        let signal = builder.name("orders").trace(Trace::info()).build();
        for key in ["a", "b"] {
            let listen = signal.listen().key(key);
            let logs = async |_| {
                log("called");
                tokio::time::sleep(SECOND).await;
                log("slept");
            };
            listen.on(logs).unwrap();
        }
        let listen = signal.listen().key("c").stage(1);
        listen.on_sync(|_| log("called")).unwrap();
        let report = signal.emit(1).correlation_id("order-7").await;
        assert_eq!(report.delivered(), 3, "{setup}");
        log("outside");

        let mut paths = capture.paths();
        paths.sort();
        let below = ["a", "b", "c"].map(|key| format!("deliver {key} < emit orders"));
        let expected = [&below[..], &["emit orders".to_owned()]].concat();
        assert_eq!(paths, expected, "{setup}");
        let mut said = capture.said("called");
        said.sort();
        assert_eq!(said, below, "{setup}");
        let mut said = capture.said("slept");
        said.sort();
        assert_eq!(said, below[..2], "{setup}");
        assert_eq!(capture.said("outside"), [""], "{setup}");
        capture.assert_all_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn the_span_of_an_emission_says_what_it_is_of() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::builder().name("orders");
    let signal = signal.trace(Trace::debug()).build();
    signal.on(async |_| {});
    signal
        .listen()
        .with_delivery()
        .key("b")
        .on(async |_, _| {})
        .unwrap();
    let _ = signal.emit(1).correlation_id("order-7").await;
    let emit = &capture.named("emit")[0];
    assert_eq!(emit.level, tracing::Level::DEBUG);
    let names = ["signal", "event", "correlation", "listeners", "otel.kind"];
    let said = emit.fields.only(&names);
    let expected = "signal=orders event=u32 correlation=order-7 listeners=2 otel.kind=-";
    assert_eq!(said, expected);
    let deliver = &capture.named("deliver")[1];
    assert_eq!(deliver.fields.get("emission"), emit.fields.get("emission"));
    assert_eq!(deliver.fields.get("correlation"), "order-7");
}

#[tokio::test(start_paused = true)]
async fn so_it_is_for_events_that_nobody_waits_for() {
    for detached in [false, true] {
        let (capture, _guard) = Capture::start();
        let bus = Bus::builder().trace(Trace::info()).build();
        bus.listen::<u32>()
            .key("a")
            .on(async |_| {
                yield_once().await;
                log("called");
            })
            .unwrap();
        let outer = tracing::info_span!("outer");
        let sent = outer.in_scope(|| {
            if detached {
                bus.emit_detached(1_u32).is_ok()
            } else {
                bus.try_enqueue(1_u32).is_ok()
            }
        });
        assert!(sent);
        assert!(bus.shutdown(SECOND).await.is_clean());
        drop(outer);
        assert_eq!(capture.said("called"), ["deliver a < emit u32"]);
        assert_eq!(capture.named("emit")[0].fields.get("otel.kind"), "consumer");
        capture.assert_all_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_in_the_background_are_in_the_span_that_began_below_the_emission() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::builder().trace(Trace::info()).build();
    let fails_first = async |_, d: Delivery| -> Result<(), BoxError> {
        log("called");
        match d.attempt() {
            1 => Err("down".into()),
            _ => Ok(()),
        }
    };
    let retry = Retry::constant(SECOND).in_background();
    let listen = signal.listen().key("a").retry(retry).with_delivery();
    listen.try_on(fails_first).unwrap();
    let _ = signal.emit(1).await;
    assert_eq!(capture.named("emit")[0].fields.get("deferred"), "1");
    assert!(signal.shutdown(10 * SECOND).await.is_clean());
    let said = capture.said("called");
    assert_eq!(said, ["deliver a < emit u32", "deliver a < emit u32"]);
    assert_eq!(
        capture.named("deliver")[0]
            .fields
            .only(&["attempts", "outcome"]),
        "attempts=2 outcome=done"
    );
    capture.assert_all_closed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_on_a_thread_that_has_no_subscriber_is_below_its_emission() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::builder().trace(Trace::info());
    let signal = signal.dispatch(Mode::Parallel).build();
    for key in ["a", "b"] {
        signal.listen().key(key).on(async |_| {}).unwrap();
    }
    assert!(signal.emit(1).await.is_ok());
    let mut paths = capture.paths();
    paths.sort();
    let expected = ["deliver a < emit u32", "deliver b < emit u32", "emit u32"];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn a_blocking_thread_is_in_the_span_of_its_call() {
    for layers in [true, false] {
        let (capture, _guard) = Capture::start();
        let signal = Signal::<u32>::builder().trace(Trace::info()).build();
        // The subscriber is this thread's alone; a program has one for all.
        let subscriber = dispatcher::get_default(Dispatch::clone);
        let mut listen = signal.listen().key("a");
        if !layers {
            listen = listen.without(Place::Trace);
        }
        let logs = move |_| dispatcher::with_default(&subscriber, || log("called"));
        listen.on_blocking(logs).unwrap();
        assert!(signal.emit(1).await.is_ok());
        let expected = if layers {
            "deliver a < emit u32"
        } else {
            "emit u32"
        };
        assert_eq!(capture.said("called"), [expected]);
        drop(signal);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_emitted_in_a_listener_is_below_its_call() {
    for (setup, builder, _) in builders::<u32>() {
        let (capture, _guard) = Capture::start();
        let inner = Signal::<String>::builder().name("inner");
        let inner = inner.trace(Trace::info()).build();
        inner.listen().key("b").on(async |_| log("called")).unwrap();
        let outer = builder.name("outer").trace(Trace::info()).build();
        let emits = async move |n: u32| {
            yield_once().await;
            let _ = inner.emit(n.to_string()).await;
        };
        outer.listen().key("a").on(emits).unwrap();
        let report = timeout(60 * SECOND, outer.emit(7)).await.unwrap();
        assert!(report.is_ok(), "{setup}");
        let path = "deliver b < emit inner < deliver a < emit outer";
        assert_eq!(capture.said("called"), [path], "{setup}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_paused_listener_has_held_is_an_emission_of_its_own() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::builder().trace(Trace::info()).build();
    let listen = signal.listen().key("a");
    let sub = listen.on(async |_| log("called")).unwrap();
    sub.pause(Pause::until_resumed().buffer(10)).unwrap();
    let _ = signal.emit(1).await;
    capture.assert_all_closed();
    capture.clear();
    sub.resume();
    settle().await;
    assert_eq!(capture.said("called"), ["deliver a < emit u32"]);
    assert_eq!(capture.named("emit")[0].fields.get("otel.kind"), "consumer");
    capture.assert_all_closed();
}

#[tokio::test]
async fn a_trace_of_one_listener_alone_opens_no_span_for_the_emission() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::new();
    let listen = signal.listen().key("a").trace(Trace::info());
    listen.on(async |_| log("called")).unwrap();
    signal.on(async |_| log("not traced"));
    let _ = signal.emit(1).await;
    assert_eq!(capture.said("called"), ["deliver a"]);
    assert_eq!(capture.said("not traced"), [""]);
    assert_eq!(capture.paths(), ["deliver a"]);
}

#[tokio::test]
async fn a_signal_that_leaves_out_the_trace_of_its_bus_has_no_spans() {
    let (capture, _guard) = Capture::start();
    let bus = Bus::builder()
        .trace(Trace::info())
        .signal::<u32>(|signal| signal.without(Place::Trace))
        .build();
    bus.on(async |_: u32| log("called"));
    let _ = bus.emit(1_u32).await;
    assert_eq!(capture.said("called"), [""]);
    assert!(capture.spans().is_empty());
}
