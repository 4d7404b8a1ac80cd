//! The decisions, without a clock and without memory: the n-th depends on the seed and on n.

use std::time::Duration;

/// How likely each fault is. They exclude each other; what is left of 1 passes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Odds {
    pub(super) fail: f64,
    pub(super) panic: f64,
    pub(super) delay: f64,
    pub(super) hang: f64,
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
}

/// What a delivery is to meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Pass,
    Fail,
    Panic,
    Delay(Duration),
    Hang,
}

impl Odds {
    pub(super) fn sum(&self) -> f64 {
        self.fail + self.panic + self.delay + self.hang
    }

    /// The decision of the draw of this number.
    pub(super) fn decide(&self, seed: u64, draw: u64) -> Decision {
        let mut rng = fastrand::Rng::with_seed(mixed(seed, draw));
        let mut at = rng.f64();
        let faults = [
            (self.fail, Decision::Fail),
            (self.panic, Decision::Panic),
            (self.hang, Decision::Hang),
        ];
        for (odds, fault) in faults {
            if at < odds {
                return fault;
            }
            at -= odds;
        }
        if at < self.delay {
            return Decision::Delay(self.length(rng.f64()));
        }
        Decision::Pass
    }

    /// The delay that is this far between the shortest and the longest.
    fn length(&self, share: f64) -> Duration {
        let most = self.longest.saturating_sub(self.shortest);
        self.shortest
            .saturating_add(most.mul_f64(share.clamp(0.0, 1.0)))
    }
}

/// A seed for one draw: neighbours share nothing. `SplitMix64`.
fn mixed(seed: u64, draw: u64) -> u64 {
    let mut z = seed.wrapping_add(draw.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn odds() -> impl Strategy<Value = Odds> {
        let shares = prop::array::uniform5(0_u32..100);
        (shares, 0..1_000_u64, 0..1_000_u64).prop_map(|(shares, shortest, more)| {
            let all = f64::from(shares.iter().sum::<u32>().max(1));
            let [fail, panic, delay, hang, _] = shares.map(|share| f64::from(share) / all);
            Odds {
                fail,
                panic,
                delay,
                hang,
                shortest: Duration::from_micros(shortest),
                longest: Duration::from_micros(shortest + more),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn each_fault_comes_as_often_as_its_odds_say(odds in odds(), seed: u64) {
            const DRAWS: u32 = 4_000;
            let mut found = [0_u32; 4];
            for draw in 1..=u64::from(DRAWS) {
                match odds.decide(seed, draw) {
                    Decision::Pass => {}
                    Decision::Fail => found[0] += 1,
                    Decision::Panic => found[1] += 1,
                    Decision::Delay(by) => {
                        prop_assert!(odds.shortest <= by && by <= odds.longest, "{by:?}");
                        found[2] += 1;
                    }
                    Decision::Hang => found[3] += 1,
                }
            }
            let wanted = [odds.fail, odds.panic, odds.delay, odds.hang];
            for (found, wanted) in found.into_iter().zip(wanted) {
                let share = f64::from(found) / f64::from(DRAWS);
                // Six standard deviations of the worst case.
                prop_assert!((share - wanted).abs() < 0.048, "{share} for {wanted}");
                prop_assert!(wanted > 0.0 || found == 0);
            }
        }

        #[test]
        fn a_draw_depends_on_its_seed_and_its_number_only(odds in odds(), seed: u64, draw: u64) {
            prop_assert_eq!(odds.decide(seed, draw), odds.decide(seed, draw));
        }

        #[test]
        fn a_certain_fault_comes_always(seed: u64, draw: u64) {
            let certain = |set: fn(&mut Odds)| {
                let mut odds = Odds::default();
                set(&mut odds);
                odds.decide(seed, draw)
            };
            prop_assert_eq!(certain(|_| {}), Decision::Pass);
            prop_assert_eq!(certain(|odds| odds.fail = 1.0), Decision::Fail);
            prop_assert_eq!(certain(|odds| odds.panic = 1.0), Decision::Panic);
            prop_assert_eq!(certain(|odds| odds.delay = 1.0), Decision::Delay(Duration::ZERO));
            prop_assert_eq!(certain(|odds| odds.hang = 1.0), Decision::Hang);
        }
    }

    #[test]
    fn seeds_and_draws_differ() {
        let odds = Odds {
            fail: 0.5,
            ..Odds::default()
        };
        let run = |seed| (1..=64).map(move |draw| odds.decide(seed, draw));
        assert!(run(1).ne(run(2)));
        assert!(run(1).eq(run(1)));
        let failed = run(1).filter(|decision| *decision == Decision::Fail);
        assert!((16..=48).contains(&failed.count()));
    }
}
