//! How long a permit is held, which is not known before it is given back.

use std::time::Duration;

use super::stats::PoolStats;

/// The weight of what was before, at each tick in which a permit is taken.
const KEPT: f64 = 0.75;

/// The time that permits were held by how many were taken, over the same ticks: a tick in which none is taken counts too, or a hold of many ticks would look as short as one.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// In seconds.
    held: f64,
    taken: f64,
    /// Held since a permit was taken last, in seconds.
    open: f64,
    /// For how long some have been held, of which none was taken.
    silent: Duration,
}

impl Hold {
    /// Takes in one tick, in which permits were held for so long, added up.
    pub(super) fn note(&mut self, stats: &PoolStats, held: Duration) {
        self.open += held.as_secs_f64();
        if stats.taken > 0 {
            self.held = self.held * KEPT + std::mem::take(&mut self.open);
            self.taken = self.taken * KEPT + count(stats.taken);
            self.silent = Duration::ZERO;
        } else if stats.in_use > 0 {
            self.silent += stats.tick;
        }
    }

    /// The mean: `unknown` before any was taken. What is held now has been held since the last was taken, at least.
    pub(super) fn mean(&self, unknown: Duration) -> Duration {
        let mean = if self.taken > 0.0 {
            Duration::try_from_secs_f64(self.held / self.taken).unwrap_or(Duration::MAX)
        } else {
            unknown
        };
        mean.max(self.silent)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a weight in a mean")]
fn count(taken: u64) -> f64 {
    taken as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    fn note(hold: &mut Hold, taken: u64) {
        let mut stats = PoolStats::new(8);
        (stats.in_use, stats.taken) = (8, taken);
        hold.note(&stats, TICK * 8);
    }

    #[test]
    fn a_hold_of_many_ticks_is_known_once_it_has_gone_on_for_as_long() {
        let mut hold = Hold::default();
        assert_eq!(hold.mean(TICK), TICK);
        // All eight at once, for ten seconds each.
        for tick in 0..400_u32 {
            note(&mut hold, if tick % 100 == 0 { 8 } else { 0 });
            // The first eight were taken before any had been held.
            let known = [99, 50, 50, 80][tick as usize / 100];
            let known = TICK * known.min(tick);
            assert!(hold.mean(TICK) >= known, "{hold:?} at {tick}");
            assert!(hold.mean(TICK) <= TICK * 100, "{hold:?} at {tick}");
        }
        // One after the other.
        let mut hold = Hold::default();
        for tick in 0..400 {
            note(&mut hold, u64::from(tick % 12 == 0));
        }
        let mean = hold.mean(TICK).as_secs_f64();
        assert!((mean - 9.6).abs() < 0.2, "{mean}");
    }

    #[test]
    fn it_goes_with_what_has_become_of_it() {
        let mut hold = Hold::default();
        for (taken, expected) in [(80, 0.01), (8, 0.1), (160, 0.005)] {
            for _ in 0..60 {
                note(&mut hold, taken);
            }
            let mean = hold.mean(TICK).as_secs_f64();
            assert!((mean / expected - 1.0).abs() < 0.01, "{mean}");
        }
    }
}
