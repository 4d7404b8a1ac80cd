//! What a monitor has seen.

use std::time::{Duration, SystemTime};

use crate::clock::Instant;
use crate::metrics::Distribution;

/// What a [`RuntimeMonitor`](crate::observe::RuntimeMonitor) has seen of its runtime, as of its last look.
///
/// With the feature `serde` it is `Serialize`: durations are seconds, as fields that end in `_seconds`, and times are seconds since 1970.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RuntimeReading {
    /// The name of the runtime.
    pub runtime: String,
    /// When it last looked.
    #[cfg_attr(feature = "serde", serde(with = "crate::observe::serde::time"))]
    pub taken_at: SystemTime,
    /// How often it has looked.
    pub looks: u64,
    /// The runtime's workers; 1 for a current-thread runtime.
    pub workers: usize,
    /// How many of them have neither parked nor got on for [`stall_after`](crate::observe::RuntimeMonitorBuilder::stall_after) or longer: something blocks their thread.
    pub blocked_workers: usize,
    /// For how long that goes for the one that it has gone for longest.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "blocked_seconds", with = "crate::observe::serde::seconds")
    )]
    pub blocked_for: Duration,
    /// The share of the time between the last two looks that the workers were busy: 0.0 is idle, 1.0 is all of them all the time.
    pub busy: f64,
    /// How long the workers were busy, added up, as tokio has told it.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "busy_time_seconds", with = "crate::observe::serde::seconds")
    )]
    pub busy_time: Duration,
    /// Tasks that are spawned and have not ended, the probe aside.
    pub alive_tasks: usize,
    /// Tasks that wait in the runtime's global queue.
    pub queue_depth: usize,
    /// How long the probes waited to be polled.
    pub delays: Distribution,
    /// How long the latest of them did, the oldest first; at most 16.
    pub recent_delays: Vec<Duration>,
    /// The latest stalls, the oldest first; at most 64. One that goes on is the last.
    pub stalls: Vec<Stall>,
    /// How many stalls there have been, those that are kept no longer too, and one that goes on.
    pub stall_count: u64,
    /// How long they lasted, added up.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "stalled_seconds", with = "crate::observe::serde::seconds")
    )]
    pub stalled_time: Duration,
    /// Whether the runtime is no more.
    pub ended: bool,
}

impl RuntimeReading {
    /// How long the stall has lasted that goes on now. `None` if there is none.
    pub fn stalled_for(&self) -> Option<Duration> {
        let last = self.stalls.last()?;
        (!last.over).then_some(last.lasted)
    }
}

/// A time in which a runtime polled none of the tasks that had become ready: its workers were blocked, or busy all the while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stall {
    /// When the probe was spawned that it was noticed by.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub began: Instant,
    /// The same as a time of day.
    #[cfg_attr(feature = "serde", serde(with = "crate::observe::serde::time"))]
    pub began_at: SystemTime,
    /// How long it was until the probe was polled, or has been until the last look.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "lasted_seconds", with = "crate::observe::serde::seconds")
    )]
    pub lasted: Duration,
    /// Whether the probe was polled.
    pub over: bool,
}

impl Stall {
    /// How much of the time between two instants it takes up. See [`Stall`](crate::observe::Stall).
    pub fn overlap(&self, from: Instant, to: Instant) -> Duration {
        let end = self.began + self.lasted;
        end.min(to).saturating_duration_since(self.began.max(from))
    }
}
