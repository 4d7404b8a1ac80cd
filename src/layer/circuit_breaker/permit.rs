//! One call that a breaker let through.

use std::sync::Arc;

use super::breaker::Breaker;
use super::state::Ticket;
use crate::error::BoxError;
use crate::key::Identity;
use crate::outcome::CallError;

/// One call that a breaker let through. Dropped before its end, it counts as nothing; a probe's place comes back either way.
pub(super) struct Permit {
    breaker: Arc<Breaker>,
    caller: Arc<Identity>,
    ticket: Option<Ticket>,
}

impl Permit {
    pub(super) fn new(breaker: Arc<Breaker>, caller: Arc<Identity>) -> Result<Self, CallError> {
        let ticket = Some(breaker.start(&caller)?);
        Ok(Self {
            breaker,
            caller,
            ticket,
        })
    }

    /// The call has ended with this. Runs user code: what says whether an error is a failure, and who is told of a change.
    pub(super) fn ended(self, result: &Result<(), BoxError>) {
        if let Some(failed) = self.breaker.verdict(result) {
            self.counts(failed);
        }
    }

    pub(super) fn panicked(self) {
        self.counts(true);
    }

    fn counts(mut self, failed: bool) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.end(ticket, failed, &self.caller);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.cancel(ticket);
        }
    }
}
