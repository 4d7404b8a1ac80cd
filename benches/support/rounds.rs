//! How a time is taken: every case in every round, one after the other, so that a slow phase of the machine hits all of them; of a round the fastest
//! batch counts, of the rounds the median.

use std::time::Duration;

use super::print::median;

/// How much to measure.
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) batches: usize,
    /// How long a batch takes at least.
    pub(crate) batch: Duration,
}

impl Effort {
    /// Enough to show that a bench works.
    pub(crate) const TEST: Self = Self {
        rounds: 1,
        batches: 1,
        batch: Duration::from_micros(1),
    };
    /// Enough for a figure.
    pub(crate) const FULL: Self = Self {
        rounds: 9,
        batches: 5,
        batch: Duration::from_millis(3),
    };
}

/// Nanoseconds a go of each case. `time` goes so many times, and says how long that took.
pub(crate) fn rounds<C>(
    effort: &Effort,
    cases: &[C],
    time: impl Fn(&C, u64) -> Duration,
) -> Vec<f64> {
    let times: Vec<u64> = cases
        .iter()
        .map(|case| batch_size(effort.batch, |times| time(case, times)))
        .collect();
    let mut samples = vec![Vec::new(); cases.len()];
    for _ in 0..effort.rounds {
        for ((case, times), samples) in cases.iter().zip(&times).zip(&mut samples) {
            let batch = |_| nanos(time(case, *times), *times);
            let fastest = (0..effort.batches).map(batch).fold(f64::INFINITY, f64::min);
            samples.push(fastest);
        }
    }
    samples.into_iter().map(median).collect()
}

/// How many goes take about as long as a batch is to take. Warms the case up.
fn batch_size(batch: Duration, time: impl Fn(u64) -> Duration) -> u64 {
    let mut times = 1;
    while time(times) < batch {
        times *= 2;
    }
    times
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn nanos(took: Duration, times: u64) -> f64 {
    took.as_nanos() as f64 / times as f64
}
