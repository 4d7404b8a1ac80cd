//! From where on something is worth a word: the thresholds, checked by name.

use std::time::Duration;

use crate::error::{OptionError, check_count};

/// The thresholds of a check. [`HealthCheckBuilder`](super::HealthCheckBuilder) says what each does.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) window: Duration,
    pub(super) min_calls: usize,
    pub(super) failure_share: f64,
    pub(super) slow_p99: Duration,
    pub(super) pool_wait: Duration,
    pub(super) buffer_share: f64,
    pub(super) background_share: f64,
    pub(super) max_dead_letters: u64,
    pub(super) max_dropped: u64,
    pub(super) stalled_after: Duration,
    pub(super) blocked_after: Duration,
    pub(super) max_tasks: usize,
    pub(super) max_memory: Option<u64>,
    pub(super) worst: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            min_calls: 20,
            failure_share: 0.1,
            slow_p99: Duration::from_secs(1),
            pool_wait: Duration::from_secs(5),
            buffer_share: 0.8,
            background_share: 0.9,
            max_dead_letters: 0,
            max_dropped: 0,
            stalled_after: Duration::from_secs(10),
            blocked_after: Duration::from_secs(1),
            max_tasks: 100_000,
            max_memory: None,
            worst: 3,
        }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Where a histogram ends.
const LONGEST: Duration = Duration::from_secs(18 * 60);

const TO_AN_HOUR: &str = "it takes 1 millisecond to an hour";

impl Policy {
    pub(super) fn check(&self) -> Result<(), OptionError> {
        let times = "it takes 1 second to a day";
        time("window", self.window, SECOND, DAY, times)?;
        let calls = "it takes 1 to 1,000,000,000 calls";
        check_count("min_calls", self.min_calls, 1_000_000_000, calls)?;
        share("failure_share", self.failure_share)?;
        let times = "it takes 1 millisecond to 18 minutes";
        time("slow_p99", self.slow_p99, MILLISECOND, LONGEST, times)?;
        time("pool_wait", self.pool_wait, MILLISECOND, HOUR, TO_AN_HOUR)?;
        share("buffer_share", self.buffer_share)?;
        share("background_share", self.background_share)?;
        for (option, value) in [
            ("stalled_after", self.stalled_after),
            ("blocked_after", self.blocked_after),
        ] {
            time(option, value, MILLISECOND, HOUR, TO_AN_HOUR)?;
        }
        let tasks = "it takes 1 to 1,000,000,000 tasks";
        check_count("max_tasks", self.max_tasks, 1_000_000_000, tasks)?;
        if self.max_memory == Some(0) {
            let expected = "it takes 1 byte or more";
            return Err(OptionError::new("max_memory", 0, expected));
        }
        if self.worst > 1_000 {
            let expected = "it takes 0 to 1,000 listeners";
            return Err(OptionError::new("worst", self.worst, expected));
        }
        Ok(())
    }
}

fn time(
    option: &'static str,
    value: Duration,
    least: Duration,
    most: Duration,
    expected: &'static str,
) -> Result<(), OptionError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(OptionError::new(option, format!("{value:?}"), expected))
    }
}

fn share(option: &'static str, value: f64) -> Result<(), OptionError> {
    if value > 0.0 && value <= 1.0 {
        Ok(())
    } else {
        let expected = "it takes a share above 0.0, up to 1.0";
        Err(OptionError::new(option, value, expected))
    }
}
