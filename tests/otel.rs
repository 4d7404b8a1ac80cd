//! What OpenTelemetry's own types say of what is exported, from a service to a collector. A binary of its own: providers and subscriber are those of the process.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "../examples/otel/collector.rs"]
mod collector;
#[path = "support/decoded.rs"]
mod decoded;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector::{Collector, Received};
use decoded::{Spans, attribute, numbers};
use fanfare::layer::{Retry, Trace};
use fanfare::observe::otel::Instruments;
use fanfare::{BoxError, Bus, Delivery, Dispatch, Metrics, Pool, Signal};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const LIMIT: Duration = Duration::from_secs(60);

/// The providers of a service that exports to the collector.
struct Providers {
    tracer: SdkTracerProvider,
    meter: SdkMeterProvider,
}

impl Providers {
    fn new(collector: &Collector) -> Self {
        let resource = Resource::builder().with_service_name("shop").build();
        let at = |path| format!("{}/v1/{path}", collector.endpoint());
        let spans = SpanExporter::builder().with_http();
        let spans = spans.with_protocol(Protocol::HttpBinary);
        let spans = spans.with_endpoint(at("traces")).build().unwrap();
        let metrics = MetricExporter::builder().with_http();
        let metrics = metrics.with_protocol(Protocol::HttpBinary);
        let metrics = metrics.with_endpoint(at("metrics")).build().unwrap();
        Self {
            tracer: SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(spans)
                .build(),
            meter: SdkMeterProvider::builder()
                .with_resource(resource)
                .with_periodic_exporter(metrics)
                .build(),
        }
    }

    /// Makes them those of the process.
    fn install(&self) {
        opentelemetry::global::set_meter_provider(self.meter.clone());
        let layer = tracing_opentelemetry::layer().with_tracer(self.tracer.tracer("shop"));
        let filter = EnvFilter::new("fanfare=debug,otel=info");
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    }

    /// Sends all there is, off the runtime's threads: the exporter blocks.
    async fn flush(&self) {
        let (tracer, meter) = (self.tracer.clone(), self.meter.clone());
        let flush = move || {
            tracer.force_flush().unwrap();
            meter.force_flush().unwrap();
        };
        tokio::task::spawn_blocking(flush).await.unwrap();
    }
}

/// What listeners were shown of their traces, by their keys.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<(String, String, String)>>>);

impl Shown {
    fn note(&self, delivery: &Delivery) {
        let key = delivery.listener_key().unwrap().to_owned();
        let header = |name| delivery.header(name).unwrap_or("-").to_owned();
        let shown = (key, header("traceparent"), header("tracestate"));
        self.0.lock().unwrap().push(shown);
    }

