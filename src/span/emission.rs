//! The span of an emission.

use std::sync::{Arc, Weak};

use tracing::Span;
use tracing::field::{Empty, display};

use super::sampler::{Detail, Sampler};
use super::{call, otel};
use crate::event::{Envelope, Traced};
use crate::outcome::{Outcome, Report};

/// What the span of an emission says from its beginning.
pub(crate) struct Emitted<'a> {
    pub(crate) signal: &'a str,
    pub(crate) event: &'static str,
    pub(crate) listeners: usize,
    /// Nobody awaits it.
    pub(crate) unattended: bool,
}

/// The span of an emission, while that goes on. The calls have it weakly: what keeps a delivery does not keep the span.
pub(crate) struct EmissionSpan(Arc<Span>);

impl EmissionSpan {
    /// Decides, and notes in the envelope what came of it. `None` if there is to be no span, or nobody asks for it.
    pub(crate) fn open(
        sampler: &Sampler,
        envelope: &mut Envelope,
        emitted: &Emitted<'_>,
    ) -> Option<Self> {
        call::warn_of_headers(emitted.signal, &envelope.headers);
        if !sampler.wants(envelope) {
            envelope.traced = Traced::No;
            return None;
        }
        let span = make(sampler.detail(), envelope, emitted);
        if span.is_disabled() {
            // A filter leaves out this span, and not what is below it.
            envelope.traced = Traced::Yes(Weak::new());
            return None;
        }
        if let Some(parent) = envelope.headers.traceparent() {
            span.record("traceparent", display(parent));
            otel::continue_from(&span, &envelope.headers, parent);
        }
        otel::describe_emission(&span, envelope, emitted);
        otel::write_context(&span, &mut envelope.headers);
        let span = Arc::new(span);
        envelope.traced = Traced::Yes(Arc::downgrade(&span));
        Some(Self(span))
    }

    /// Runs `code` inside the span.
    pub(crate) fn enter<R>(&self, code: impl FnOnce() -> R) -> R {
        self.0.in_scope(code)
    }

    /// Says what came of the emission.
    pub(crate) fn finish(&self, report: &Report) {
        self.count(report);
        let failures = report.failures().count();
        let outcome = match report.failures().next() {
            None => "done",
            Some(first) => {
                let description = format!(
                    "{failures} of {} listeners did not succeed, the first: {first}",
                    report.listeners()
                );
                otel::fail(&self.0, first.outcome(), &description);
                "failed"
            }
        };
        self.0.record("outcome", outcome);
    }

    fn count(&self, report: &Report) {
        for outcome in Outcome::ALL {
            let listeners = report.count(outcome);
            if listeners > 0 {
                self.0.record(outcome.as_str(), listeners);
            }
        }
    }

    /// Says that the emission was dropped before its end.
    pub(crate) fn drop_unfinished(&self, report: &Report) {
        self.count(report);
        self.0.record("outcome", Outcome::Cancelled.as_str());
        otel::fail(&self.0, Outcome::Cancelled, "the emission was dropped");
    }
}

fn make(detail: Detail, envelope: &Envelope, emitted: &Emitted<'_>) -> Span {
    macro_rules! emit {
        ($make:ident) => {
            tracing::$make!(
                "emit",
                signal = emitted.signal,
                event = emitted.event,
                emission = envelope.id,
                correlation = envelope.correlation.as_deref(),
                listeners = emitted.listeners,
                traceparent = Empty,
                outcome = Empty,
                done = Empty,
                failed = Empty,
                panicked = Empty,
                timed_out = Empty,
                rejected = Empty,
                cancelled = Empty,
                deferred = Empty,
                skipped = Empty,
                otel.kind = emitted.unattended.then_some("consumer"),
                otel.status_code = Empty,
                otel.status_description = Empty,
            )
        };
    }
    match detail {
        Detail::Debug => emit!(debug_span),
        Detail::Info => emit!(info_span),
    }
}
