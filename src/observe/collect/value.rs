//! The value of one series.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::metrics::Distribution;

/// The value of a counter, exact. It is printed as a number in base units: `12`, or `1.5` for as many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// So many.
    Count(u64),
    /// So much time, of a family whose unit is seconds.
    Time(Duration),
}

impl Total {
    /// The number, in base units. See [`Total`](crate::observe::Total).
    #[expect(
        clippy::cast_precision_loss,
        reason = "who asks for a float gets the nearest"
    )]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Time(time) => time.as_secs_f64(),
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) => seconds(*time, f),
        }
    }
}

/// Seconds to the nanosecond, without zeros at the end.
fn seconds(time: Duration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (mut part, mut digits) = (time.subsec_nanos(), 9);
    if part == 0 {
        return write!(f, "{}", time.as_secs());
    }
    while part % 10 == 0 {
        part /= 10;
        digits -= 1;
    }
    write!(f, "{}.{part:0digits$}", time.as_secs())
}

/// What is read of a snapshot.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Total(Total),
    Gauge(f64),
    Durations(Cow<'a, Distribution>),
}

impl<'a> Value<'a> {
    pub(super) fn count(count: u64) -> Self {
        Self::Total(Total::Count(count))
    }

    pub(super) fn time(time: Duration) -> Self {
        Self::Total(Total::Time(time))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "exact up to 2^53, which nothing has in memory"
    )]
    pub(super) fn gauge(number: usize) -> Self {
        Self::Gauge(number as f64)
    }

    /// 1 if it is so, so that the sum says of how many it is.
    pub(super) fn flag(so: bool) -> Self {
        Self::gauge(usize::from(so))
    }

    pub(super) fn durations(durations: &'a Distribution) -> Self {
        Self::Durations(Cow::Borrowed(durations))
    }

    /// A histogram that nothing was recorded in is no series.
    pub(super) fn is_series(&self) -> bool {
        match self {
            Self::Durations(durations) => !durations.is_empty(),
            Self::Total(_) | Self::Gauge(_) => true,
        }
    }

    /// The sum of two values of one family.
    pub(super) fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Total(Total::Count(sum)), Self::Total(Total::Count(more))) => *sum += more,
            (Self::Total(Total::Time(sum)), Self::Total(Total::Time(more))) => *sum += more,
            (Self::Gauge(sum), Self::Gauge(more)) => *sum += more,
            (Self::Durations(sum), Self::Durations(more)) => sum.to_mut().merge(&more),
            _ => unreachable!("the values of a family are of one kind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_prints_as_a_number_in_base_units() {
        let time = |nanos| Total::Time(Duration::from_nanos(nanos)).to_string();
        assert_eq!(Total::Count(u64::MAX).to_string(), u64::MAX.to_string());
        assert_eq!(time(0), "0");
        assert_eq!(time(1), "0.000000001");
        assert_eq!(time(2_000_000_000), "2");
        assert_eq!(time(12_034_500_000), "12.0345");
        assert_eq!(time(1_999_999_999), "1.999999999");
    }
}
