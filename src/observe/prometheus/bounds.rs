//! The bounds of the buckets.

use std::sync::Arc;
use std::time::Duration;

use crate::error::OptionError;
use crate::metrics::Distribution;

/// In tenths of microseconds: 1 us to 60 s.
const TENTHS: [u64; 24] = [
    10,
    25,
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    300_000_000,
    600_000_000,
];

/// More are no longer a histogram.
const MOST: usize = 100;

/// What a [`Distribution`] tells apart ends here.
const LONGEST: Duration = Duration::from_nanos(1 << 40);

/// Upper bounds of buckets, the lowest first, each with how it is written.
#[derive(Clone, Debug)]
pub(super) struct Bounds(Arc<[(Duration, String)]>);

impl Default for Bounds {
    fn default() -> Self {
        Self::written(
            TENTHS
                .into_iter()
                .map(|tenths| Duration::from_nanos(tenths * 100)),
        )
    }
}

impl Bounds {
    pub(super) fn new(bounds: &[Duration]) -> Result<Self, OptionError> {
        let refuse = |value: String, expected| Err(OptionError::new("buckets", value, expected));
        if !(1..=MOST).contains(&bounds.len()) {
            let value = format!("{} bounds", bounds.len());
            return refuse(value, "it takes 1 to 100 bounds");
        }
        for (nth, bound) in bounds.iter().enumerate() {
            if bound.is_zero() || *bound > LONGEST {
                let expected = "it takes bounds above zero and up to 18 minutes";
                return refuse(format!("{bound:?}"), expected);
            }
            if nth > 0 && bounds[nth - 1] >= *bound {
                let value = format!("{:?} before {bound:?}", bounds[nth - 1]);
                return refuse(value, "it takes bounds that rise");
            }
        }
        Ok(Self::written(bounds.iter().copied()))
    }

    fn written(bounds: impl Iterator<Item = Duration>) -> Self {
        Self(bounds.map(|bound| (bound, seconds(bound))).collect())
    }

    /// How many took at most as long as each bound, as far as whole buckets of the distribution say so.
    pub(super) fn cumulative(&self, durations: &Distribution) -> impl Iterator<Item = (&str, u64)> {
        let mut buckets = durations.buckets().peekable();
        let mut count = 0;
        self.0.iter().map(move |(bound, written)| {
            while let Some(bucket) = buckets.next_if(|bucket| bucket.upper <= *bound) {
                count += bucket.count;
            }
            (&**written, count)
        })
    }
}

/// Seconds, as the canonical numbers of `OpenMetrics` are written: the same in both formats, so that it is the same series.
fn seconds(bound: Duration) -> String {
    let seconds = bound.as_secs_f64();
    if seconds >= 0.000_1 {
        return format!("{seconds:?}");
    }
    let written = format!("{seconds:e}");
    match written.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_canonical_numbers() {
        let cases = [
            (1, "1e-09"),
            (1_000, "1e-06"),
            (2_500, "2.5e-06"),
            (10_000, "1e-05"),
            (99_999, "9.9999e-05"),
            (100_000, "0.0001"),
            (250_000, "0.00025"),
            (1_000_000, "0.001"),
            (1_000_000_000, "1.0"),
            (2_500_000_000, "2.5"),
            (1_000_000_000_000, "1000.0"),
        ];
        for (nanos, written) in cases {
            assert_eq!(seconds(Duration::from_nanos(nanos)), written);
        }
    }

    #[test]
    fn a_bucket_that_a_bound_falls_into_counts_above_it() {
        // A bucket of 64 to 65 ns, and one of 66 to 67.
        let durations: Distribution = [63, 64, 66].map(Duration::from_nanos).into_iter().collect();
        let bounds = Bounds::new(&[62, 63, 64, 65, 66, 67].map(Duration::from_nanos)).unwrap();
        let counts: Vec<u64> = bounds
            .cumulative(&durations)
            .map(|(_, count)| count)
            .collect();
        assert_eq!(counts, [0, 1, 1, 2, 2, 3]);
    }
}
