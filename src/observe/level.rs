//! Setting how much is measured.

use std::time::Duration;

use crate::bus::{Bus, BusBuilder};
use crate::error::OptionError;
use crate::event::Event;
use crate::metrics::{Distribution, Meter, Metrics};
use crate::registry::Setting;
use crate::signal::{Derived, Signal, SignalBuilder, Subscription};

/// # Metrics
///
/// Feature `metrics`.
impl BusBuilder {
    /// How much of the signals of the bus is measured, unless they have a level of their own. Default: [`Metrics::Counting`]. [`Bus::set_metrics`] changes it at run time.
    ///
    /// `Sampled` takes one in 1 to 1,000,000,000.
    pub fn metrics(mut self, level: Metrics) -> Self {
        self.options().level = Some(level);
        self
    }

    /// How many histograms the signals and listeners of the bus may have together, each of 9 KiB and made when it is first needed. What comes later records in one that is shared: the series
    /// "other". Default: 256.
    pub fn max_series(mut self, series: usize) -> Self {
        self.options().board.set_max_series(series);
        self
    }

    /// From what duration on a timed call is slow, and kept among the latest 64 of [`Bus::slow_calls`]. Default: 1 second; any duration, and zero keeps every timed call.
    pub fn slow_after(mut self, after: Duration) -> Self {
        self.options().board.set_slow_after(after);
        self
    }
}

/// # Metrics
///
/// Feature `metrics`.
impl<E: Event> SignalBuilder<E> {
    /// How much of the signal is measured. Default: as its bus; [`Metrics::Counting`] for a signal without one. [`Signal::set_metrics`] changes it at run time.
    ///
    /// `Sampled` takes one in 1 to 1,000,000,000.
    pub fn metrics(mut self, level: Metrics) -> Self {
        self.options().level = Some(level);
        self
    }
}

/// # Metrics
///
/// Feature `metrics`.
impl Bus {
    /// Changes how much is measured of the signals that have no level of their own, those that are made later included. The observers of the bus are told.
    ///
    /// # Errors
    ///
    /// `Sampled` takes one in 1 to 1,000,000,000; for anything else all stays as it is.
    ///
    /// ```
    /// use fanfare::{Bus, Metrics};
    ///
    /// let bus = Bus::new();
    /// bus.set_metrics(Metrics::Sampled(64))?;
    /// assert_eq!(bus.metrics(), Metrics::Sampled(64));
    /// assert_eq!(bus.signal::<u32>().metrics(), Metrics::Sampled(64));
    /// assert_eq!(bus.set_metrics(Metrics::Sampled(0)).unwrap_err().option(), "metrics");
    /// # Ok::<(), fanfare::OptionError>(())
    /// ```
    pub fn set_metrics(&self, level: Metrics) -> Result<(), OptionError> {
        level.check()?;
        let before = self.board().set_level(level);
        let (before, after) = (before.to_string(), level.to_string());
        self.home().changed(None, Setting::Metrics, before, after);
        Ok(())
    }

    /// How much is measured of the signals that have no level of their own. See [`set_metrics`](Self::set_metrics).
    pub fn metrics(&self) -> Metrics {
        self.board().level()
    }
}

/// # Metrics
///
/// Feature `metrics`.
impl<E: Event> Signal<E> {
    /// Changes how much is measured of the signal; `None` is as its bus. The observers of the signal are told.
    ///
    /// # Errors
    ///
    /// `Sampled` takes one in 1 to 1,000,000,000; for anything else all stays as it is.
    ///
    /// ```
    /// use fanfare::{Bus, Metrics};
    ///
    /// let signal = Bus::new().signal::<u32>();
    /// signal.set_metrics(Some(Metrics::Timed))?;
    /// assert_eq!(signal.metrics(), Metrics::Timed);
    /// signal.set_metrics(None)?;
    /// assert_eq!(signal.metrics(), Metrics::Counting);
    /// # Ok::<(), fanfare::OptionError>(())
    /// ```
    pub fn set_metrics(&self, level: Option<Metrics>) -> Result<(), OptionError> {
        level.map_or(Ok(()), Metrics::check)?;
        let core = &self.inner.core;
        let before = core.home.meters.set_level(level);
        let bus = core.home.meters.inherited();
        let words = |level| words(level, bus, "bus");
        core.home
            .changed(None, Setting::Metrics, words(before), words(level));
        Ok(())
    }

