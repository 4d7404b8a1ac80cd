//! The span around a call: what it is named, what it says, and what is in it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Once;
use std::time::Duration;

use fanfare::layer::{Place, Retry, Trace};
use fanfare::{BoxError, Bus, Delivery, Outcome, Signal};
use futures::FutureExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::support::Log;

const SECOND: Duration = Duration::from_secs(1);
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The fields of a span or an event, as text.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("-", String::as_str)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

/// One line of the log, and the spans that it is in, innermost first.
#[derive(Clone, Debug)]
struct Line {
    message: String,
    spans: Vec<Span>,
}

#[derive(Clone, Debug)]
struct Span {
    name: &'static str,
    level: Level,
    fields: Fields,
}

impl Line {
    /// The message, and the listener of each span that it is in.
    fn place(&self) -> String {
        let listeners = self.spans.iter().map(|span| span.fields.get("listener"));
        let all: Vec<_> = [self.message.as_str()]
            .into_iter()
            .chain(listeners)
            .collect();
        all.join(" < ")
    }
}

/// Keeps what is logged on this thread, with the spans around it, while its guard lives.
#[derive(Clone, Default)]
struct Capture(Log<Line>);

impl Capture {
    fn start() -> (Self, DefaultGuard) {
        static OPENED: Once = Once::new();
        OPENED.call_once(open);
        let capture = Self::default();
        let guard = set_default(tracing_subscriber::registry().with(capture.clone()));
        // Interest is cached for the process: other threads may have asked when nobody listened.
        tracing::callsite::rebuild_interest_cache();
        (capture, guard)
    }

    fn places(&self) -> Vec<String> {
        self.0.take().iter().map(Line::place).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        record.record(span.extensions_mut().get_mut::<Fields>().unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != module_path!() {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter().flatten();
        let spans = spans.map(|span| Span {
            name: span.name(),
            level: *span.metadata().level(),
            fields: span.extensions().get::<Fields>().unwrap().clone(),
        });
        self.0.push(Line {
            message: fields.get("message").to_owned(),
            spans: spans.collect(),
        });
    }
}

/// Opens spans of both levels. One that is opened for the first time ever, on another thread in the middle of the start of a capture, is not seen by that.
fn open() {
    for trace in [Trace::info(), Trace::debug()] {
        let signal = Signal::<u32>::new();
        signal.listen().trace(trace).on(async |_| {}).unwrap();
        assert!(signal.emit(1).now_or_never().is_some());
    }
}

/// Logs what its name says.
fn log(name: &str) {
    tracing::info!("{name}");
}

#[tokio::test]
async fn the_span_says_which_event_goes_to_whom_and_what_it_belongs_to() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::builder()
        .name("orders")
        .trace(Trace::info())
        .build();
    let ids = Log::default();
    let note = ids.clone();
    let logs = async move |_, d: Delivery| {
        note.push(d.emission_id().to_string());
        log("called");
    };
    let listen = signal.listen().key("audit").with_delivery();
    let keyed = listen.on(logs.clone()).unwrap();
    let emission = signal.emit(7).header("traceparent", PARENT);
    let _ = emission.correlation_id("order-7").await;
    let lines = capture.0.take();
    let [Line { spans, .. }] = lines.as_slice() else {
        panic!("one line: {lines:?}");
    };
    let [span, emit] = spans.as_slice() else {
        panic!("two spans: {spans:?}");
    };
    assert_eq!((span.name, span.level), ("deliver", Level::INFO));
    assert_eq!((emit.name, emit.level), ("emit", Level::INFO));
    let emission = ids.take().remove(0);
    let expected = [
        ("correlation", "order-7"),
        ("emission", emission.as_str()),
        ("event", "u32"),
        ("listener", "audit"),
        ("signal", "orders"),
        ("traceparent", PARENT),
    ];
    let fields = span.fields.0.iter();
    let fields: Vec<_> = fields
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(fields, expected);

    // What there is not is no field.
    keyed.remove();
    signal.listen().with_delivery().on(logs).unwrap();
    let _ = signal.emit(7).header("traceparent", "nonsense").await;
    let lines = capture.0.take();
    let names: Vec<_> = lines[0].spans[0].fields.0.keys().copied().collect();
    assert_eq!(names, ["emission", "event", "signal"]);
}

#[tokio::test]
async fn the_span_is_of_the_level_that_was_asked_for() {
    let (capture, _guard) = Capture::start();
    for (trace, level) in [(Trace::debug(), Level::DEBUG), (Trace::info(), Level::INFO)] {
        let signal = Signal::<u32>::new();
        let listen = signal.listen().trace(trace);
        listen.on(async |_| log("called")).unwrap();
        let _ = signal.emit(1).await;
        assert_eq!(capture.0.take()[0].spans[0].level, level);
        let stack = signal.describe().to_string();
        assert!(stack.contains(&format!("trace ({level})")), "{stack}");
    }
}

#[tokio::test]
async fn every_listener_of_a_bus_is_in_a_span_but_those_that_leave_it_out() {
    let (capture, _guard) = Capture::start();
    let bus = Bus::builder().trace(Trace::info()).build();
    bus.on(async |_: u32| log("traced"));
    let listen = bus.listen::<u32>().without(Place::Trace);
    listen.on(async |_| log("not traced")).unwrap();
    let _ = bus.emit(1_u32).await;
    assert_eq!(capture.places(), ["traced < - < -", "not traced < -"]);
}

#[tokio::test(start_paused = true)]
async fn listeners_that_run_at_once_are_each_in_their_own_span_whenever_they_go_on() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::builder().trace(Trace::info()).build();
    for key in ["a", "b"] {
        let logs = async move |_| {
            for _ in 0..2 {
                log(key);
                tokio::time::sleep(SECOND).await;
            }
        };
        signal.listen().key(key).on(logs).unwrap();
    }
    let _ = signal.emit(1).await;
    log("outside");
    let expected = [
        "a < a < -",
        "b < b < -",
        "a < a < -",
        "b < b < -",
        "outside",
    ];
    assert_eq!(capture.places(), expected);
}

#[tokio::test(start_paused = true)]
async fn all_attempts_and_what_the_layers_inside_log_are_in_one_span_in_the_background_too() {
    let (capture, _guard) = Capture::start();
    let retry = Retry::constant(SECOND).max_attempts(2);
    for (retry, outcome) in [
        (retry.clone(), Outcome::Done),
        (retry.in_background(), Outcome::Deferred),
    ] {
        let signal = Signal::<u32>::new();
        let fails_first = async |_, d: Delivery| -> Result<(), BoxError> {
            log("called");
            match d.attempt() {
                1 => Err("down".into()),
                _ => Ok(()),
            }
        };
        let inside = tower::util::MapRequestLayer::new(|delivery: Delivery| {
            log("passes");
            delivery
        });
        let listen = signal.listen().key("a").retry(retry).trace(Trace::info());
        let listen = listen.layer_at(Place::Timeout, inside);
        listen.with_delivery().try_on(fails_first).unwrap();
        let report = signal.emit(1).await;
        let deferred = report.count(Outcome::Deferred);
        assert_eq!(deferred, usize::from(outcome == Outcome::Deferred));
        assert!(signal.shutdown(60 * SECOND).await.is_clean());
        let expected = ["passes < a", "called < a", "passes < a", "called < a"];
        assert_eq!(capture.places(), expected);
    }
}
