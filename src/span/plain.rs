//! Spans without the feature `otel`: a header is passed on as it came. `otel.rs` is the twin.

use tracing::Span;

use super::Emitted;
use crate::event::{Delivery, Envelope, Headers, TraceParent};
use crate::outcome::Outcome;

/// A trace that came from elsewhere is a field, no more.
pub(super) fn continue_from(_: &Span, _: &Headers, _: TraceParent) {}

pub(super) fn describe_emission(_: &Span, _: &Envelope, _: &Emitted<'_>) {}

pub(super) fn describe_call(_: &Span, _: &Delivery) {}

/// Whether a span has an id that another service can go on from.
pub(super) fn has_context(_: &Span) -> bool {
    false
}

pub(super) fn write_context(_: &Span, _: &mut Headers) {}

/// Says that what the span is of has failed, in the fields that a bridge to OpenTelemetry reads.
pub(super) fn fail(span: &Span, _: Outcome, description: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", description);
}
