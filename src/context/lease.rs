//! The permit of one call, which goes back while the listener waits for an emission of its own.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::within;
use crate::pool::{Acquire, Permit, Pool};
use crate::sync::Mutex;

/// The permit of one call. Held while the listener runs; lent out, through [`Loan`]s, while it waits for something of its own.
pub(crate) struct Lease {
    pool: Pool,
    state: Mutex<State>,
}

struct State {
    permit: Option<Permit>,
    /// Loans that are out. A listener can have several at once: `join!` of two emissions.
    loans: usize,
    /// The call has ended: no permit is taken any more.
    ended: bool,
}

impl Lease {
    pub(crate) fn new(permit: Permit) -> Arc<Self> {
        Arc::new(Self {
            pool: permit.pool().clone(),
            state: Mutex::new(State {
                permit: Some(permit),
                loans: 0,
                ended: false,
            }),
        })
    }

    /// Ends the call, and hands out the permit if it is held.
    pub(crate) fn end(&self) -> Option<Permit> {
        let mut state = self.state.lock();
        state.ended = true;
        state.permit.take()
    }

    /// Ready when the listener may be polled: it holds the permit, or it waits for something of its own, which its poll drives.
    ///
    /// It is not ready after a loan was dropped rather than awaited while all permits were taken: then the permit has to come back first.
    pub(crate) fn poll_may_run(
        &self,
        cx: &mut Context<'_>,
        taking: &mut Option<Acquire>,
    ) -> Poll<()> {
        {
            let state = self.state.lock();
            #[cfg(fanfare_plant = "runs-without-permit")]
            return Poll::Ready(());
            if state.permit.is_some() || state.loans > 0 || state.ended {
                *taking = None;
                return Poll::Ready(());
            }
        }
        self.poll_take(cx, taking)
    }

    /// Called when the listener's poll has ended without an end. If it waits for something of its own, the permit goes back: one of several loans may
    /// have returned it in that poll, after the others were looked at.
    pub(crate) fn suspend(&self) {
        let permit = {
            let mut state = self.state.lock();
            if state.loans > 0 && !cfg!(fanfare_plant = "suspend-keeps-permit") {
                state.permit.take()
            } else {
                None
            }
        };
        drop(permit);
    }

    fn poll_take(&self, cx: &mut Context<'_>, taking: &mut Option<Acquire>) -> Poll<()> {
        let acquire = taking.get_or_insert_with(|| self.pool.acquire());
        let permit = ready!(acquire.as_mut().poll(cx)).ok();
        *taking = None;
        self.put(permit);
        Poll::Ready(())
    }

    /// Puts a permit into the lease; one too many goes back to the pool.
    fn put(&self, permit: Option<Permit>) {
        let spare = {
            let mut state = self.state.lock();
            if state.permit.is_none() && !state.ended {
                state.permit = permit;
                None
            } else {
                permit
            }
        };
        drop(spare);
    }
}

/// Takes the permit from the innermost call, for what goes on when the call does not: a thread that cannot be stopped. The call is not polled again before it has another.
pub(crate) fn take_permit() -> Option<Permit> {
    within(|outer| outer.lease()?.state.lock().permit.take())
}

/// Whether the innermost call is without its permit in the middle of a poll: it was left to a thread, or was not free when a wait was given up. The call is not polled again before
/// it has another; what is to begin waits for that.
pub(crate) fn lacks_permit() -> bool {
    within(|outer| {
        outer.lease().is_some_and(|lease| {
            let state = lease.state.lock();
            state.permit.is_none() && state.loans == 0 && !state.ended
        })
    })
}

/// Lends the permit of the call that waits, for as long as the wait takes.
pub(crate) struct Loan {
    lease: Arc<Lease>,
    out: bool,
    taking: Option<Acquire>,
}

impl Loan {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self {
            lease,
            out: false,
            taking: None,
        }
    }

    /// Gives the permit back to the pool. Called whenever the wait goes on: another loan of the same call may have brought it back meanwhile.
    pub(crate) fn lend(&mut self) {
        let permit = {
            let mut state = self.lease.state.lock();
            if !self.out {
                self.out = true;
                state.loans += 1;
            }
            state.permit.take()
        };
        drop(permit);
    }

    /// Takes the permit again; ready when the listener holds it.
    pub(crate) fn poll_return(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.out {
            let held = {
                let state = self.lease.state.lock();
                state.permit.is_some() || state.ended
            };
            if !held {
                ready!(self.lease.poll_take(cx, &mut self.taking));
            }
            self.close();
        }
        Poll::Ready(())
    }

    fn close(&mut self) -> bool {
        self.taking = None;
        self.out = false;
        let mut state = self.lease.state.lock();
        state.loans -= 1;
        state.permit.is_none() && state.loans == 0 && !state.ended
    }
}

impl Drop for Loan {
    /// The wait was given up and the listener goes on in this very poll. A free permit is taken at once; if there is none, the call is not polled
    /// again before it has one.
    fn drop(&mut self) {
        if self.out && self.close() {
            let permit = self.lease.pool.try_acquire();
            self.lease.put(permit);
        }
    }
}
