//! What a signal has done.

use crate::buffer::DropReason;
use crate::outcome::{Counts, Outcome};
use crate::registry::Totals;
use crate::sync::{AtomicU64, Ordering};

/// What a signal has done since it was made. Counts are exact; each is read by itself.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Outcome, Signal};
///
/// let signal = Signal::<u32>::new();
/// signal.on(async |_| {});
/// let _ = signal.emit(1).await;
/// let stats = signal.stats();
/// assert_eq!((stats.emissions(), stats.count(Outcome::Done)), (1, 1));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub(crate) emissions: u64,
    pub(crate) dead: u64,
    pub(crate) enqueued: u64,
    pub(crate) dropped: [u64; DropReason::ALL.len()],
    pub(crate) refused: u64,
    pub(crate) suppressed: u64,
    pub(crate) follow_ups_lost: u64,
    pub(crate) registrations: u64,
    pub(crate) removals: u64,
    pub(crate) retries: u64,
    pub(crate) dead_letters: u64,
    pub(crate) outcomes: [u64; Outcome::ALL.len()],
}

impl Stats {
    /// Emissions that were begun, dead and cancelled ones included. See [`Stats`](crate::Stats).
    pub fn emissions(&self) -> u64 {
        self.emissions
    }

    /// Emissions that nobody listened to. See [`Stats`](crate::Stats).
    pub fn dead(&self) -> u64 {
        self.dead
    }

    /// How many times a listener had this outcome.
    ///
    /// A failure that comes after the report counts beside what that said, once for each time that the failure callbacks are told: of a call in the background, which was
    /// [`Deferred`](Outcome::Deferred), and of a blocking thread that was given up, whose call was [`Cancelled`](Outcome::Cancelled) or [`TimedOut`](Outcome::TimedOut). A call of a redriven letter
    /// counts as one more, when it has ended. The listeners count the same: see [`Metadata`](crate::Metadata).
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Events that the buffer took; those of them that it dropped later are in [`dropped`](Self::dropped) too.
    pub fn enqueued(&self) -> u64 {
        self.enqueued
    }

    /// Events that the buffer dropped, for whatever reason: by overflow, for a newer event of the key, at the end of a runtime, or at the deadline of a shutdown; and those that the signal's streams
    /// did. See [`Stats`](crate::Stats).
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Events that the buffer dropped for this reason.
    ///
    /// ```
    /// use fanfare::{DropReason, Overflow, Signal};
    ///
    /// let signal = Signal::<u32>::builder().buffer(1).overflow(Overflow::DropOldest).build();
    /// signal.try_enqueue(1).unwrap();
    /// signal.try_enqueue(2).unwrap();
    /// assert_eq!(signal.stats().dropped_by(DropReason::Oldest), 1);
    /// assert_eq!(signal.stats().dropped_by(DropReason::Newest), 0);
    /// ```
    pub fn dropped_by(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Events that were given back by `enqueue`, `try_enqueue` and `emit_detached`. See [`Stats`](crate::Stats).
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Follow-up events of this signal's listeners that were not emitted: the call was ended before their turn, their signal is shut down, or the bus is gone. See
    /// [`ListenBuilder::follow`](crate::ListenBuilder::follow).
    pub fn follow_ups_lost(&self) -> u64 {
        self.follow_ups_lost
    }

    /// Listeners that have been registered, removed and replaced ones included. See [`Stats`](crate::Stats).
    pub fn registrations(&self) -> u64 {
        self.registrations
    }

    /// Listeners that have gone: removed, spent and replaced ones. See [`Stats`](crate::Stats).
    pub fn removals(&self) -> u64 {
        self.removals
    }

    /// All outcomes that listeners had but [`Skipped`](Outcome::Skipped), those included that were rejected or cancelled before their call. A call that goes on in the background counts as
    /// [`Deferred`](Outcome::Deferred), and once more if it fails there; an event that a listener holds counts so too, and once more when it is delivered. See [`count`](Self::count).
    pub fn deliveries(&self) -> u64 {
        let skipped = self.count(Outcome::Skipped);
        self.outcomes.iter().sum::<u64>() - skipped
    }

    /// Attempts of retries beyond the first of each call. See [`Stats`](crate::Stats).
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// Calls that were given up and led to a dead letter. See [`Stats`](crate::Stats).
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters
    }

    /// The sum of both: of two signals, say.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            emissions: self.emissions + other.emissions,
            dead: self.dead + other.dead,
            enqueued: self.enqueued + other.enqueued,
            dropped: std::array::from_fn(|n| self.dropped[n] + other.dropped[n]),
            refused: self.refused + other.refused,
            suppressed: self.suppressed + other.suppressed,
            follow_ups_lost: self.follow_ups_lost + other.follow_ups_lost,
            registrations: self.registrations + other.registrations,
            removals: self.removals + other.removals,
            retries: self.retries + other.retries,
            dead_letters: self.dead_letters + other.dead_letters,
            outcomes: std::array::from_fn(|n| self.outcomes[n] + other.outcomes[n]),
        }
    }

    /// Log lines about failures that the rate limit held back. See [`Stats`](crate::Stats).
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) enqueued: AtomicU64,
    /// For each reason.
    pub(crate) dropped: [AtomicU64; DropReason::ALL.len()],
    pub(crate) refused: AtomicU64,
    pub(crate) follow_ups_lost: AtomicU64,
    /// How many calls had each outcome but `Done`, which the registry counts.
    outcomes: [AtomicU64; Outcome::ALL.len()],
}

impl Counters {
    pub(crate) fn add_not_done(&self, counts: &Counts) {
        for outcome in Outcome::ALL.into_iter().skip(1) {
            let count = counts.of(outcome);
            if count > 0 {
                self.outcomes[outcome as usize].fetch_add(count as u64, Ordering::Relaxed);
            }
        }
    }

    /// One that no emission says at its end.
    pub(crate) fn add_one(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, totals: &Totals, suppressed: u64) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut outcomes = std::array::from_fn(|n| read(&self.outcomes[n]));
        outcomes[Outcome::Done as usize] = totals.done();
        Stats {
            emissions: totals.emissions(),
            dead: totals.dead(),
            registrations: totals.registrations(),
            removals: totals.removals(),
            retries: totals.ledger.retries(),
            dead_letters: totals.ledger.dead_letters(),
            enqueued: read(&self.enqueued),
            dropped: std::array::from_fn(|n| read(&self.dropped[n])),
            refused: read(&self.refused),
            suppressed,
            follow_ups_lost: read(&self.follow_ups_lost),
            outcomes,
        }
    }
}
