//! Whether the workers of a runtime get on.
//!
//! A worker tells its numbers when it parks, when it wakes, and after every 61 polls. Its count of parks and wakes is odd while it is parked. So one whose count is even and whose numbers stay as they
//! are is in the middle of a few polls, or of one.

use std::time::Duration;

use crate::clock::Instant;

/// What one worker has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// How often it has parked and woken.
    pub(super) parks: u64,
    /// How long it was busy.
    pub(super) busy: Duration,
}

impl Told {
    fn is_parked(self) -> bool {
        self.parks % 2 == 1
    }
}

#[derive(Clone, Copy)]
struct Worker {
    told: Told,
    /// When it was first seen to have told that.
    since: Instant,
}

/// All of them.
#[derive(Default)]
pub(super) struct Workers {
    all: Vec<Worker>,
    last_look: Option<Instant>,
    busy: f64,
}

impl Workers {
    pub(super) fn look(&mut self, now: Instant, told: &[Told]) {
        let time = self.last_look.replace(now);
        let time = time.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let mut busy = Duration::ZERO;
        for (n, told) in told.iter().enumerate() {
            match self.all.get_mut(n) {
                None => self.all.push(Worker {
                    told: *told,
                    since: now,
                }),
                Some(worker) if worker.told == *told => {
                    // What it is busy with now it has not told yet.
                    if !told.is_parked() {
                        busy += time;
                    }
                }
                Some(worker) => {
                    busy += told.busy.saturating_sub(worker.told.busy).min(time);
                    *worker = Worker {
                        told: *told,
                        since: now,
                    };
                }
            }
        }
        let all = time.as_secs_f64() * f64::from(u32::try_from(told.len()).unwrap_or(u32::MAX));
        self.busy = if all > 0.0 {
            busy.as_secs_f64() / all
        } else {
            0.0
        };
    }

    /// For how long those have not got on that are not parked.
    fn stuck(&self) -> impl Iterator<Item = Duration> + '_ {
        let now = self.last_look;
        let active = self.all.iter().filter(|worker| !worker.told.is_parked());
        active.filter_map(move |worker| Some(now?.saturating_duration_since(worker.since)))
    }

    /// How many have not got on for so long, and for how long the longest.
    pub(super) fn blocked(&self, after: Duration) -> (usize, Duration) {
        let blocked = self.stuck().filter(|stuck| *stuck >= after);
        blocked.fold((0, Duration::ZERO), |(count, longest), stuck| {
            (count + 1, longest.max(stuck))
        })
    }

    /// The share of the time between the last two looks that they were busy.
    pub(super) fn busy(&self) -> f64 {
        self.busy
    }

    pub(super) fn busy_time(&self) -> Duration {
        self.all.iter().map(|worker| worker.told.busy).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
