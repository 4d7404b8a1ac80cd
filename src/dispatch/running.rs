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

/// The in-flight mark of a call that has not suspended; dropping it takes the mark back. Borrowed: most calls end where they began.
pub(super) struct Mark<'a>(&'a Arc<Record>);

impl<'a> Mark<'a> {
    /// `None` if the listener was removed.
    pub(super) fn set(record: &'a Arc<Record>) -> Option<Self> {
        record.enter().then(|| Self(record))
    }

    /// The mark of a call that outlives this poll, with the permit that it runs on.
    pub(super) fn keep(self, lease: Option<Arc<Lease>>) -> Occupancy {
        let record = Arc::clone(self.0);
        std::mem::forget(self);
        Occupancy { record, lease }
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

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
pub(super) enum Finished {
    /// It succeeded.
    Done {
        /// No listener that has not started is to be called.
        stop: bool,
    },
    NotDone {
        index: usize,
        record: Arc<Record>,
        cause: Cause,
        duration: Option<Duration>,
    },
}

impl Finished {
    /// What came of the call of the listener at `index`, which began at `started` if that is known.
    pub(super) fn new(
        index: usize,
        record: &Arc<Record>,
        flow: Flow,
        started: Option<Instant>,
    ) -> Self {
        match flow {
            Flow::Done => Self::Done { stop: false },
            Flow::Break => Self::Done { stop: true },
            Flow::Not(cause) => Self::NotDone {
                index,
                record: Arc::clone(record),
                cause,
                duration: started.map(|since| clock::now().saturating_duration_since(since)),
            },
        }
    }
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
        let Poll::Ready(flow) = poll_slot(&mut self.slot, cx) else {
            self.suspend();
            return Poll::Pending;
        };
        Poll::Ready(Finished::new(self.index, &self.record, flow, self.started))
    }

    fn suspend(&self) {
        if let Some((_, occupancy)) = &self.call {
            if let Some(lease) = &occupancy.lease {
                lease.suspend();
            }
        }
    }
}

/// Polls the future of a call, and drops it when the call has ended; a panic in either ends the call.
pub(super) fn poll_slot(slot: &mut Option<Slot>, cx: &mut Context<'_>) -> Poll<Flow> {
    let future = slot
        .as_mut()
        .expect("a call is not polled after it finished");
    let flow = match catch(|| future.poll(cx)) {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(verdict)) => verdict.0,
        Err(message) => Flow::Not(Cause::Panicked(message)),
    };
    Poll::Ready(drop_future(slot).unwrap_or(flow))
}

/// Drops the future. A panic in its drop makes the call a panicked one.
fn drop_future(slot: &mut Option<Slot>) -> Option<Flow> {
    let slot = slot.take()?;
    let panicked = catch(|| drop(slot)).err()?;
    Some(Flow::Not(Cause::Panicked(panicked)))
}

impl Future for Running {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finished> {
        self.poll_call(cx)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.slot.is_none() {
            return;
        }
        // A call that is dropped has been reported as cancelled already, so a panic in the drop of its future can only be counted.
        let _entered = self
            .call
            .as_ref()
            .map(|(context, _)| context::enter(Arc::clone(context)));
        if let Some(Flow::Not(cause)) = drop_future(&mut self.slot) {
            self.record.counters.not_done(&cause);
            tracing::error!(listener = %self.record.identity, %cause, "a cancelled listener panicked while it was dropped");
        }
    }
}
