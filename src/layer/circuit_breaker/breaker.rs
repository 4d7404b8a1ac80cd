//! One breaker: its state behind a lock, and who is told of its changes.

use std::sync::{Arc, OnceLock};

use super::rules::Rules;
use super::settings::{Scope, Settings};
use super::state::{Answer, Change, Circuit, Command, Ticket};
use super::{BreakerChange, BreakerStatus};
use crate::clock::{self, Instant};
use crate::error::BoxError;
use crate::key::Identity;
use crate::layer::live::Cell;
use crate::outcome::{CallError, Cause, Outcome, Rejection, catch};
use crate::sync::Mutex;

/// One breaker. Its lock is held for the step of the state alone: the clock is read before it, and users are told after it.
pub(super) struct Breaker {
    circuit: Mutex<Circuit>,
    settings: Arc<Cell<Settings>>,
    key: Option<Arc<str>>,
    is_shared: bool,
    /// Whose calls it counts, once there was one, unless those are several listeners'.
    listener: OnceLock<Arc<Identity>>,
}

impl Breaker {
    pub(super) fn new(
        settings: &Arc<Cell<Settings>>,
        key: Option<Arc<str>>,
        command: Command,
    ) -> Self {
        let now = settings.read();
        Self {
            circuit: Mutex::new(Circuit::new(now.rules, command)),
            settings: Arc::clone(settings),
            key,
            is_shared: now.scope == Scope::Config,
            listener: OnceLock::new(),
        }
    }

    /// Lets a call begin, or says why not.
    pub(super) fn start(&self, caller: &Arc<Identity>) -> Result<Ticket, CallError> {
        if !self.is_shared {
            self.listener.get_or_init(|| Arc::clone(caller));
        }
        let now = clock::now();
        let (answer, change) = self.circuit.lock().start(now);
        self.tell(change, Some(caller));
        match answer {
            Answer::Go(ticket) => Ok(ticket),
            Answer::Rejected { retry_after } => {
                Err(CallError::rejected(Rejection::CircuitOpen { retry_after }))
            }
        }
    }

    pub(super) fn end(&self, ticket: Ticket, failed: bool, caller: &Arc<Identity>) {
        let now = clock::now();
        let change = self.circuit.lock().end(ticket, failed, now);
        self.tell(change, Some(caller));
    }

    /// The call counts as nothing. Only a probe has a place to give back.
    pub(super) fn cancel(&self, ticket: Ticket) {
        if ticket.is_probe {
            self.circuit.lock().cancel(ticket);
        }
    }

    /// Whether a call that ended so failed. `None` if it counts as nothing. Runs user code.
    pub(super) fn verdict(&self, result: &Result<(), BoxError>) -> Option<bool> {
        let Err(error) = result else {
            return Some(false);
        };
        match Cause::outcome_of(&**error) {
            Outcome::Failed | Outcome::Panicked | Outcome::TimedOut => {
                let failure_if = self.settings.read().failure_if.clone();
                Some(failure_if.is_none_or(|failure_if| failure_if(error)))
            }
            _ => None,
        }
    }

    /// Does as told and gives the change, of which nobody has been told yet.
    pub(super) fn command(&self, command: Command) -> Option<Change> {
        self.circuit.lock().command(command)
    }

    /// Goes by other rules from now on, and gives the change that this makes, of which nobody has been told yet.
    pub(super) fn change(&self, rules: Rules, now: Instant) -> Option<Change> {
        self.circuit.lock().change(rules, now)
    }

    /// Tells of a change: a log line, then the callbacks. Runs user code: under no lock.
    pub(super) fn tell(&self, change: Option<Change>, caller: Option<&Arc<Identity>>) {
        let Some(change) = change else {
            return;
        };
        let listener = caller.or(self.listener.get()).map(Arc::clone);
        let change = BreakerChange::new(change, listener, self.key.clone());
        change.log();
        let callbacks = self.settings.read().on_change.clone();
        for callback in &callbacks {
            if let Err(message) = catch(|| callback(&change)) {
                tracing::error!(%message, "an `on_change` callback of a circuit breaker panicked");
            }
        }
    }

    pub(super) fn status(&self, now: Instant) -> BreakerStatus {
        let view = self.circuit.lock().view(now);
        BreakerStatus::new(view, self.listener.get().cloned(), self.key.clone())
    }

    /// Whether a call has ever come to it.
    pub(super) fn is_used(&self) -> bool {
        self.circuit.lock().is_used()
    }

    /// In which order it may be forgotten. See [`Circuit::rank`].
    pub(super) fn rank(&self, now: Instant) -> Option<(u8, Option<Instant>)> {
        self.circuit.lock().rank(now)
    }
}
