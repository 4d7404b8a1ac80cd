//! The headers of a trace that came from elsewhere.

use std::future::Future;

use fanfare::layer::Trace;
use fanfare::{Delivery, Headers, Signal};
use tracing::Level;

use super::capture::Capture;
use crate::support::Log;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const STATE: &str = "vendor=opaque,other=1";

/// What a delivery hands on of a trace.
fn shown(delivery: &Delivery) -> (String, String) {
    let shown = |name| delivery.header(name).unwrap_or("-").to_owned();
    (shown("traceparent"), shown("tracestate"))
}

#[tokio::test]
async fn without_a_layer_of_opentelemetry_they_pass_through_unchanged_nested_emissions_included() {
    for trace in [None, Some(Trace::info()), Some(Trace::info().sample(9))] {
        let (capture, _guard) = Capture::start();
        let seen = Log::default();
        let (note, nested) = (seen.clone(), seen.clone());
        let builder = Signal::<u32>::builder().name("outer");
        let outer = match trace {
            Some(trace) => builder.trace(trace).build(),
            None => builder.build(),
        };
        let inner = Signal::<String>::builder().trace(Trace::info()).build();
        let listen = inner.listen().with_delivery();
        listen
            .on(async move |_, d: Delivery| nested.push(shown(&d)))
            .unwrap();
        let emits = async move |n: u32, d: Delivery| {
            note.push(shown(&d));
            let _ = inner.emit(n.to_string()).await;
        };
        outer.listen().with_delivery().on(emits).unwrap();
        let emission = outer.emit(1).header("traceparent", PARENT);
        let _ = emission.header("tracestate", STATE).await;
        let sent = (PARENT.to_owned(), STATE.to_owned());
        assert_eq!(seen.take(), [sent.clone(), sent]);
        for span in capture.spans() {
            assert_eq!(span.fields.get("traceparent"), PARENT, "{span:?}");
        }
    }
}

#[tokio::test]
async fn one_that_is_not_well_formed_is_passed_over_and_told() {
    for alone in [false, true] {
        let (capture, _guard) = Capture::start();
        let builder = Signal::<u32>::builder().name("orders");
        let signal = if alone {
            builder.build()
        } else {
            builder.trace(Trace::info()).build()
        };
        let mut listen = signal.listen();
        if alone {
            listen = listen.trace(Trace::info());
        }
        listen.on(async |_| {}).unwrap();
        let report = signal.emit(1).header("traceparent", "nonsense").await;
        assert!(report.is_ok());
        let lines = capture.lines("a header is not well formed");
        let [line] = lines.as_slice() else {
            panic!("one line: {lines:?}");
        };
        assert_eq!(line.level, Level::DEBUG);
        let said = line.fields.only(&["signal", "header", "value"]);
        assert_eq!(said, "signal=orders header=traceparent value=nonsense");
        for span in capture.spans() {
            assert_eq!(span.fields.get("traceparent"), "-");
        }
        assert_eq!(capture.named("deliver").len(), 1);
    }
}

const OWN: &str = "00-11112f3577b34da6a3ce929d0e0e4736-00f067aa0ba91111-01";

#[tokio::test]
async fn the_two_headers_are_inherited_as_a_pair() {
    let of_cause = (PARENT.to_owned(), STATE.to_owned());
    let own = |state: &str| (OWN.to_owned(), state.to_owned());
    for (how, expected) in [
        ("nested", of_cause.clone()),
        ("caused by", of_cause),
        ("nested, a parent", own("-")),
        ("a parent, caused by", own("-")),
        ("caused by, a parent", own("-")),
        ("caused by, both", own("a=1")),
        ("caused by, both reversed", own("a=1")),
        ("caused by, a state", (PARENT.to_owned(), "a=1".to_owned())),
    ] {
        let seen = Log::default();
        let note = seen.clone();
        let inner = Signal::<String>::new();
        let listen = inner.listen().with_delivery();
        listen
            .on(async move |_, d: Delivery| note.push(shown(&d)))
            .unwrap();
        let emits = async move |n: u32, d: Delivery| {
            let emission = inner.emit(n.to_string());
            let _ = match how {
                "nested" => emission.await,
                "caused by" => emission.caused_by(&d).await,
                "nested, a parent" => emission.header("traceparent", OWN).await,
                "a parent, caused by" => emission.header("traceparent", OWN).caused_by(&d).await,
                "caused by, a parent" => emission.caused_by(&d).header("TraceParent", OWN).await,
                "caused by, both" => {
                    let both = Headers::from([("traceparent", OWN), ("tracestate", "a=1")]);
                    emission.caused_by(&d).headers(&both).await
                }
                "caused by, both reversed" => {
                    let emission = emission.caused_by(&d).header("tracestate", "a=1");
                    emission.header("traceparent", OWN).await
                }
                _ => emission.caused_by(&d).header("tracestate", "a=1").await,
            };
        };
        outer_of(emits).await;
        assert_eq!(seen.take(), [expected], "{how}");
    }
}

/// Emits one event of a trace to this listener.
async fn outer_of<Fut>(listener: impl FnOnce(u32, Delivery) -> Fut + Clone + Send + Sync + 'static)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let outer = Signal::<u32>::new();
    outer.listen().with_delivery().on(listener).unwrap();
    let emission = outer.emit(1).header("traceparent", PARENT);
    assert!(emission.header("tracestate", STATE).await.is_ok());
}

#[tokio::test]
async fn one_that_is_not_well_formed_is_not_handed_on() {
    let seen = Log::default();
    let note = seen.clone();
    let inner = Signal::<String>::new();
    let listen = inner.listen().with_delivery();
    listen
        .on(async move |_, d: Delivery| note.push(shown(&d)))
        .unwrap();
    let outer = Signal::<u32>::new();
    let emits = async move |n: u32, _: Delivery| {
        let _ = inner.emit(n.to_string()).await;
    };
    outer.listen().with_delivery().on(emits).unwrap();
    let emission = outer.emit(1).header("traceparent", "nonsense");
    let _ = emission.header("tracestate", STATE).await;
    assert_eq!(seen.take(), [("-".to_owned(), "-".to_owned())]);
}
