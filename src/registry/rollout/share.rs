//! What a fraction takes in.

use siphasher::sip::SipHasher13;

use crate::error::OptionError;
use crate::sync::{AtomicU64, Ordering};

/// One more than the largest point, as a float: exact, since it is a power of two.
const POINTS: f64 = 18_446_744_073_709_551_616.0;

/// The fraction, if it is one.
pub(super) fn check(fraction: f64) -> Result<f64, OptionError> {
    if (0.0..=1.0).contains(&fraction) {
        // Minus zero becomes zero.
        return Ok(fraction + 0.0);
    }
    let expected = "it takes a fraction from 0.0 to 1.0; 0.01 is 1%";
    Err(OptionError::new("rollout", fraction, expected))
}

/// What a salt makes of the hash of each key.
pub(super) fn seed(salt: &str) -> u64 {
    SipHasher13::new_with_keys(0, 0).hash(salt.as_bytes())
}

/// Where a key stands among all: the same on every machine and in every version, or a key would change sides.
pub(super) fn point(seed: u64, key: &[u8]) -> u64 {
    SipHasher13::new_with_keys(seed, 0).hash(key)
}

/// Whether the fraction takes this point in: those below it, so that a larger one takes in the same and more.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction of all points is a whole number from 0 to 2^64 once it is rounded up"
)]
pub(super) fn takes(fraction: f64, point: u64) -> bool {
    u128::from(point) < (fraction * POINTS).ceil() as u128
}

/// Spreads a fraction evenly: of n turns it takes n times the fraction, give or take one, whatever n, and also while the fraction changes.
///
/// Each turn adds the fraction to a sum, and is taken if that comes to a whole. The sum's whole part is not kept.
pub(super) struct Turns(AtomicU64);

impl Turns {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction below one of all points is a number of 64 bits"
    )]
    pub(super) fn next(&self, fraction: f64) -> bool {
        if fraction >= 1.0 {
            return true;
        }
        let step = (fraction * POINTS) as u64;
        // A counter: nothing is published with it.
        let before = self.0.fetch_add(step, Ordering::Relaxed);
        before.checked_add(step).is_none()
    }
}

/// A fraction in words: `0.01` is "1%".
pub(super) fn percent(fraction: f64) -> String {
    // What a float adds behind the tenth place is not what anybody has set.
    let text = format!("{:.10}", fraction * 100.0);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{short}%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fraction_takes_in_just_the_points_below_it() {
        for point in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(!takes(0.0, point));
            assert!(takes(1.0, point));
        }
        assert!(takes(0.5, (1 << 63) - 1));
        assert!(!takes(0.5, 1 << 63));
        assert!(takes(f64::MIN_POSITIVE, 0));
        assert!(!takes(f64::MIN_POSITIVE, 1));
    }

    #[test]
    fn a_fraction_is_told_as_it_was_set() {
        let told = [
            0.0,
            0.01,
            0.07,
            1.0 - 0.07,
            0.29,
            0.1,
            1.0 / 3.0,
            0.000_125,
            1.0,
        ]
        .map(percent);
        let expected = [
            "0%",
            "1%",
            "7%",
            "93%",
            "29%",
            "10%",
            "33.3333333333%",
            "0.0125%",
            "100%",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn no_fraction_outside_of_zero_to_one_is_taken() {
        for nonsense in [-0.1, 1.000_000_1, 10.0, f64::NAN, f64::INFINITY] {
            let error = check(nonsense).expect_err("it is no fraction");
            assert_eq!(
                (error.option(), error.value()),
                ("rollout", nonsense.to_string().as_str())
            );
        }
        assert!(check(-0.0).is_ok_and(f64::is_sign_positive));
    }

    proptest! {
        /// The twin counts with whole numbers, and forgets nothing.
        #[test]
        fn turns_are_taken_whenever_the_sum_of_the_fractions_comes_to_a_whole(
            seed: u64,
            parts in prop::collection::vec((0_u32..=1_000, 1_usize..50), 1..20),
        ) {
            let turns = Turns::new(seed);
            let whole = 1_u128 << 64;
            let (mut sum, mut taken) = (u128::from(seed), 0_u128);
            for (part, times) in parts {
                // A fraction of a power of two is exact as a float.
                let fraction = f64::from(part) / 1_024.0;
                for _ in 0..times {
                    sum += (whole >> 10) * u128::from(part);
                    taken += u128::from(turns.next(fraction));
                    prop_assert_eq!(taken, sum / whole);
                }
            }
        }

        #[test]
        fn a_larger_fraction_takes_in_the_same_and_more(
            point: u64,
            fractions in (0.0..=1.0, 0.0..=1.0),
        ) {
            let (less, more) = (f64::min(fractions.0, fractions.1), f64::max(fractions.0, fractions.1));
            prop_assert!(!takes(less, point) || takes(more, point));
        }
    }
}
