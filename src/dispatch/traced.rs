//! The span of an emission whose signal has a `Trace`.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::emission::{Phase, State};
use super::running::Place;
use crate::context::{Outer, cause};
use crate::event::Event;
use crate::outcome::{Cancellation, Report};
use crate::registry::Deliveries;
use crate::span::{EmissionSpan, Emitted, Sampler};

impl<E: Event> State<'_, E> {
    /// Begins what is more than a pass, or goes on with it in a later poll.
    #[inline]
    pub(super) fn go_on(
        &mut self,
        begins: bool,
        own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        version: u64,
        probe: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        if self.core.spans.is_some() {
            return self.go_on_in_span(begins, own, outer, version, probe, cx);
        }
        if begins {
            self.begin(outer);
        }
        self.poll_on(own, outer, version, probe, cx)
    }

    /// The same, inside a span if there is one: all of it, user code included. The first poll decides, and opens it.
    #[inline(never)]
    fn go_on_in_span(
        &mut self,
        begins: bool,
        own: Pin<&mut Place<E>>,
        outer: Outer<'_>,
        version: u64,
        probe: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Report> {
        let span = if begins {
            self.open_span()
        } else {
            self.more().span.take()
        };
        let poll = || {
            if begins {
                self.begin(outer);
            }
            self.poll_on(own, outer, version, probe, cx)
        };
        let Some(span) = span else { return poll() };
        let polled = span.enter(poll);
        match &polled {
            Poll::Ready(report) => span.finish(report),
            Poll::Pending => self.more().span = Some(span),
        }
        polled
    }

    /// Whether its signal has a `Trace` that somebody asks for.
    #[inline]
    pub(super) fn is_traced(&self) -> bool {
        let spans = self.core.spans.as_deref();
        spans.is_some_and(Sampler::is_heard)
    }

    /// Decides whether there is a span, and opens it.
    #[inline(never)]
    fn open_span(&mut self) -> Option<EmissionSpan> {
        let core = self.core;
        let sampler = core.spans.as_deref().filter(|it| it.is_heard())?;
        let list = self.snapshot();
        // What shares the event has found out what it was caused by.
        let unshared = list.deliveries == Deliveries::None && !list.of_held;
        let emitted = Emitted {
            signal: &core.name,
            event: core.event_type,
            listeners: list.entries.len(),
            unattended: self.if_dropped == Cancellation::RuntimeEnded,
        };
        let envelope = self.payload.envelope_mut();
        if let (true, Some(cause)) = (unshared, cause()) {
            envelope.caused_by(&cause);
        }
        EmissionSpan::open(sampler, envelope, &emitted)
    }

    /// The emission is dropped.
    pub(super) fn abandon_traced(&mut self, abandon: impl FnOnce(&mut Self)) {
        let span = self.more.as_mut().and_then(|more| more.span.take());
        if self.phase == Phase::Returning {
            // All listeners are done: there is nothing to abandon but the wait for the outer one's permit.
            if let Some(span) = span {
                span.finish(&self.tally.finish());
            }
            return;
        }
        let Some(span) = span else {
            return abandon(self);
        };
        span.enter(|| abandon(self));
        span.drop_unfinished(&self.tally.finish());
    }
}
