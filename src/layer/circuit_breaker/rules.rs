//! The settings that the state goes by.

use std::time::Duration;

use crate::error::{OptionError, check_count};

/// The most calls that a window holds, and the most that may be asked of it.
const MOST_CALLS: usize = 65_536;
const MOST_BUCKETS: u32 = 1_000;
const MOST_PROBES: usize = 65_536;
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const A_DURATION: &str = "it takes a time above zero, at most 30 days";
const A_RATE: &str = "it takes a share above 0.0, at most 1.0";

/// Which calls the rates are of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Span {
    Calls(usize),
    Time { length: Duration, buckets: u32 },
}

/// The settings that the state goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    pub(super) span: Span,
    pub(super) min_calls: Option<usize>,
    pub(super) failure_rate: f64,
    /// The share of slow calls that opens, and what is slow.
    pub(super) slow: Option<(f64, Duration)>,
    pub(super) open_for: Duration,
    /// By how much each failed round of probes makes the next time longer, and up to what.
    pub(super) growth: Option<(f64, Duration)>,
    pub(super) probes: usize,
    pub(super) probe_successes: Option<usize>,
    pub(super) probe_timeout: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            span: Span::Calls(100),
            min_calls: None,
            failure_rate: 0.5,
            slow: None,
            open_for: Duration::from_secs(30),
            growth: None,
            probes: 3,
            probe_successes: None,
            probe_timeout: Duration::from_secs(5 * 60),
        }
    }
}

impl Rules {
    /// How many calls there must be before a rate counts. Unless told, ten, or as many as the window holds if that is fewer.
    pub(super) fn min_calls(&self) -> usize {
        self.min_calls.unwrap_or(match self.span {
            Span::Calls(calls) => calls.min(10),
            Span::Time { .. } => 10,
        })
    }

    /// How many probes must succeed. Unless told, more than half.
    pub(super) fn probe_successes(&self) -> usize {
        self.probe_successes.unwrap_or(self.probes / 2 + 1)
    }

    /// Whether a call that took so long was slow.
    pub(super) fn is_slow(&self, took: Duration) -> bool {
        self.slow.is_some_and(|(_, slow)| took >= slow)
    }

    /// For how long it is open when it was open for so long before and the probes failed.
    pub(super) fn grown(&self, before: Duration) -> Duration {
        let Some((factor, most)) = self.growth else {
            return before;
        };
        let longer = Duration::try_from_secs_f64(before.as_secs_f64() * factor);
        longer.map_or(most, |longer| longer.min(most))
    }

    pub(super) fn check(&self) -> Result<(), OptionError> {
        self.check_window()?;
        rate("failure_rate", self.failure_rate)?;
        if let Some((share, slow)) = self.slow {
            rate("slow_call_rate", share)?;
            duration("slow_call_rate", slow)?;
        }
        duration("open_for", self.open_for)?;
        if let Some((factor, most)) = self.growth {
            if !(1.0..=100.0).contains(&factor) {
                let takes = "it takes a factor of 1.0 to 100.0";
                return Err(OptionError::new("open_growth", factor, takes));
            }
            duration("open_growth", most)?;
            if most < self.open_for {
                let takes = "it takes a longest time of at least `open_for`";
                return Err(OptionError::new("open_growth", format!("{most:?}"), takes));
            }
        }
        check_count(
            "probes",
            self.probes,
            MOST_PROBES,
            "it takes 1 to 65,536 calls",
        )?;
        let takes = "it takes 1 to as many as there are `probes`";
        check_count(
            "probe_successes",
            self.probe_successes(),
            self.probes,
            takes,
        )?;
        duration("probe_timeout", self.probe_timeout)
    }

    fn check_window(&self) -> Result<(), OptionError> {
        let most = match self.span {
            Span::Calls(calls) => {
                check_count(
                    "window_calls",
                    calls,
                    MOST_CALLS,
                    "it takes 1 to 65,536 calls",
                )?;
                calls
            }
            Span::Time { length, buckets } => {
                duration("window_time", length)?;
                if !(1..=MOST_BUCKETS).contains(&buckets) {
                    let takes = "it takes 1 to 1,000 buckets";
                    return Err(OptionError::new("window_time", buckets, takes));
                }
                if length / buckets < Duration::from_millis(1) {
                    let value = format!("{length:?} in {buckets} buckets");
                    let takes = "it takes buckets of 1 ms or more";
                    return Err(OptionError::new("window_time", value, takes));
                }
                MOST_CALLS
            }
        };
        let takes = "it takes 1 to as many calls as the window holds, at most 65,536";
        check_count("min_calls", self.min_calls(), most, takes)
    }
}

fn rate(option: &'static str, value: f64) -> Result<(), OptionError> {
    if value > 0.0 && value <= 1.0 {
        Ok(())
    } else {
        Err(OptionError::new(option, value, A_RATE))
    }
}

fn duration(option: &'static str, value: Duration) -> Result<(), OptionError> {
    if value > Duration::ZERO && value <= LONGEST {
        Ok(())
    } else {
        Err(OptionError::new(option, format!("{value:?}"), A_DURATION))
    }
}
