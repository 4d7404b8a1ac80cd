//! Spans and metrics of a bus over OTLP.
//!
//! `cargo run --example otel --features otel` sends them to a collector in this process, which prints what it has decoded. With `OTEL_EXPORTER_OTLP_ENDPOINT=http://host:4318` they go there.

mod collector;

use std::error::Error;
use std::time::Duration;

use collector::{Collector, Received};
use fanfare::layer::{Retry, Trace};
use fanfare::observe::otel::Instruments;
use fanfare::{BoxError, Bus, Delivery, Metrics};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;

#[derive(Clone)]
struct OrderPlaced {
    total: u32,
}

#[derive(Clone)]
struct ParcelPacked;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let elsewhere = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok();
    let here = elsewhere.is_none().then(Collector::start);
    let endpoint = elsewhere.or_else(|| here.as_ref().map(Collector::endpoint));
    let (tracer, meter) = providers(&endpoint.unwrap_or_default())?;

    // All there is to do for Fanfare: a trace on the bus, its instruments, and the layer of `tracing-opentelemetry` in the subscriber.
    opentelemetry::global::set_meter_provider(meter.clone());
    let layer = tracing_opentelemetry::layer().with_tracer(tracer.tracer("shop"));
    let filter = EnvFilter::new("fanfare=debug,otel=info");
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    tracing::subscriber::set_global_default(subscriber)?;
    let bus = Bus::builder()
        .name("shop")
        .metrics(Metrics::Timed)
        .trace(Trace::info())
        .build();
    let instruments = Instruments::of(&bus);

    listen(&bus)?;
    for (total, id) in [(120, "order-7"), (0, "order-8")] {
        let report = bus.emit(OrderPlaced { total }).correlation_id(id).await;
        println!("{id}: {report}");
    }

    // The exporter blocks, and what it waits for may need this runtime: off its threads.
    let flush = move || -> Result<(), opentelemetry_sdk::error::OTelSdkError> {
        tracer.shutdown()?;
        meter.shutdown()
    };
    tokio::task::spawn_blocking(flush).await??;
    drop(instruments);
    if let Some(collector) = here {
        print_all(&collector.received());
    }
    Ok(())
}

fn listen(bus: &Bus) -> Result<(), Box<dyn Error>> {
    let charges = async |order: OrderPlaced, delivery: Delivery| -> Result<(), BoxError> {
        match (order.total, delivery.attempt()) {
            (0, _) => Err("nothing to charge".into()),
            (_, 1) => Err("the bank is busy".into()),
            _ => Ok(()),
        }
    };
    let retry = Retry::constant(Duration::from_millis(5)).max_attempts(2);
    let charge = bus.listen().key("charge").retry(retry);
    charge.with_delivery().try_on(charges)?;

    let weak = bus.downgrade();
    let packs = async move |_: OrderPlaced| {
        if let Some(bus) = weak.upgrade() {
            let _ = bus.emit(ParcelPacked).await;
        }
    };
    bus.listen().key("pack").on(packs)?;

    let ships = async |_: ParcelPacked, delivery: Delivery| {
        // For the request to another service, which goes on with this trace.
        assert!(delivery.header("traceparent").is_some());
    };
    let ship = bus.listen::<ParcelPacked>().key("ship");
    ship.with_delivery().on(ships)?;
    Ok(())
}

fn providers(endpoint: &str) -> Result<(SdkTracerProvider, SdkMeterProvider), Box<dyn Error>> {
    let resource = Resource::builder().with_service_name("shop").build();
    let spans = SpanExporter::builder().with_http();
    let spans = spans.with_protocol(Protocol::HttpBinary);
    let spans = spans.with_endpoint(format!("{endpoint}/v1/traces"));
    let tracer = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(spans.build()?)
        .build();
    let metrics = MetricExporter::builder().with_http();
    let metrics = metrics.with_protocol(Protocol::HttpBinary);
    let metrics = metrics.with_endpoint(format!("{endpoint}/v1/metrics"));
    let meter = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_periodic_exporter(metrics.build()?)
        .build();
    Ok((tracer, meter))
}

fn print_all(received: &Received) {
    let mut spans: Vec<&Span> = received.spans().collect();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    println!("\nspans");
    for root in spans.iter().filter(|span| span.parent_span_id.is_empty()) {
        print_span(root, &spans, 1);
    }
    println!("\nmetrics");
    for metric in received.metrics() {
        print_metric(metric);
    }
}

fn print_span(span: &Span, all: &[&Span], depth: usize) {
    let who = ["listener", "signal"].map(|name| text(&span.attributes, name));
    let who = who.into_iter().flatten().next().unwrap_or_default();
    let status = span.status.as_ref().map_or("", |status| &status.message);
    let indent = "  ".repeat(depth);
    println!("{indent}{} {who} {status}", span.name);
    for event in &span.events {
        println!("{indent}  - {}", event.name);
    }
    for child in all.iter().filter(|it| it.parent_span_id == span.span_id) {
        print_span(child, all, depth + 1);
    }
}

fn print_metric(metric: &Metric) {
    let points = match &metric.data {
        Some(Data::Sum(sum)) => &sum.data_points,
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        _ => return,
    };
    for point in points {
        let labels = point.attributes.iter().map(|label| {
            let value = text(&point.attributes, &label.key).unwrap_or_default();
            format!("{}={value}", label.key)
        });
        let mut labels: Vec<_> = labels.collect();
        labels.sort();
        let value = match point.value {
            Some(number_data_point::Value::AsInt(0)) | None => continue,
            Some(number_data_point::Value::AsInt(number)) => number.to_string(),
            Some(number_data_point::Value::AsDouble(number)) => format!("{number:.6}"),
        };
        let (name, unit) = (&metric.name, &metric.unit);
        println!("  {name} {{{}}} {value} {unit}", labels.join(", "));
    }
}

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|it| it.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
