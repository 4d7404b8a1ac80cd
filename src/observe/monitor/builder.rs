//! Options of a monitor.

use std::time::Duration;

use super::RuntimeMonitor;
use crate::error::OptionError;
use crate::sync::Handle;

/// Options of a [`RuntimeMonitor`]. [`RuntimeMonitor::builder`] makes it.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct RuntimeMonitorBuilder {
    pub(super) runtime: Handle,
    pub(super) name: String,
    pub(super) interval: Duration,
    pub(super) stall_after: Duration,
}

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

impl RuntimeMonitorBuilder {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            name: "runtime".to_owned(),
            interval: Duration::from_millis(100),
            stall_after: Duration::from_millis(50),
        }
    }

    /// The name of the runtime, for exports that tell several apart. Default: "runtime". Not empty. See [`RuntimeMonitor`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How often it looks. Default: 100 milliseconds; from 1 millisecond to a minute. See [`RuntimeMonitor`].
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long a probe waits before that is a stall, and how long a worker does not get on before it is blocked. Default: 50 milliseconds; from 1 millisecond to an hour.
    pub fn stall_after(mut self, after: Duration) -> Self {
        self.stall_after = after;
        self
    }

    /// Begins to watch.
    ///
    /// # Panics
    ///
    /// Where [`try_build`](Self::try_build) returns an error, and if the system gives no thread, as [`std::thread::spawn`] does.
    #[track_caller]
    pub fn build(self) -> RuntimeMonitor {
        match self.try_build() {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// Begins to watch, or says which option makes no sense.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// use fanfare::observe::RuntimeMonitor;
    ///
    /// let builder = RuntimeMonitor::builder(tokio::runtime::Handle::current());
    /// let error = builder.interval(Duration::ZERO).try_build().unwrap_err();
    /// assert_eq!((error.option(), error.value()), ("interval", "0ns"));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The first option whose value is outside its limits.
    ///
    /// # Panics
    ///
    /// If the system gives no thread, as [`std::thread::spawn`] does.
    pub fn try_build(self) -> Result<RuntimeMonitor, OptionError> {
        if self.name.is_empty() {
            let expected = "it takes text that is not empty";
            return Err(OptionError::new("name", "\"\"", expected));
        }
        let limits = [
            (
                "interval",
                self.interval,
                MINUTE,
                "it takes 1 millisecond to a minute",
            ),
            (
                "stall_after",
                self.stall_after,
                HOUR,
                "it takes 1 millisecond to an hour",
            ),
        ];
        for (option, value, longest, expected) in limits {
            if !(MILLISECOND..=longest).contains(&value) {
                return Err(OptionError::new(option, format!("{value:?}"), expected));
            }
        }
        Ok(RuntimeMonitor::start(self))
    }
}
