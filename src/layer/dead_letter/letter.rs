//! One event that was given up.

use std::any::Any;
use std::fmt;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use crate::event::Delivery;
use crate::layer::station::{CameBack, NotBack, WayBack};
use crate::outcome::{Cancellation, Cause, Skip};

/// One event that a listener has failed with for good: what was delivered, why it failed, after how many attempts, and when.
///
/// It is an event itself, for [`DeadLetter::to_signal`](crate::layer::DeadLetter::to_signal). Cloning it costs some reference counts.
#[derive(Clone)]
pub struct Letter {
    pub(super) delivery: Delivery,
    pub(super) cause: Cause,
    pub(super) failed_at: SystemTime,
    pub(super) age: Option<Duration>,
    pub(super) back: Option<WayBack>,
}

impl Letter {
    /// What was delivered: the event, its type, headers and ids, signal and listener. See [`Letter`](crate::layer::Letter).
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The event, if it is an `E`. See [`Letter`](crate::layer::Letter).
    pub fn event<E: Any>(&self) -> Option<&E> {
        self.delivery.event()
    }

    /// Why the last attempt failed. See [`Letter`](crate::layer::Letter).
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// How many attempts there were. See [`Letter`](crate::layer::Letter).
    pub fn attempts(&self) -> u32 {
        self.delivery.call().attempts()
    }

    /// How often the event had been taken back from the dead letters before. See [`Letter`](crate::layer::Letter).
    pub fn redrives(&self) -> u32 {
        self.delivery.redrives()
    }

    /// When the emission began, where that was noted: as the signal's dead letters ask for it, always but for a listener that took the place of a plain one during the emission. See [`Letter`](crate::layer::Letter).
    pub fn emitted_at(&self) -> Option<SystemTime> {
        self.failed_at.checked_sub(self.age?)
    }

    /// When the last attempt had failed. See [`Letter`](crate::layer::Letter).
    pub fn failed_at(&self) -> SystemTime {
        self.failed_at
    }

    /// Calls the listener with the event once more, with its whole stack and in the background, and waits for what comes of it.
    ///
    /// If it fails for good again, that makes a new letter.
    ///
    /// # Errors
    ///
    /// [`RedeliverError`]: the call failed, or was not made.
    ///
    /// # Cancel safety
    ///
    /// The call goes on if this is dropped.
    pub async fn redeliver(&self) -> Result<(), RedeliverError> {
        match self.give_back().await?.cause {
            None => Ok(()),
            Some(cause) => Err(RedeliverError::Failed(cause)),
        }
    }

    pub(super) async fn give_back(&self) -> Result<CameBack, RedeliverError> {
        let station = self.back.as_ref().and_then(WayBack::upgrade);
        let station = station.ok_or(RedeliverError::ListenerGone)?;
        let (done, came) = oneshot::channel();
        let called = station.call_again(&self.delivery, move |came| {
            let _ = done.send(came);
        });
        called.map_err(|why| match why {
            NotBack::Not(off @ (Skip::Disabled | Skip::Paused)) => RedeliverError::SwitchedOff(off),
            NotBack::Not(_) => RedeliverError::ListenerGone,
            NotBack::NoRoom => RedeliverError::NoRoom,
        })?;
        // It was cut off, by shutdown or with its runtime.
        let cut_off = CameBack {
            cause: Some(Cause::Cancelled(Cancellation::Shutdown)),
            letter: false,
        };
        Ok(came.await.unwrap_or(cut_off))
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("delivery", &self.delivery)
            .field("cause", &self.cause)
            .field("attempts", &self.attempts())
            .field("redrives", &self.redrives())
            .finish_non_exhaustive()
    }
}

/// Why a letter was not delivered. The letter itself is not consumed by it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RedeliverError {
    /// The listener was called and did not succeed.
    Failed(Cause),
    /// The listener is not registered any more, its signal is shut down, or the letter was written outside a stack of Fanfare's. Trying again cannot help.
    ListenerGone,
    /// The listener is disabled or paused. Trying again can help once it is not.
    SwitchedOff(Skip),
    /// There is no tokio runtime, or the background runs as much as `max_background` allows. Trying again can help.
    NoRoom,
}

impl fmt::Display for RedeliverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) => write!(f, "the listener did not succeed: {cause}"),
            Self::ListenerGone => f.write_str("the listener is not registered any more"),
            Self::SwitchedOff(skip) => write!(f, "the listener is {skip}"),
            Self::NoRoom => f.write_str(
                "no room in the background: raise `max_background`, or redrive at a lower rate",
            ),
        }
    }
}

impl std::error::Error for RedeliverError {}
