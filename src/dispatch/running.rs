//! One call of a listener while it runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::context::{self, CallContext, Lease};
use crate::listener::Slot;
use crate::outcome::{Cause, Flow, catch};
use crate::pool::{Acquire, Permit};
use crate::registry::Record;

/// That a listener is being called: its in-flight mark, and the permit that it runs on. Dropping it gives both back, in that order: whoever sees the
/// permit free sees the mark gone.
pub(super) struct Occupancy {
    pub(super) record: Arc<Record>,
    pub(super) lease: Option<Arc<Lease>>,
}

impl Occupancy {
    /// Ends the call and keeps its permit for the next one.
    pub(super) fn end(self) -> Option<Permit> {
        self.lease.as_ref().and_then(|lease| lease.end())
    }
}

impl Drop for Occupancy {
    fn drop(&mut self) {
        self.record.leave();
        if let Some(lease) = &self.lease {
            drop(lease.end());
        }
    }
}

/// What came of one call.
pub(super) struct Finished {
    pub(super) index: usize,
    pub(super) record: Arc<Record>,
    pub(super) flow: Flow,
    pub(super) duration: Option<Duration>,
}

/// A call that has been started and has not finished. The future comes first: it is dropped before mark and permit go back.
pub(super) struct Running {
    pub(super) index: usize,
    pub(super) record: Arc<Record>,
    pub(super) slot: Option<Slot>,
    /// Absent for a blocking listener: its thread has the context, the mark and the permit until it returns.
    pub(super) call: Option<(Arc<CallContext>, Occupancy)>,
    pub(super) started: Option<Instant>,
    pub(super) taking: Option<Acquire>,
}

impl Running {
    pub(super) fn is_blocking(&self) -> bool {
        self.call.is_none()
    }

    /// Polls the listener with its context set; a panic ends the call.
    pub(super) fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Finished> {
        let _entered = match &self.call {
            None => None,
            Some((context, occupancy)) => {
                if let Some(lease) = &occupancy.lease {
                    ready!(lease.poll_may_run(cx, &mut self.taking));
                }
                Some(context::enter(Arc::clone(context)))
            }
        };
        let slot = self
            .slot
            .as_mut()
            .expect("a call is not polled after it finished");
        let flow = match catch(|| slot.poll(cx)) {
            Ok(Poll::Pending) => {
                self.suspend();
                return Poll::Pending;
            }
            Ok(Poll::Ready(verdict)) => verdict.0,
            Err(message) => Flow::Not(Cause::Panicked(message)),
        };
        let flow = self.drop_future().unwrap_or(flow);
        Poll::Ready(Finished {
            index: self.index,
            record: Arc::clone(&self.record),
            flow,
            duration: self
                .started
                .map(|since| clock::now().saturating_duration_since(since)),
        })
    }

    fn suspend(&self) {
        if let Some((_, occupancy)) = &self.call {
            if let Some(lease) = &occupancy.lease {
                lease.suspend();
            }
        }
    }

    /// Drops the future. A panic in its drop makes the call a panicked one.
    pub(super) fn drop_future(&mut self) -> Option<Flow> {
        let slot = self.slot.take()?;
        let panicked = catch(|| drop(slot)).err()?;
        Some(Flow::Not(Cause::Panicked(panicked)))
    }
}

impl Future for Running {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finished> {
        self.poll_call(cx)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A call that is dropped has been reported as cancelled already, so a panic in the drop of its future can only be counted.
        let _entered = self
            .call
            .as_ref()
            .map(|(context, _)| context::enter(Arc::clone(context)));
        if let Some(Flow::Not(cause)) = self.drop_future() {
            self.record.counters.not_done(&cause);
            tracing::error!(listener = %self.record.identity, %cause, "a cancelled listener panicked while it was dropped");
        }
    }
}
