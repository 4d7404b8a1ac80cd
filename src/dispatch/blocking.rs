//! Calls on the blocking pool.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::running::Occupancy;
use super::{Core, Pass};
use crate::clock::{self, Instant};
use crate::context::{Frame, Link, Outer};
use crate::event::{Event, Held};
use crate::listener::Blocked;
use crate::outcome::{Cancellation, Cause, Rejection, Skip, Verdict, catch};
use crate::registry::Entry;
use crate::sync::{JoinHandle, Mutex};

/// Sends the call to the blocking pool. Mark and permit go with it and come back when the thread returns, also if nobody waits any more.
pub(super) fn start<E: Event>(
    core: &Arc<Core>,
    listener: &Blocked<E>,
    event: E,
    outer: Option<Arc<Link>>,
    (occupancy, share, turn): (Occupancy<E>, Option<Held>, u64),
    timed: bool,
) -> Result<impl Future<Output = Verdict> + Send + use<E>, Cause> {
    let handle = core.options.handle();
    let handle = handle.ok_or(Cause::Rejected(Rejection::NoRuntime))?;
    let call = Arc::new(Call {
        core: Arc::clone(core),
        entry: Arc::clone(&occupancy.entry),
        state: Mutex::new(State::Awaited),
    });
    let (listener, on_thread) = (Arc::clone(listener), Arc::clone(&call));
    // Shutdown waits for the thread, also when the emission has ended.
    let pass = (Pass::of_begun(core), Pass::of_roots(core));
    let claim = Claim {
        entry: Arc::clone(&occupancy.entry),
        begun: false,
    };
    let thread = handle.spawn_blocking(move || {
        // In this order: mark and permit are back before shutdown sees the thread gone.
        let (_pass, _share, occupancy) = (pass, share, occupancy);
        let record = occupancy.entry.record();
        if !claim.take() {
            let spent = Verdict::not(Cause::Skipped(Skip::Spent));
            return on_thread.finish(spent, clock::now());
        }
        let started = clock::now();
        let outer = outer.as_ref().map_or(Outer::Nothing, Outer::Link);
        let frame = Frame {
            calls: record,
            place: 0.into(),
            lease: occupancy.lease.as_ref(),
            version: 0,
            marked: true,
            inside: true,
            turn,
            depth: outer.depth() + 1,
            outer,
        };
        let verdict = frame
            .enter(|| catch(|| listener(event)))
            .unwrap_or_else(|message| Verdict::not(Cause::Panicked(message)));
        if timed {
            let took = clock::since(started);
            record.timed(took, took);
        }
        on_thread.finish(verdict, started);
    });
    Ok(Blocking { thread, call })
}

/// A call that has not begun. Dropping it, because it was taken back from the queue or its budget was spent, says that it never did.
struct Claim<E> {
    entry: Arc<dyn Entry<E>>,
    begun: bool,
}

impl<E> Claim<E> {
    fn take(mut self) -> bool {
        self.begun = self.entry.record().claim();
        self.begun
    }
}

impl<E> Drop for Claim<E> {
    fn drop(&mut self) {
        if !self.begun {
            self.entry.record().not_called();
        }
    }
}

/// One call, shared by its thread and whoever waits for it.
struct Call<E> {
    core: Arc<Core>,
    entry: Arc<dyn Entry<E>>,
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

impl<E> Call<E> {
    /// The thread has come to the end of the call.
    fn finish(&self, verdict: Verdict, started: Instant) {
        let mut state = self.state.lock();
        if matches!(*state, State::Abandoned) {
            drop(state);
            self.tell_late(verdict, started);
        } else {
            *state = State::Finished(verdict, started);
        }
    }

    /// The emission has ended before the call, or has not looked at its result: its report said cancelled, and a failure is told all the same.
    fn tell_late(&self, verdict: Verdict, started: Instant) {
        if let Some(cause) = verdict.into_cause() {
            self.core.tell_late(self.entry.record(), cause, started);
        }
    }
}

/// Waits for a blocking thread. Dropping it takes a call that has not started back from the queue.
struct Blocking<E> {
    thread: JoinHandle<()>,
    call: Arc<Call<E>>,
}

impl<E> Future for Blocking<E> {
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

impl<E> Drop for Blocking<E> {
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
            self.call.tell_late(verdict, started);
        }
    }
}
