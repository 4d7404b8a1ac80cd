//! Options of listeners that come late.

use super::ListenBuilder;
use crate::error::{OptionError, check_count, check_replay};
use crate::event::Event;

/// What a listener is to have of what comes before it is ready.
#[derive(Clone, Copy, Default)]
pub(super) struct Late {
    /// What it is called with first.
    replay: Option<Replay>,
    /// It holds up to so many events until it is resumed.
    pub(super) hold: Option<usize>,
}

#[derive(Clone, Copy)]
enum Replay {
    All,
    Last(usize),
}

impl Late {
    /// How many of the last events it is called with first, at most.
    pub(super) fn replay(self) -> Option<usize> {
        Some(match self.replay? {
            Replay::All => usize::MAX,
            Replay::Last(events) => events,
        })
    }
}

/// # Late listeners
///
/// A listener that asks for a replay is called first with what its signal [keeps](crate::SignalBuilder::replay), oldest first, then with whatever is emitted from its registration on: each event once,
/// in its order, with none left out between the two.
///
/// What is replayed is delivered in the background, one event after another, as what a paused listener has [held](crate::Pause): a failure goes to the failure callbacks, or else to the log. It has no headers and
/// no ids of its emission. Events that come meanwhile are held behind it: their reports say [`Deferred`](crate::Outcome::Deferred), up to as many as the signal's
/// [`buffer`](crate::SignalBuilder::buffer) takes, or as are [held until it is ready](Self::hold_until_ready).
///
/// # Failures
///
/// - **More comes during the replay than there is room for**: the event is rejected for this listener, [`Rejection::HoldFull`](crate::Rejection::HoldFull).
/// - **`once` or `times` is used up by what is replayed**: the rest of it is counted as skipped, and logged.
/// - **There is no runtime** when it is registered: the next emission inside one begins the replay.
/// - **The signal is shut down**: the replay of a listener that is ready goes on to its end; what one holds that is not ready is counted as cancelled.
impl<E: Event, Takes> ListenBuilder<'_, E, Takes> {
    /// Calls the listener first with everything that its signal keeps. Default: only with what is emitted from its registration on.
    ///
    /// It is refused if the signal keeps nothing, and with [`replace`](Self::replace): whoever takes the place of another goes on where that one was.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use std::sync::{Arc, Mutex};
    /// use std::time::Duration;
    /// use fanfare::Signal;
    ///
    /// let prices = Signal::<u32>::builder().replay(100).build();
    /// let _ = prices.emit(1).await;
    /// let _ = prices.emit(2).await;
    ///
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let sink = Arc::clone(&seen);
    /// prices.listen().replay().on_sync(move |n| sink.lock().unwrap().push(*n))?;
    /// let _ = prices.emit(3).await;
    /// prices.shutdown(Duration::from_secs(1)).await;
    /// assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
    /// # Ok(()) }
    /// ```
    pub fn replay(mut self) -> Self {
        self.late.replay = Some(Replay::All);
        self
    }

    /// Calls the listener first with the last `events` that its signal keeps, or as many as there are. Default: none. From 1 to 1,000,000. See [`replay`](Self::replay).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// let levels = fanfare::Signal::<u32>::builder().replay(100).build();
    /// levels.listen().replay_last(1).on(async |level| println!("{level}"))?; // the last one, then all that come
    /// assert!(levels.listen().replay_last(0).on(async |_| {}).is_err());
    /// # Ok(()) }
    /// ```
    pub fn replay_last(mut self, events: usize) -> Self {
        self.late.replay = Some(Replay::Last(events));
        self
    }

    /// Registers the listener before it is ready: it holds up to `events` events, and is called with them, in their order, when it is [resumed](crate::Subscription::resume). What is
    /// [replayed](Self::replay) comes before them, and takes none of their room. From 1 to 16,777,216. Default: it is ready at once.
    ///
    /// It is [`Pause::until_resumed`](crate::Pause::until_resumed) with a [`buffer`](crate::Pause::buffer), from the very first event on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::{Outcome, Signal};
    ///
    /// let signal = Signal::<u32>::new();
    /// let sub = signal.listen().hold_until_ready(1_000).on(async |n| println!("{n}"))?;
    /// assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    /// // .. its cache is loaded now ..
    /// sub.resume(); // "1" is printed in the background
    /// # signal.shutdown(std::time::Duration::from_secs(1)).await;
    /// # assert_eq!(signal.stats().count(Outcome::Done), 1);
    /// # Ok(()) }
    /// ```
    pub fn hold_until_ready(mut self, events: usize) -> Self {
        self.late.hold = Some(events);
        self
    }

    pub(super) fn check_late(&self) -> Result<(), OptionError> {
        let Late { replay, hold } = self.late;
        if let Some(events) = hold {
            let expected = "it takes 1 to 16,777,216 events";
            check_count("hold_until_ready", events, 1 << 24, expected)?;
        }
        let option = match replay {
            None => return Ok(()),
            Some(Replay::All) => "replay",
            Some(Replay::Last(events)) => {
                check_replay("replay_last", events)?;
                "replay_last"
            }
        };
        let refuse = |value, expected| Err(OptionError::new(option, value, expected));
        if self.signal().inner.history.is_none() {
            return refuse(
                "set on a signal that keeps nothing",
                "give the signal's builder `replay` or `sticky`",
            );
        }
        if self.replace {
            return refuse(
                "set with `replace`",
                "a listener that takes the place of another goes on where that one was",
            );
        }
        Ok(())
    }
}
