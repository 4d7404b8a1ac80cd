//! How one total is shared by time to clear. Pure.

use std::time::Duration;

use super::numbers::ratio;

/// What one pool has to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Demand {
    /// The fewest permits that it keeps.
    pub(super) min: usize,
    pub(super) in_use: usize,
    pub(super) waiting: usize,
    /// How long a permit is held, in the mean.
    pub(super) hold: Duration,
}

impl Demand {
    /// How long it takes until all that wait and run are done, with so many permits. Nothing, if none waits and all that run have theirs.
    fn time_to_clear(&self, permits: usize) -> f64 {
        if self.waiting == 0 && self.in_use <= permits {
            return 0.0;
        }
        let work = ratio(self.in_use + self.waiting) * self.hold.as_secs_f64();
        work / ratio(permits.max(1))
    }
}

/// Moves up to `most` permits, one at a time, from the pool with the shortest time to clear to the one with the longest, while the one that takes has `ratio` times as long to go as the one that
/// gives will have. The sum stays what it is, and no pool comes below its minimum by it.
pub(super) fn share(
    sizes: &[usize],
    demands: &[Demand],
    most: usize,
    hysteresis: f64,
) -> Vec<usize> {
    let mut sizes = sizes.to_vec();
    for _ in 0..most {
        let Some((giver, taker)) = next(&sizes, demands, hysteresis) else {
            break;
        };
        sizes[giver] -= 1;
        sizes[taker] += 1;
    }
    sizes
}

/// Who gives a permit to whom.
fn next(sizes: &[usize], demands: &[Demand], hysteresis: f64) -> Option<(usize, usize)> {
    let each = || sizes.iter().zip(demands).enumerate();
    let useful = each().filter(|(_, (size, demand))| **size < demand.in_use + demand.waiting);
    let (taker, longest) = useful
        .map(|(place, (size, demand))| (place, demand.time_to_clear(*size)))
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    let spare = each().filter(|(place, (size, demand))| *place != taker && **size > demand.min);
    let (giver, shortest) = spare
        .map(|(place, (size, demand))| (place, demand.time_to_clear(size - 1)))
        .min_by(|one, other| one.1.total_cmp(&other.1))?;
    (longest > shortest * hysteresis).then_some((giver, taker))
}

/// The sizes to begin with: each minimum, and the rest evenly, the first of them first.
pub(super) fn begin(total: usize, mins: &[usize]) -> Vec<usize> {
    let rest = total.saturating_sub(mins.iter().sum());
    let (each, left) = (rest / mins.len(), rest % mins.len());
    let sizes = mins.iter().enumerate();
    sizes
        .map(|(place, min)| min + each + usize::from(place < left))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(min: usize, in_use: usize, waiting: usize, millis: u64) -> Demand {
        Demand {
            min,
            in_use,
            waiting,
            hold: Duration::from_millis(millis),
        }
    }

    #[test]
    fn the_sum_stays_the_minima_hold_and_the_longest_wait_gets_no_longer() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..5_000 {
            let pools = random.usize(1..6);
            let demands: Vec<Demand> = (0..pools)
                .map(|_| {
                    let waiting = random.usize(0..200) * random.usize(0..2);
                    demand(
                        random.usize(1..5),
                        random.usize(0..20),
                        waiting,
                        random.u64(1..500),
                    )
                })
                .collect();
            let mins: Vec<usize> = demands.iter().map(|demand| demand.min).collect();
            let total = mins.iter().sum::<usize>() + random.usize(0..60);
            let before = begin(total, &mins);
            assert_eq!(before.iter().sum::<usize>(), total);
            let most = random.usize(0..30);
            let hysteresis = 1.0 + random.f64();
            let after = share(&before, &demands, most, hysteresis);
            assert_eq!(after.iter().sum::<usize>(), total);
            assert!(after.iter().zip(&mins).all(|(size, min)| size >= min));
            let moved: usize = before
                .iter()
                .zip(&after)
                .map(|(old, new)| old.abs_diff(*new))
                .sum();
            assert!(moved <= 2 * most);
            let longest = |sizes: &[usize]| {
                let times = sizes
                    .iter()
                    .zip(&demands)
                    .map(|(size, demand)| demand.time_to_clear(*size));
                times.fold(0.0, f64::max)
            };
            assert!(
                longest(&after) <= longest(&before) + 1e-9,
                "{demands:?} {before:?} {after:?}"
            );
            // What is moved to its end is not moved again.
            let end = share(&before, &demands, 10_000, hysteresis);
            assert_eq!(share(&end, &demands, 10_000, hysteresis), end);
        }
    }

    #[test]
    fn times_to_clear_are_made_equal() {
        let even = [demand(1, 10, 90, 10), demand(1, 10, 90, 30)];
        assert_eq!(share(&[20, 20], &even, 100, 1.0), [10, 30]);
        assert_eq!(share(&[20, 20], &even, 3, 1.0), [17, 23]);
        assert_eq!(share(&[20, 20], &even, 100, 4.0), [20, 20]);
    }

    #[test]
    fn nobody_gets_more_than_it_has_use_for_or_gives_for_those_that_do_not_wait() {
        let idle = [demand(1, 4, 0, 10_000), demand(1, 10, 90, 10)];
        assert_eq!(share(&[20, 20], &idle, 100, 1.5), [4, 36]);
        let few = [demand(1, 0, 0, 10), demand(1, 5, 3, 10)];
        assert_eq!(share(&[35, 5], &few, 100, 1.5), [32, 8]);
        let none = [demand(1, 5, 0, 10), demand(1, 0, 0, 10)];
        assert_eq!(share(&[20, 20], &none, 100, 1.5), [20, 20]);
    }
}
