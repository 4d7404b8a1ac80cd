//! Shapes of load over time.

use std::f64::consts::TAU;
use std::fmt;
use std::time::Duration;

/// How many jobs a second come, as time goes by. Rates are at least zero; a period of zero is taken for a microsecond.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Traffic {
    /// One rate, and from a moment on another.
    Step {
        /// Jobs a second until then.
        before: f64,
        /// Jobs a second from then on.
        after: f64,
        /// When.
        at: Duration,
    },
    /// A rate with peaks.
    Burst {
        /// Jobs a second between the peaks.
        base: f64,
        /// Jobs a second in a peak.
        peak: f64,
        /// From the start of one peak to the next; the first begins after this time.
        every: Duration,
        /// How long a peak is.
        length: Duration,
    },
    /// A rate that climbs in a straight line, and falls back at once.
    Sawtooth {
        /// Jobs a second at the start of each climb.
        low: f64,
        /// Jobs a second at its end.
        high: f64,
        /// How long a climb is.
        period: Duration,
    },
    /// A rate that goes up and down as a sine, from the low.
    Diurnal {
        /// Jobs a second at night.
        low: f64,
        /// Jobs a second at noon.
        high: f64,
        /// The length of a day.
        period: Duration,
    },
    /// One rate, of jobs that take longer and longer: something they call is getting slower.
    SlowLeak {
        /// Jobs a second.
        rate: f64,
        /// By how much of its time at the start a job has become longer after a second.
        growth: f64,
    },
}

impl Traffic {
    /// Jobs a second at this time. See [`Simulation`](crate::scaling::Simulation).
    pub fn rate(&self, at: Duration) -> f64 {
        let rate = match *self {
            Self::Step {
                before,
                after,
                at: step,
            } => {
                if at < step {
                    before
                } else {
                    after
                }
            }
            Self::Burst {
                base,
                peak,
                every,
                length,
            } => {
                let since = at.as_nanos() % every.as_nanos().max(1);
                if at >= every && since < length.as_nanos() {
                    peak
                } else {
                    base
                }
            }
            Self::Sawtooth { low, high, period } => low + (high - low) * phase(at, period),
            Self::Diurnal { low, high, period } => {
                let up = 0.5 - 0.5 * (phase(at, period) * TAU).cos();
                low + (high - low) * up
            }
            Self::SlowLeak { rate, .. } => rate,
        };
        rate.max(0.0)
    }

    /// How many times as long as at the start a job takes that starts at this time. See [`Simulation`](crate::scaling::Simulation).
    pub fn slowdown(&self, at: Duration) -> f64 {
        match *self {
            Self::SlowLeak { growth, .. } => 1.0 + growth.max(0.0) * at.as_secs_f64(),
            _ => 1.0,
        }
    }
}

fn phase(at: Duration, period: Duration) -> f64 {
    (at.as_secs_f64() / seconds(period)).fract()
}

fn seconds(period: Duration) -> f64 {
    period.as_secs_f64().max(1e-6)
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Step { .. } => "step",
            Self::Burst { .. } => "burst",
            Self::Sawtooth { .. } => "sawtooth",
            Self::Diurnal { .. } => "diurnal",
            Self::SlowLeak { .. } => "slow leak",
        })
    }
}
