//! Looking at what a collector was sent.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::collector::Received;

/// The value of an attribute as text, or "-" if there is none.
pub(crate) fn attribute(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|it| it.key == name);
    let value = found.and_then(|it| it.value.as_ref()?.value.as_ref());
    match value {
        None => "-".to_owned(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// All spans of an export.
pub(crate) struct Spans<'a>(Vec<&'a Span>);

impl<'a> Spans<'a> {
    pub(crate) fn of(received: &'a Received) -> Self {
        Self(received.spans().collect())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &'a Span> {
        self.0.iter().copied()
    }

    /// The one call of the listener with this key.
    #[track_caller]
    pub(crate) fn call(&self, key: &str) -> &'a Span {
        let calls = self.all().filter(|it| it.name == "deliver");
        let of: Vec<_> = calls
            .filter(|it| attribute(&it.attributes, "listener") == key)
            .collect();
        let [call] = of.as_slice() else {
            panic!("one call of `{key}`: {of:?}");
        };
        call
    }

    #[track_caller]
    pub(crate) fn parent_of(&self, span: &Span) -> &'a Span {
        let parent = self.all().find(|it| it.span_id == span.parent_span_id);
        parent.unwrap_or_else(|| panic!("a parent of {span:?}"))
    }
}

/// What kind of metric it is.
pub(crate) fn kind(metric: &Metric) -> &'static str {
    match metric.data.as_ref() {
        Some(Data::Sum(sum)) if sum.is_monotonic => "monotonic sum",
        Some(Data::Gauge(_)) => "gauge",
        _ => "another",
    }
}

/// The points of a metric, with their attributes.
pub(crate) fn numbers(metric: &Metric) -> impl Iterator<Item = (&[KeyValue], f64)> {
    let points: &[NumberDataPoint] = match metric.data.as_ref() {
        Some(Data::Sum(sum)) => &sum.data_points,
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        _ => &[],
    };
    points.iter().map(|point| {
        let value = match point.value {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the numbers of a test are small"
            )]
            Some(number_data_point::Value::AsInt(number)) => number as f64,
            Some(number_data_point::Value::AsDouble(number)) => number,
            None => f64::NAN,
        };
        (point.attributes.as_slice(), value)
    })
}
