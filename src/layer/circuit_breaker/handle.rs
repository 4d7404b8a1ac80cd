//! The hand on all breakers of a config.

use std::fmt;
use std::sync::{Arc, Weak};

use super::BreakerStatus;
use super::group::Group;
use super::state::Command;

/// Looks at all breakers that were made from a [`CircuitBreaker`](crate::layer::CircuitBreaker) and its clones, and sets them by hand.
///
/// What it says holds for breakers that are made later too: for new listeners and new keys. It keeps nothing alive, so
/// a callback may own one, and does nothing once config and listeners are gone. Cheap to clone.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::layer::{BreakerState, CircuitBreaker};
/// use fanfare::{Outcome, Signal};
///
/// let breaker = CircuitBreaker::new();
/// let handle = breaker.handle();
/// let signal = Signal::<u32>::new();
/// signal.listen().circuit_breaker(breaker).on(async |_| {})?;
///
/// handle.force_open(); // the database is taken down for an hour
/// assert_eq!(signal.emit(1).await.count(Outcome::Rejected), 1);
/// handle.reset();
/// assert_eq!(signal.emit(2).await.delivered(), 1);
/// assert_eq!(handle.breakers()[0].state(), BreakerState::Closed);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct BreakerHandle(Weak<Group>);

impl BreakerHandle {
    pub(super) fn new(group: &Arc<Group>) -> Self {
        Self(Arc::downgrade(group))
    }

    /// Rejects all calls until [`reset`](Self::reset) or [`force_closed`](Self::force_closed). Calls that run go on, and count as nothing.
    pub fn force_open(&self) {
        self.command(Command::StayOpen);
    }

    /// Lets all calls through until [`reset`](Self::reset) or [`force_open`](Self::force_open). They are counted, from none; no rate opens it.
    pub fn force_closed(&self) {
        self.command(Command::StayClosed);
    }

    /// Closes, forgets the calls so far, and lets each breaker decide again. A call that runs meanwhile counts as nothing.
    pub fn reset(&self) {
        self.command(Command::Reset);
    }

    /// What each breaker is like now: in the order in which they were made, those for keys of one listener in none. One whose listener is gone is not among them.
    ///
    /// Looks at one after another, so two of them need not have been so at once.
    pub fn breakers(&self) -> Vec<BreakerStatus> {
        self.0
            .upgrade()
            .map_or_else(Vec::new, |group| group.status())
    }

    fn command(&self, command: Command) {
        if let Some(group) = self.0.upgrade() {
            group.command(command);
        }
    }
}

impl fmt::Debug for BreakerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerHandle").finish_non_exhaustive()
    }
}
