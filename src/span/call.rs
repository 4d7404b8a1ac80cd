//! The span of a call: one delivery with all its attempts.

use std::sync::Weak;

use tracing::Span;
use tracing::field::{Empty, display};
use tracing::span::Id;

use super::otel;
use super::sampler::{Detail, Sampler};
use crate::clock;
use crate::error::BoxError;
use crate::event::{Delivery, Headers, TRACEPARENT, Traced};
use crate::outcome::{Cause, CauseOf, Outcome};

/// The span of a call, and whether it is known what came of it.
#[derive(Debug)]
pub(crate) struct CallSpan {
    span: Span,
    ended: bool,
}

/// The span of a call, as its emission has decided, or else as the sampler does. Disabled if there is to be none.
pub(crate) fn call_span(sampler: &Sampler, delivery: &Delivery) -> CallSpan {
    let span = if sampler.is_heard() {
        open(sampler, delivery)
    } else {
        Span::none()
    };
    CallSpan { span, ended: false }
}

fn open(sampler: &Sampler, delivery: &Delivery) -> Span {
    let envelope = delivery.envelope();
    let (wanted, decides) = match &envelope.traced {
        Traced::Undecided => {
            warn_of_headers(delivery.signal(), &envelope.headers);
            (sampler.wants(envelope), true)
        }
        Traced::Yes(_) => (true, false),
        Traced::No => (false, false),
    };
    if !wanted {
        if decides {
            delivery.show(|seen| seen.traced = Traced::No);
        }
        return Span::none();
    }
    let emission = match &envelope.traced {
        Traced::Yes(span) => span.upgrade(),
        Traced::Undecided | Traced::No => None,
    };
    let span = make_below(emission.as_deref(), sampler.detail(), delivery);
    if span.is_disabled() {
        if decides {
            delivery.show(|seen| seen.traced = Traced::Yes(Weak::new()));
        }
        return span;
    }
    if let Some(parent) = envelope.headers.traceparent() {
        span.record("traceparent", display(parent));
        if emission.is_none() {
            otel::continue_from(&span, &envelope.headers, parent);
        }
    }
    otel::describe_call(&span, delivery);
    if decides || otel::has_context(&span) {
        delivery.show(|seen| {
            if decides {
                seen.traced = Traced::Yes(Weak::new());
            }
            otel::write_context(&span, &mut seen.headers);
        });
    }
    span
}

/// Where the code runs in no span, as a task on another thread may, it is below that of the emission all the same.
fn make_below(emission: Option<&Span>, detail: Detail, delivery: &Delivery) -> Span {
    let current = Span::current();
    let below = emission.filter(|_| current.is_none()).and_then(|emission| {
        // In the subscriber of the emission, where its span is known: this thread may have another.
        emission.with_subscriber(|(id, dispatch)| {
            tracing::dispatcher::with_default(dispatch, || make(detail, delivery, Some(id.clone())))
        })
    });
    below.unwrap_or_else(|| make(detail, delivery, current.id()))
}

impl CallSpan {
    /// Runs `code` inside the span.
    pub(crate) fn enter<R>(&self, code: impl FnOnce() -> R) -> R {
        self.span.in_scope(code)
    }

    /// Says what came of the call.
    pub(crate) fn finish(&mut self, delivery: &Delivery, error: Option<&BoxError>) {
        self.ended = true;
        if self.span.is_disabled() {
            return;
        }
        delivery.call().leave_span(&self.span);
        let attempts = delivery.call().attempts();
        self.span.record("attempts", attempts);
        let outcome = error.map_or(Outcome::Done, |error| Cause::outcome_of(&**error));
        self.span.record("outcome", outcome.as_str());
        if let Some(error) = error.filter(|_| outcome.is_failure()) {
            let cause = CauseOf(error).to_string();
            if outcome == Outcome::Rejected {
                let (signal, key) = (delivery.signal(), delivery.listener_key());
                self.enter(
                    || tracing::debug!(signal, key, attempt = attempts, %cause, "a call was rejected"),
                );
            }
            otel::fail(&self.span, outcome, &cause);
        }
    }

    /// Says that a layer has panicked. What a listener panics with is the error of its call.
    pub(crate) fn panicked(&mut self, delivery: &Delivery) {
        self.end(delivery, Outcome::Panicked, "a layer panicked");
    }

    /// Says that the call was dropped before its end, if it was: the time of its emission was over, or its emission was dropped.
    pub(crate) fn give_up(&mut self, delivery: &Delivery) {
        if self.ended || self.span.is_disabled() {
            return;
        }
        // What goes on in the background has no deadline of its emission.
        let deadline = delivery.envelope().deadline;
        let deadline = deadline.filter(|_| !delivery.call().is_in_background());
        if deadline.is_some_and(|at| at <= clock::now()) {
            let why = "the time of the emission was over";
            self.end(delivery, Outcome::TimedOut, why);
        } else {
            self.end(delivery, Outcome::Cancelled, "the call was dropped");
        }
    }

    fn end(&mut self, delivery: &Delivery, outcome: Outcome, why: &str) {
        self.ended = true;
        if !self.span.is_disabled() {
            delivery.call().leave_span(&self.span);
            self.span.record("attempts", delivery.call().attempts());
            self.span.record("outcome", outcome.as_str());
            otel::fail(&self.span, outcome, why);
        }
    }
}

/// Says of a `traceparent` that is not well formed that it is passed over.
pub(super) fn warn_of_headers(signal: &str, headers: &Headers) {
    if let (Some(value), None) = (headers.get(TRACEPARENT), headers.traceparent()) {
        tracing::debug!(
            signal,
            header = TRACEPARENT,
            value,
            "a header is not well formed"
        );
    }
}

fn make(detail: Detail, delivery: &Delivery, parent: Option<Id>) -> Span {
    macro_rules! deliver {
        ($make:ident) => {
            tracing::$make!(
                parent: parent,
                "deliver",
                signal = delivery.signal(),
                listener = delivery.listener_key(),
                event = delivery.event_type(),
                emission = delivery.emission_id(),
                correlation = delivery.correlation_id(),
                traceparent = Empty,
                attempts = Empty,
                outcome = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty,
            )
        };
    }
    match detail {
        Detail::Debug => deliver!(debug_span),
        Detail::Info => deliver!(info_span),
    }
}