    /// The two headers that the listener of this key was shown, once.
    #[track_caller]
    fn to(&self, key: &str) -> (String, String) {
        let all = self.0.lock().unwrap();
        let mut to = all.iter().filter(|(whose, ..)| whose == key);
        let (_, parent, state) = to.next().unwrap_or_else(|| panic!("{key} was called"));
        assert!(to.next().is_none(), "{key} was called once");
        (parent.clone(), state.clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_is_what_happened() {
    let collector = Collector::start();
    let providers = Providers::new(&collector);
    let sampled = Signal::<u8>::builder().name("sampled");
    let sampled = sampled.trace(Trace::info().sample(3)).build();
    sampled.on(async |_| {});
    // No subscriber is there yet: nothing is decided.
    let _ = sampled.emit(1).await;
    providers.install();
    let _ = sampled.emit(2).await;
    let _ = sampled.emit(3).await;

    let bus = Bus::builder().name("bus").trace(Trace::info()).build();
    bus.set_metrics(Metrics::Timed).unwrap();
    let instruments = Instruments::of(&bus);
    let shown = Shown::default();
    emit_from_elsewhere(&bus, &shown).await;
    emit_and_fail(&bus).await;
    // A collection in between: the next one is of its own moment.
    providers.flush().await;
    emit_in_every_way(&bus, &shown).await;
    providers.flush().await;

    let received = collector.received();
    let spans = Spans::of(&received);
    look_at_resources(&received);
    let sampled = spans
        .all()
        .filter(|it| attribute(&it.attributes, "signal") == "sampled");
    let sampled = sampled.filter(|it| it.name == "emit");
    assert_eq!(sampled.count(), 1);
    look_at_what_came_from_elsewhere(&spans, &shown);
    look_at_failures(&spans);
    look_at_every_way(&spans, &shown);
    look_at_metrics(&received);

    drop(instruments);
    providers.flush().await;
    let last = &collector.received().metrics[received.metrics.len()..];
    let last = Received {
        metrics: last.to_vec(),
        ..Received::default()
    };
    let left = last.metrics().flat_map(numbers).count();
    assert_eq!(left, 0, "the instruments are gone");
    let (tracer, meter) = (providers.tracer, providers.meter);
    let stop = move || {
        tracer.shutdown().unwrap();
        meter.shutdown().unwrap();
    };
    tokio::task::spawn_blocking(stop).await.unwrap();
}

/// An event with a trace that began elsewhere, and one that is emitted because of it.
async fn emit_from_elsewhere(bus: &Bus, shown: &Shown) {
    let (outer, inner) = (shown.clone(), shown.clone());
    let listen = bus.listen::<String>().key("nested").with_delivery();
    listen.on(async move |_, d| inner.note(&d)).unwrap();
    let weak = bus.downgrade();
    let emits = async move |n: u32, d: Delivery| {
        if n > 0 {
            outer.note(&d);
            let _ = weak.upgrade().unwrap().emit(n.to_string()).await;
        } else {
            // Not sampled: as it came.
            let came = d.header("traceparent").unwrap();
            assert_eq!(came, format!("00-{TRACE}-{PARENT}-00"));
        }
    };
    let listen = bus.listen::<u32>().key("outer").with_delivery();
    listen.on(emits).unwrap();
    for (n, flag) in [(7_u32, "01"), (0, "00")] {
        let emission = bus.emit(n).correlation_id("order-7");
        let emission = emission.header("traceparent", format!("00-{TRACE}-{PARENT}-{flag}"));
        assert!(emission.header("tracestate", "vendor=opaque").await.is_ok());
    }
}

async fn emit_and_fail(bus: &Bus) {
    let retry = Retry::constant(Duration::from_millis(1)).max_attempts(2);
    let fails = async |_: u64| -> Result<(), BoxError> { Err("down".into()) };
    let listen = bus.listen::<u64>().key("fails").retry(retry);
    listen.try_on(fails).unwrap();
    bus.listen::<u64>().key("works").on(async |_| {}).unwrap();
    assert_eq!(bus.emit(1_u64).await.failed(), 1);
    let dropped = bus.listen::<u16>().key("waits");
    dropped
        .on(async |_| std::future::pending::<()>().await)
        .unwrap();
    let emission = tokio::time::timeout(Duration::ZERO, bus.emit(1_u16)).await;
    assert!(emission.is_err());
}

/// Tasks of a pool, a thread, the background, and an event that nobody waits for.
async fn emit_in_every_way(bus: &Bus, shown: &Shown) {
    let builder = Signal::<i64>::builder().name("ways").trace(Trace::info());
    let ways = builder
        .dispatch(Dispatch::Parallel)
        .pool(Pool::new(2))
        .build();
    for key in ["task 1", "task 2", "task 3"] {
        let shown = shown.clone();
        let notes = async move |_, d: Delivery| {
            tokio::task::yield_now().await;
            shown.note(&d);
        };
        ways.listen().key(key).with_delivery().on(notes).unwrap();
    }
    let blocks = |_| tracing::info!(target: "otel", "on a thread");
    ways.listen().key("thread").on_blocking(blocks).unwrap();
    let retry = Retry::constant(Duration::from_millis(1)).in_background();
    let again = async |_, d: Delivery| -> Result<(), BoxError> {
        match d.attempt() {
            1 => Err("not yet".into()),
            _ => Ok(()),
        }
    };
    let listen = ways.listen().key("background").retry(retry);
    listen.with_delivery().try_on(again).unwrap();
    let report = tokio::time::timeout(LIMIT, ways.emit(1)).await.unwrap();
    assert_eq!(report.delivered(), 4);
    assert!(ways.shutdown(LIMIT).await.is_clean());
    bus.listen::<i8>().key("detached").on(async |_| {}).unwrap();
    bus.emit_detached(1_i8).unwrap();
    assert!(bus.shutdown(LIMIT).await.is_clean());
}

fn look_at_resources(received: &Received) {
    let traces = received.traces.iter().flat_map(|it| &it.resource_spans);
    let metrics = received.metrics.iter().flat_map(|it| &it.resource_metrics);
    let resources = traces.map(|it| &it.resource);
    let mut seen = 0;
    for resource in resources.chain(metrics.map(|it| &it.resource)) {
        let resource = resource.as_ref().unwrap();
        assert_eq!(attribute(&resource.attributes, "service.name"), "shop");
        seen += 1;
    }
    assert!(seen >= 2, "spans and metrics: {seen}");
}

fn status(span: &Span) -> (StatusCode, &str) {
    let status = span.status.as_ref();
    status.map_or((StatusCode::Unset, ""), |it| (it.code(), &it.message))
}

fn look_at_what_came_from_elsewhere(spans: &Spans<'_>, shown: &Shown) {
    let outer = spans.call("outer");
    let emit = spans.parent_of(outer);
    assert_eq!(
        (emit.name.as_str(), outer.name.as_str()),
        ("emit", "deliver")
    );
    assert_eq!(decoded::hex(&emit.trace_id), TRACE);
    assert_eq!(decoded::hex(&emit.parent_span_id), PARENT);
    assert_eq!(emit.trace_state, "vendor=opaque");
    assert_eq!(
        (status(emit).0, status(outer).0),
        (StatusCode::Unset, StatusCode::Unset)
    );
    assert_eq!(
        (emit.kind(), outer.kind()),
        (SpanKind::Internal, SpanKind::Internal)
    );
    // Whoever goes on from what a listener was shown goes on from its own call.
    let of = |span: &Span| format!("00-{TRACE}-{}-01", decoded::hex(&span.span_id));
    assert_eq!(shown.to("outer"), (of(outer), "vendor=opaque".to_owned()));
    let nested = spans.call("nested");
    assert_eq!(shown.to("nested"), (of(nested), "vendor=opaque".to_owned()));
    assert_eq!(
        spans.parent_of(spans.parent_of(nested)).span_id,
        outer.span_id
    );
    for (name, value) in [
        ("messaging.system", "fanfare"),
        ("messaging.destination.name", "u32"),
        ("messaging.operation.name", "deliver"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.subscription.name", "outer"),
        ("messaging.message.conversation_id", "order-7"),
    ] {
        assert_eq!(attribute(&outer.attributes, name), value, "{name}");
    }
    let emission = attribute(&emit.attributes, "emission");
    assert_eq!(
        attribute(&emit.attributes, "messaging.message.id"),
        emission
    );
}

fn look_at_failures(spans: &Spans<'_>) {
    let (fails, works) = (spans.call("fails"), spans.call("works"));
    assert_eq!(status(fails), (StatusCode::Error, "failed: down"));
    assert_eq!(status(works).0, StatusCode::Unset);
    assert_eq!(attribute(&fails.attributes, "error.type"), "failed");
    let emit = spans.parent_of(fails);
    assert_eq!(emit.span_id, spans.parent_of(works).span_id);
    let expected = "1 of 2 listeners did not succeed, the first: `fails` failed: down";
    assert_eq!(status(emit), (StatusCode::Error, expected));
    let [retry] = fails.events.as_slice() else {
        panic!("one event: {:?}", fails.events);
    };
    assert_eq!(retry.name, "another attempt");
    assert_eq!(attribute(&retry.attributes, "attempt"), "2");
    assert_eq!(attribute(&retry.attributes, "cause"), "failed: down");
    assert_eq!(emit.events[0].name, "a listener did not succeed");
    let waits = spans.call("waits");
    assert_eq!(status(waits), (StatusCode::Error, "the call was dropped"));
    let dropped = spans.parent_of(waits);
    assert_eq!(
        status(dropped),
        (StatusCode::Error, "the emission was dropped")
    );
}

fn look_at_every_way(spans: &Spans<'_>, shown: &Shown) {
    let keys = ["task 1", "task 2", "task 3", "thread", "background"];
    let emit = spans.parent_of(spans.call("thread"));
    assert!(emit.parent_span_id.is_empty());
    for key in keys {
        let call = spans.call(key);
        assert_eq!(call.parent_span_id, emit.span_id, "{key}");
        assert_eq!(call.trace_id, emit.trace_id, "{key}");
        if key.starts_with("task") {
            let (trace, span) = (decoded::hex(&call.trace_id), decoded::hex(&call.span_id));
            assert_eq!(shown.to(key).0, format!("00-{trace}-{span}-01"));
        }
    }
    assert_eq!(spans.call("thread").events[0].name, "on a thread");
    assert_eq!(
        attribute(&spans.call("background").attributes, "attempts"),
        "2"
    );
    assert_eq!(attribute(&emit.attributes, "deferred"), "1");
    let detached = spans.parent_of(spans.call("detached"));
    assert_eq!(detached.kind(), SpanKind::Consumer);
}

fn look_at_metrics(received: &Received) {
    let value = |name: &str, labels: &[(&str, &str)]| {
        let metrics: Vec<_> = received.metrics().filter(|it| it.name == name).collect();
        let metric = metrics.last().unwrap_or_else(|| panic!("{name}"));
        let mut points = numbers(metric);
        let found = points.find(|(attributes, _)| {
            labels
                .iter()
                .all(|(label, value)| attribute(attributes, label) == *value)
        });
        let (_, value) = found.unwrap_or_else(|| panic!("{name} {labels:?}: {metric:?}"));
        (metric.unit.clone(), decoded::kind(metric), value)
    };
    let counter = |number| (String::new(), "monotonic sum", number);
    let of_orders = [("bus", "bus"), ("signal", "u32")];
    assert_eq!(value("fanfare.emissions", &of_orders), counter(2.0));
    let failed = [("signal", "u64"), ("outcome", "failed")];
    assert_eq!(value("fanfare.outcomes", &failed), counter(1.0));
    let outer = [("signal", "u32"), ("listener", "outer")];
    assert_eq!(value("fanfare.listener.calls", &outer), counter(2.0));
    let open = (String::new(), "gauge", 1.0);
    assert_eq!(value("fanfare.bus.closed", &[("bus", "bus")]), open);
    assert_eq!(
        value("fanfare.listener.duration.count", &outer),
        counter(2.0)
    );
    let (unit, kind, sum) = value("fanfare.listener.duration.sum", &outer);
    assert_eq!((unit.as_str(), kind), ("s", "monotonic sum"));
    let mut before = 0.0;
    for quantile in ["0.5", "0.9", "0.99", "max"] {
        let labels = [outer[0], outer[1], ("quantile", quantile)];
        let (unit, kind, time) = value("fanfare.listener.duration", &labels);
        assert_eq!((unit.as_str(), kind), ("s", "gauge"));
        assert!(
            time > 0.0 && time >= before && time <= 2.0 * sum,
            "{quantile}: {time}"
        );
        before = time;
    }
}
