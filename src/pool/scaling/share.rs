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
