//! A histogram as it was when it was read.

use std::fmt;
use std::time::Duration;

use histogram::Histogram;

use super::recorder::config;

/// How long something took, over all that were timed: a histogram as it was when it was read.
///
/// Its buckets are logarithmic, 32 to a power of two, so that a percentile is at most 1/32 (3.2%) above the duration that an exact sort would find, and never below it; up to 63 ns they are exact. What
/// took longer than 18 minutes counts as 18 minutes.
#[derive(Clone, Default)]
pub struct Distribution(Option<Box<Filled>>);

#[derive(Clone)]
struct Filled {
    histogram: Histogram,
    count: u64,
    sum: Duration,
    max: Duration,
}

/// So many durations took no longer than this and longer than the bucket before. [`Distribution::buckets`] makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistributionBucket {
    /// The longest that falls in it.
    pub upper: Duration,
    /// How many did.
    pub count: u64,
}

impl Distribution {
    pub(super) fn new(histogram: Histogram, sum: Duration, max: Duration) -> Self {
        let count = histogram.as_slice().iter().sum();
        Self((count > 0).then(|| {
            Box::new(Filled {
                histogram,
                count,
                sum,
                max,
            })
        }))
    }

    /// How many were timed. See [`Distribution`](crate::observe::Distribution).
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |filled| filled.count)
    }

    /// Whether nothing was timed. See [`Distribution`](crate::observe::Distribution).
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All durations added up, to the nanosecond. See [`Distribution`](crate::observe::Distribution).
    pub fn sum(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |filled| filled.sum)
    }

    /// The mean, to the nanosecond; zero if nothing was timed. See [`Distribution`](crate::observe::Distribution).
    pub fn mean(&self) -> Duration {
        let nanos = self.sum().as_nanos() / u128::from(self.count().max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The longest, to the nanosecond; zero if nothing was timed. In a [difference](Self::since) the longest of the whole time.
    pub fn max(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |filled| filled.max)
    }

    /// The duration that this share of them did not exceed: `quantile(0.99)` is the 99th percentile. `None` if nothing was timed, or for what is not between 0 and 1.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fanfare::observe::Distribution;
    ///
    /// let durations: Distribution = (1..=100).map(Duration::from_millis).collect();
    /// let p99 = durations.quantile(0.99).unwrap();
    /// assert!(p99 >= Duration::from_millis(99) && p99 <= Duration::from_millis(99) * 33 / 32, "{p99:?}");
    /// assert_eq!(durations.quantile(1.5), None);
    /// ```
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let filled = self.0.as_ref()?;
        let bucket = filled.histogram.quantile_bucket(quantile).ok()??;
        Some(Duration::from_nanos(bucket.end()).min(filled.max))
    }

    /// The buckets that have something in them, the shortest first. See [`Distribution`](crate::observe::Distribution).
    pub fn buckets(&self) -> impl Iterator<Item = DistributionBucket> + '_ {
        let filled = self.0.iter().flat_map(|filled| filled.histogram.iter());
        let filled = filled.filter(|bucket| bucket.count() > 0);
        filled.map(|bucket| DistributionBucket {
            upper: Duration::from_nanos(bucket.end()),
            count: bucket.count(),
        })
    }

    /// Adds those of another. See [`Distribution`](crate::observe::Distribution).
    pub fn merge(&mut self, other: &Self) {
        let Some(other) = &other.0 else { return };
        match &mut self.0 {
            None => self.0 = Some(other.clone()),
            Some(filled) => {
                // All have the same buckets.
                if let Ok(sum) = filled.histogram.wrapping_add(&other.histogram) {
                    filled.histogram = sum;
                    filled.count += other.count;
                    filled.sum += other.sum;
                    filled.max = filled.max.max(other.max);
                }
            }
        }
    }

    /// Those that were timed after `earlier` was read of the same: what came in between. If it is not of the same, or of one that was made anew since, all of these.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let (Some(now), Some(before)) = (&self.0, &earlier.0) else {
            return self.clone();
        };
        match now.histogram.checked_sub(&before.histogram) {
            Ok(histogram) => Self::new(histogram, now.sum.saturating_sub(before.sum), now.max),
            Err(_) => self.clone(),
        }
    }
}

impl FromIterator<Duration> for Distribution {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut histogram = Histogram::with_config(&config());
        let (mut sum, mut max) = (Duration::ZERO, Duration::ZERO);
        for duration in durations {
            let nanos = super::recorder::nanos(duration);
            let _ = histogram.increment(nanos);
            sum += Duration::from_nanos(nanos);
            max = max.max(Duration::from_nanos(nanos));
        }
        Self::new(histogram, sum, max)
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Distribution {
    fn eq(&self, other: &Self) -> bool {
        (self.count(), self.sum(), self.max()) == (other.count(), other.sum(), other.max())
            && self.buckets().eq(other.buckets())
    }
}

/// Seconds, as dashboards want them.
#[cfg(feature = "serde")]
impl serde::Serialize for Distribution {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let seconds = |quantile| self.quantile(quantile).map(|at| at.as_secs_f64());
        let mut fields = serializer.serialize_struct("Distribution", 7)?;
        fields.serialize_field("count", &self.count())?;
        fields.serialize_field("sum_seconds", &self.sum().as_secs_f64())?;
        fields.serialize_field("p50_seconds", &seconds(0.5))?;
        fields.serialize_field("p90_seconds", &seconds(0.9))?;
        fields.serialize_field("p99_seconds", &seconds(0.99))?;
        fields.serialize_field("p999_seconds", &seconds(0.999))?;
        fields.serialize_field("max_seconds", &self.max().as_secs_f64())?;
        fields.end()
    }
}
