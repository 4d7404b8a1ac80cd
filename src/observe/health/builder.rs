//! Options of a check.

use std::time::Duration;

use super::HealthCheck;
use super::policy::Policy;
use crate::bus::Bus;
use crate::error::OptionError;
use crate::observe::RuntimeMonitor;

/// Options of a [`HealthCheck`]: from where on something is worth a word. [`HealthCheck::builder`] makes it.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct HealthCheckBuilder {
    pub(super) bus: Bus,
    pub(super) policy: Policy,
    pub(super) monitor: Option<RuntimeMonitor>,
}

impl HealthCheckBuilder {
    pub(super) fn new(bus: &Bus) -> Self {
        Self {
            bus: bus.clone(),
            policy: Policy::default(),
            monitor: None,
        }
    }

    /// What watches the runtime that the listeners run on. Default: nothing, so that nothing is said of stalls and blocked workers. A runtime that is driven only now and then, by
    /// a `block_on` here and there, is stalled in between: do not have it watched. See [`RuntimeMonitor`].
    pub fn monitor(mut self, monitor: &RuntimeMonitor) -> Self {
        self.monitor = Some(monitor.clone());
        self
    }

    /// Over what time failures, dead letters, drops and slow calls are counted: the time since the latest check that is at least so long ago. Default: 60 seconds; from 1 second to a day. See
    /// [`HealthCheck`].
    pub fn window(mut self, window: Duration) -> Self {
        self.policy.window = window;
        self
    }

    /// How many calls a listener has in the window before its failures and durations are judged. Default: 20; from 1 to 1,000,000,000. See [`HealthCheck`].
    pub fn min_calls(mut self, calls: usize) -> Self {
        self.policy.min_calls = calls;
        self
    }

    /// What share of a listener's calls may return an error, panic or run into a deadline; beyond it the listener is failing, so that with 1.0 none ever is. Default: 0.1; above 0.0, up to 1.0. See [`HealthCheck`].
    pub fn failure_share(mut self, share: f64) -> Self {
        self.policy.failure_share = share;
        self
    }

    /// How long a call may take at the 99th percentile, as exactly as the buckets of the histogram tell. Default: 1 second; from 1 millisecond to 18 minutes. Only calls that are
    /// [timed](crate::Metrics) are judged, and only listeners with a histogram of their own: not those beyond [`max_series`](crate::BusBuilder::max_series).
    pub fn slow_p99(mut self, p99: Duration) -> Self {
        self.policy.slow_p99 = p99;
        self
    }

    /// How long those may have waited, on average, who wait for a permit of a pool. The bus is not ready if no permit was taken either for so long, as far as the checks have seen, and degraded while
    /// permits are taken. Default: 5 seconds; from 1 millisecond to an hour. See [`HealthCheck`].
    pub fn pool_wait(mut self, wait: Duration) -> Self {
        self.policy.pool_wait = wait;
        self
    }

    /// How full a buffer may be, or its fullest lane; where it was given [watermarks](crate::SignalBuilder::watermarks), it may not be under pressure by them either. Default: 0.8; above 0.0, up to 1.0. See [`HealthCheck`].
    pub fn buffer_share(mut self, share: f64) -> Self {
        self.policy.buffer_share = share;
        self
    }

    /// What share of [`max_background`](crate::SignalBuilder::max_background) may be in use. Default: 0.9; above 0.0, up to 1.0. See [`HealthCheck`].
    pub fn background_share(mut self, share: f64) -> Self {
        self.policy.background_share = share;
        self
    }

    /// How many dead letters a signal may have in the window. Default: 0. See [`HealthCheck`].
    pub fn max_dead_letters(mut self, letters: u64) -> Self {
        self.policy.max_dead_letters = letters;
        self
    }

    /// How many events a signal may drop in the window; those that newer ones replace, or that nobody is there for any more, do not count. Default: 0. See [`HealthCheck`].
    pub fn max_dropped(mut self, events: u64) -> Self {
        self.policy.max_dropped = events;
        self
    }

    /// How long the runtime may be stalled before the process does not live; what is below the [`stall_after`](crate::observe::RuntimeMonitorBuilder::stall_after) of the monitor is as that. Default: 10 seconds; from 1 millisecond to an hour. See [`monitor`](Self::monitor).
    pub fn stalled_after(mut self, after: Duration) -> Self {
        self.policy.stalled_after = after;
        self
    }

    /// How long a worker of the runtime may be blocked; what is below the [`stall_after`](crate::observe::RuntimeMonitorBuilder::stall_after) of the monitor is as that. Default: 1 second; from 1 millisecond to an hour. See [`monitor`](Self::monitor).
    pub fn blocked_after(mut self, after: Duration) -> Self {
        self.policy.blocked_after = after;
        self
    }

    /// How many tasks of the runtime may be alive: of the one that is [watched](Self::monitor), or else of the one that the check is called on. Default: 100,000; from 1 to 1,000,000,000.
    pub fn max_tasks(mut self, tasks: usize) -> Self {
        self.policy.max_tasks = tasks;
        self
    }

    /// How many bytes of the process may be in RAM; known on Linux only. Default: any number. At least 1. See [`HealthCheck`].
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.policy.max_memory = Some(bytes);
        self
    }

    /// How many listeners each list of the [worst](crate::observe::Health::worst) has, at most. Default: 3; from 0 to 1,000.
    pub fn worst(mut self, listeners: usize) -> Self {
        self.policy.worst = listeners;
        self
    }

    /// Makes the check.
    ///
    /// # Panics
    ///
    /// Where [`try_build`](Self::try_build) returns an error.
    #[track_caller]
    pub fn build(self) -> HealthCheck {
        match self.try_build() {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes the check, or says which option makes no sense.
    ///
    /// ```
    /// use fanfare::Bus;
    /// use fanfare::observe::HealthCheck;
    ///
    /// let error = HealthCheck::builder(&Bus::new()).failure_share(1.5).try_build().unwrap_err();
    /// assert_eq!((error.option(), error.value()), ("failure_share", "1.5"));
    /// ```
    ///
    /// # Errors
    ///
    /// The first option whose value is outside its limits.
    pub fn try_build(self) -> Result<HealthCheck, OptionError> {
        self.policy.check()?;
        Ok(HealthCheck::of(self))
    }
}
