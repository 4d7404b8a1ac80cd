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
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub(crate) emissions: u64,
    pub(crate) dead: u64,
    pub(crate) enqueued: u64,
    pub(crate) dropped: [u64; DropReason::ALL.len()],
    pub(crate) refused: u64,
    pub(crate) suppressed: u64,
    pub(crate) follow_ups_lost: u64,
    pub(crate) registrations: u64,
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

    /// How many times a listener had this outcome. See [`Stats`](crate::Stats).
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

    pub(crate) fn read(&self, totals: &Totals, suppressed: u64) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut outcomes = std::array::from_fn(|n| read(&self.outcomes[n]));
        outcomes[Outcome::Done as usize] = totals.done();
        Stats {
            emissions: totals.emissions(),
            dead: totals.dead(),
            registrations: totals.registrations(),
            enqueued: read(&self.enqueued),
            dropped: std::array::from_fn(|n| read(&self.dropped[n])),
            refused: read(&self.refused),
            suppressed,
            follow_ups_lost: read(&self.follow_ups_lost),
            outcomes,
        }
    }
}
