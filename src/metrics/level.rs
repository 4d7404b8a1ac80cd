//! How much is measured.

use std::fmt;

use crate::error::OptionError;

/// How much of a listener, a signal or a bus is measured and told. [`Bus::set_metrics`](crate::Bus::set_metrics), [`Signal::set_metrics`](crate::Signal::set_metrics) and
/// [`Subscription::set_metrics`](crate::Subscription::set_metrics) change it at run time: a listener goes by its signal unless it has a level of its own, a signal by its bus.
///
/// Counts are exact at every level, and kept at every level: they are what reports, [`Stats`](crate::Stats) and the log are made of, and cost nothing beside. Durations are histograms with a relative
/// error of at most 1/32, and take two readings of the clock a call: hence the sampling.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use fanfare::{Bus, Metrics};
///
/// let bus = Bus::builder().metrics(Metrics::Timed).build();
/// let audit = bus.listen::<u32>().key("audit").on(async |_| {})?;
/// let _ = bus.emit(1_u32).await;
/// assert_eq!(bus.snapshot().signals[0].listeners[0].durations.count(), 1);
///
/// audit.set_metrics(Some(Metrics::Counting))?;
/// let _ = bus.emit(2_u32).await;
/// let listener = bus.snapshot().signals[0].listeners[0].clone();
/// assert_eq!((listener.calls, listener.durations.count()), (2, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Metrics {
    /// Nothing is timed, and exporters leave it out.
    Off,
    /// Counts and gauges, no durations. The default.
    #[default]
    Counting,
    /// Counts and gauges, and the durations of one emission in so many, 1 to 1,000,000,000.
    Sampled(u32),
    /// Counts and gauges, and the durations of all emissions.
    Timed,
}

/// The level of that which this is a part of.
pub(super) const INHERITED: u32 = 0;
/// Numbers up to here say one in how many.
const MOST: u32 = 1_000_000_000;
const COUNTING: u32 = u32::MAX - 1;
const OFF: u32 = u32::MAX;

impl Metrics {
    /// Whether exporters tell of it. See [`Metrics`](crate::Metrics).
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    pub(crate) fn check(self) -> Result<(), OptionError> {
        match self {
            Self::Sampled(every) if !(1..=MOST).contains(&every) => Err(OptionError::new(
                "metrics",
                format!("Sampled({every})"),
                "it takes one emission in 1 to 1,000,000,000",
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn to_bits(self) -> u32 {
        match self {
            Self::Off => OFF,
            Self::Counting => COUNTING,
            Self::Sampled(every) => every.clamp(1, MOST),
            Self::Timed => 1,
        }
    }

    pub(super) fn of_bits(bits: u32) -> Option<Self> {
        match bits {
            INHERITED => None,
            OFF => Some(Self::Off),
            1 => Some(Self::Timed),
            every if every <= MOST => Some(Self::Sampled(every)),
            _ => Some(Self::Counting),
        }
    }
}

/// Whether anything is timed at this level.
pub(super) fn times(bits: u32) -> bool {
    (1..=MOST).contains(&bits)
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Counting => f.write_str("counting"),
            Self::Sampled(every) => write!(f, "timing 1 in {every}"),
            Self::Timed => f.write_str("timing all"),
        }
    }
}
