//! What OpenTelemetry makes of spans. `plain.rs` is the twin without the feature.
//!
//! Through `tracing-opentelemetry`: where its layer is not part of the subscriber, nothing here has an effect.

use std::str::FromStr as _;

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::Emitted;
use crate::event::{Delivery, Envelope, Headers, TRACESTATE, TraceParent};
use crate::outcome::Outcome;

/// What `messaging.system` is called.
const SYSTEM: &str = "fanfare";

/// Makes the trace that a header names the one of the span, unless the code runs in a span of that trace already.
pub(super) fn continue_from(span: &Span, headers: &Headers, parent: TraceParent) {
    let trace_id = TraceId::from(parent.trace_id());
    let current = Span::current();
    if !current.is_none() && current.context().span().span_context().trace_id() == trace_id {
        return;
    }
    let state = headers.get(TRACESTATE).unwrap_or_default();
    let flags = TraceFlags::default().with_sampled(parent.is_sampled());
    let remote = SpanContext::new(
        trace_id,
        SpanId::from(parent.parent_id()),
        flags,
        true,
        TraceState::from_str(state).unwrap_or_default(),
    );
    // It fails where there is no layer, or the span is not of its interest.
    let _ = span.set_parent(Context::new().with_remote_span_context(remote));
}

pub(super) fn describe_emission(span: &Span, envelope: &Envelope, emitted: &Emitted<'_>) {
    let operation = if emitted.unattended {
        "process"
    } else {
        "send"
    };
    describe(span, emitted.signal, "emit", operation, envelope);
}

pub(super) fn describe_call(span: &Span, delivery: &Delivery) {
    let envelope = delivery.envelope();
    describe(span, delivery.signal(), "deliver", "process", envelope);
    if let Some(key) = delivery.listener_key() {
        span.set_attribute("messaging.destination.subscription.name", key.to_owned());
    }
}

/// In the words of <https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/>.
fn describe(
    span: &Span,
    signal: &str,
    name: &'static str,
    operation: &'static str,
    envelope: &Envelope,
) {
    span.set_attribute("messaging.system", SYSTEM);
    span.set_attribute("messaging.destination.name", signal.to_owned());
    span.set_attribute("messaging.operation.name", name);
    span.set_attribute("messaging.operation.type", operation);
    span.set_attribute("messaging.message.id", envelope.id.to_string());
    if let Some(correlation) = &envelope.correlation {
        let id = correlation.as_ref().to_owned();
        span.set_attribute("messaging.message.conversation_id", id);
    }
}

/// Whether a span has an id that another service can go on from.
pub(super) fn has_context(span: &Span) -> bool {
    span.context().span().span_context().is_valid()
}

/// Puts the span's own id where those look who go on from it.
pub(super) fn write_context(span: &Span, headers: &mut Headers) {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    let own = TraceParent::new(
        u128::from_be_bytes(context.trace_id().to_bytes()),
        u64::from_be_bytes(context.span_id().to_bytes()),
        context.is_sampled(),
    );
    let Some(own) = own else { return };
    headers.set_traceparent(own);
    let state = context.trace_state().header();
    if state.is_empty() {
        headers.remove(TRACESTATE);
    } else {
        headers.insert(TRACESTATE, state);
    }
}

/// Says that what the span is of has failed.
pub(super) fn fail(span: &Span, outcome: Outcome, description: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", description);
    span.set_attribute("error.type", outcome.as_str());
}
