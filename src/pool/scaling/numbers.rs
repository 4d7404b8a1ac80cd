//! Counts as ratios, and back.

use std::time::Duration;

#[expect(clippy::cast_precision_loss, reason = "a pool is far below 2^52")]
pub(super) fn ratio(count: usize) -> f64 {
    count as f64
}

/// A size: what is below zero is zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast of a float saturates"
)]
pub(super) fn whole(size: f64) -> usize {
    size as usize
}

/// `part` of `whole`; zero of nothing.
pub(super) fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        0.0
    } else {
        part.as_secs_f64() / whole.as_secs_f64()
    }
}

/// The mean of `count` times that add up to `sum`; zero of none.
pub(super) fn mean(sum: Duration, count: u64) -> Duration {
    let nanos = sum.as_nanos().checked_div(u128::from(count)).unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
