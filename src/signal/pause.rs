//! What a pause is.

use std::time::Duration;

use crate::error::{OptionError, check_count};

/// How long a listener is paused, and what becomes of the events that come meanwhile. A [`Duration`] is a pause for so long that holds nothing.
///
/// Without [`buffer`](Self::buffer) an event that comes during the pause is skipped, [`Skip::Paused`](crate::Skip::Paused). With it the event is **held**: its report says
/// [`Outcome::Deferred`](crate::Outcome::Deferred), and the listener is called with it when the pause is over.
///
/// What is held is delivered in the background, in the order in which it came, one event after another; what comes meanwhile is held behind it. Each keeps the ids and
/// headers of its emission, not its deadline. Filter, budget, permits, counts and failure callbacks are those of any other call, but nobody waits for it: a failure goes to the
/// failure callbacks, or else to the log.
///
/// # Failures
///
/// - **The buffer is full**: the event is rejected for this listener, [`Rejection::HoldFull`](crate::Rejection::HoldFull). A listener that takes longer for what it
///   holds than as much takes to come does not catch up.
/// - **The listener is removed**: what it holds is counted as skipped, and a warning is logged that says how much that was. A replacement takes over pause and events.
/// - **The signal is shut down**: a shutdown does not wait for a pause. What is held is counted as cancelled, told to the failure callbacks, and in
///   [`Shutdown::undelivered`](crate::Shutdown::undelivered).
/// - **There is no runtime at its end**: the next emission inside one begins the delivery. If the runtime ends during it, the event that is being delivered is cancelled, and the
///   others stay held.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use fanfare::{Outcome, Pause, Signal};
///
/// let signal = Signal::<u32>::new();
/// signal.listen().key("audit").on(async |n| println!("{n}"))?;
///
/// signal.pause("audit", Pause::until_resumed().buffer(1_000))?;
/// assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
/// assert_eq!(signal.metadata("audit").unwrap().held(), 1);
///
/// assert!(signal.resume("audit")?); // "1" is printed in the background
/// # signal.shutdown(std::time::Duration::from_secs(1)).await;
/// # assert_eq!(signal.stats().count(Outcome::Done), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "nothing is paused until it is given to `pause`"]
pub struct Pause {
    pub(super) time: Option<Duration>,
    pub(super) buffer: Option<usize>,
}

impl Pause {
    /// Lasts so long, or until it is [resumed](crate::Subscription::resume). One that is longer than the clock reaches lasts until it is resumed. See [`Pause`](crate::Pause).
    pub fn for_time(time: Duration) -> Self {
        Self {
            time: Some(time),
            buffer: None,
        }
    }

    /// Lasts until it is [resumed](crate::Subscription::resume). See [`Pause`](crate::Pause).
    pub fn until_resumed() -> Self {
        Self {
            time: None,
            buffer: None,
        }
    }

    /// Holds up to so many events, from 1 to 16,777,216. Default: none; they are skipped. See [`Pause`](crate::Pause).
    pub fn buffer(mut self, events: usize) -> Self {
        self.buffer = Some(events);
        self
    }

    pub(super) fn check(&self) -> Result<(), OptionError> {
        match self.buffer {
            None => Ok(()),
            Some(events) => {
                check_count("buffer", events, 1 << 24, "it takes 1 to 16,777,216 events")
            }
        }
    }
}

impl From<Duration> for Pause {
    fn from(time: Duration) -> Self {
        Self::for_time(time)
    }
}
