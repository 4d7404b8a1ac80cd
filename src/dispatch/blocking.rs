//! Calls on the blocking pool.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;

use super::running::Occupancy;
use super::{Core, Pass};
use crate::clock::{self, Instant};
use crate::context::{self, CallContext};
use crate::event::Event;
use crate::listener::{Blocked, Slot};
use crate::outcome::{Cancellation, Cause, Flow, Rejection, ReportEntry, Skip, Verdict, catch};
use crate::registry::Record;
use crate::sync::Mutex;

/// Sends the call to the blocking pool. Mark and permit go with it and come back when the thread returns, also if nobody waits any more.
pub(super) fn start<E: Event>(
    core: &Arc<Core>,
    listener: &Blocked<E>,
    event: E,
    context: Arc<CallContext>,
    occupancy: Occupancy,
) -> Result<Slot, Cause> {
    let handle = core.options.handle();
    let handle = handle.ok_or(Cause::Rejected(Rejection::NoRuntime))?;
    let call = Arc::new(Call {
        core: Arc::clone(core),
        record: Arc::clone(&occupancy.record),
        state: Mutex::new(State::Awaited),
    });
    let (listener, on_thread) = (Arc::clone(listener), Arc::clone(&call));
    // Shutdown waits for the thread, also when the emission has ended.
    let pass = Pass::of_queued(core);
    let thread = handle.spawn_blocking(move || {
        // In this order: mark and permit are back before shutdown sees the thread gone.
        let (_pass, occupancy) = (pass, occupancy);
        if !occupancy.record.claim() {
            let spent = Verdict::not(Cause::Skipped(Skip::Spent));
            return on_thread.finish(spent, clock::now());
        }
        let started = clock::now();
        occupancy.record.counters.called(started);
        let verdict = {
            let _entered = context::enter(context);
            catch(|| listener(event))
                .unwrap_or_else(|message| Verdict::not(Cause::Panicked(message)))
        };
        on_thread.finish(verdict, started);
    });
    Ok(Slot::start(Blocking { thread, call }))
}

/// One call, shared by its thread and whoever waits for it.
struct Call {
    core: Arc<Core>,
    record: Arc<Record>,
    state: Mutex<State>,
}

enum State {
    Awaited,
    /// What came of it, and when it had begun.
    Finished(Verdict, Instant),
    /// The report has it.
    Taken,
    /// Nobody waits any more.
    Abandoned,
}

impl Call {
    /// The thread has come to the end of the call.
    fn finish(&self, verdict: Verdict, started: Instant) {
        let mut state = self.state.lock();
        if matches!(*state, State::Abandoned) {
            drop(state);
            self.tell_late(&verdict, started);
        } else {
            *state = State::Finished(verdict, started);
        }
    }

    /// The emission has ended before the call, or has not looked at its result: its report said cancelled, and a failure is told all the same.
    fn tell_late(&self, verdict: &Verdict, started: Instant) {
        if let Flow::Not(cause) = &verdict.0 {
            if cause.outcome().is_failure() {
                self.record.counters.not_done(cause);
                self.core.tell(&ReportEntry {
                    index: 0,
                    who: Arc::clone(&self.record.identity),
                    cause: cause.clone(),
                    duration: Some(clock::now().saturating_duration_since(started)),
                });
            }
        }
    }
}

/// Waits for a blocking thread. Dropping it takes a call that has not started back from the queue.
struct Blocking {
    thread: JoinHandle<()>,
    call: Arc<Call>,
}

impl Future for Blocking {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        // A thread that was never started, because its runtime ended, leaves no result.
        let _ = ready!(Pin::new(&mut self.thread).poll(cx));
        let result = std::mem::replace(&mut *self.call.state.lock(), State::Taken);
        Poll::Ready(match result {
            State::Finished(verdict, _) => verdict,
            _ => Verdict::not(Cause::Cancelled(Cancellation::RuntimeEnded)),
        })
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        let result = {
            let mut state = self.call.state.lock();
            if matches!(*state, State::Taken) {
                return;
            }
            std::mem::replace(&mut *state, State::Abandoned)
        };
        self.thread.abort();
        if let State::Finished(verdict, started) = result {
            self.call.tell_late(&verdict, started);
        }
    }
}
