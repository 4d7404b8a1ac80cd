//! How much is measured, and where it is kept: levels, histograms, and the board that the signals of a bus share.
//!
//! Twins with the same surface: `enabled`, and `disabled`, which is nothing at all, for builds without the feature `metrics`.

#[cfg(feature = "metrics")]
mod distribution;
#[cfg(feature = "metrics")]
mod level;
#[cfg(feature = "metrics")]
mod recorder;
#[cfg(feature = "metrics")]
mod slow;
#[cfg_attr(feature = "metrics", path = "enabled.rs")]
#[cfg_attr(not(feature = "metrics"), path = "disabled.rs")]
mod twin;
#[cfg(feature = "metrics")]
mod wait;

#[cfg(feature = "metrics")]
pub use distribution::{Distribution, DistributionBucket};
#[cfg(feature = "metrics")]
pub use level::Metrics;
#[cfg(feature = "metrics")]
pub use slow::SlowCall;
#[cfg(not(feature = "metrics"))]
pub(crate) use twin::Wait;
pub(crate) use twin::{Board, Draw, Follower, Level, Meter, Meters, Stopwatch};
#[cfg(feature = "metrics")]
pub use wait::Wait;