    /// How much is measured of it now. See [`set_metrics`](Self::set_metrics).
    pub fn metrics(&self) -> Metrics {
        self.inner.core.home.meters.level()
    }
}

/// # Metrics
///
/// Feature `metrics`.
impl<E: Event> Derived<E> {
    /// Changes how much is measured of it; `None` is as the bus of its source, whatever the level of the source. Default: `None`. The observers of the source's options are told. See
    /// [`Signal::set_metrics`].
    ///
    /// # Errors
    ///
    /// As [`Signal::set_metrics`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::OptionError> {
    /// use fanfare::{Metrics, Signal};
    ///
    /// let numbers = Signal::<u32>::new();
    /// let even = numbers.filter(|n| n % 2 == 0);
    /// even.set_metrics(Some(Metrics::Timed))?;
    /// even.on(async |_| {});
    /// numbers.emit(2).await;
    /// assert_eq!(even.snapshot().listeners[0].durations.count(), 1);
    /// assert_eq!((numbers.metrics(), numbers.snapshot().durations.count()), (Metrics::Counting, 0));
    /// # Ok(()) }
    /// ```
    pub fn set_metrics(&self, level: Option<Metrics>) -> Result<(), OptionError> {
        self.inner_signal().set_metrics(level)
    }

    /// How much is measured of it now. See [`set_metrics`](Self::set_metrics).
    pub fn metrics(&self) -> Metrics {
        self.inner_signal().metrics()
    }
}

/// # Metrics
///
/// Feature `metrics`.
impl Subscription {
    /// Changes how much is measured of the listener; `None` is as its signal. The observers of the signal are told.
    ///
    /// # Errors
    ///
    /// `Sampled` takes one in 1 to 1,000,000,000; for anything else all stays as it is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::OptionError> {
    /// use fanfare::{Metrics, Signal};
    ///
    /// let signal = Signal::<u32>::new();
    /// let one = signal.on(async |_| {});
    /// let other = signal.on(async |_| {});
    /// one.set_metrics(Some(Metrics::Timed))?;
    /// signal.emit(1).await;
    /// assert_eq!((one.durations().count(), other.durations().count()), (1, 0));
    /// # Ok(()) }
    /// ```
    pub fn set_metrics(&self, level: Option<Metrics>) -> Result<(), OptionError> {
        level.map_or(Ok(()), Metrics::check)?;
        let record = self.record();
        let meters = &record.home.meters;
        let before = record.meter().set_level(level);
        meters.note_override(level);
        let (who, signal) = (Some(record.identity()), meters.level());
        let words = |level| words(level, signal, "signal");
        record
            .home
            .changed(who, Setting::Metrics, words(before), words(level));
        Ok(())
    }

    /// How much is measured of it now. See [`set_metrics`](Self::set_metrics).
    pub fn metrics(&self) -> Metrics {
        let record = self.record();
        let own = record.known_meter().and_then(Meter::level);
        own.unwrap_or_else(|| record.home.meters.level())
    }

    /// How long its calls took that were timed, all attempts and waits between them included; empty if it has no histogram of its own. See [`set_metrics`](Self::set_metrics).
    pub fn durations(&self) -> Distribution {
        let meter = self.record().known_meter();
        meter.map_or_else(Distribution::default, Meter::durations)
    }
}

/// A level as the observers are told: that it is what is inherited is a setting too.
fn words(own: Option<Metrics>, inherited: Metrics, of: &str) -> String {
    own.map_or_else(
        || format!("{inherited} (as the {of})"),
        |own| own.to_string(),
    )
}
