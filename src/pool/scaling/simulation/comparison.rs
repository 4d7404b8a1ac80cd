//! A pool that scales itself beside those that do not.

use super::run::Run;
use crate::pool::scaling::numbers::{ratio, whole};

/// So many ticks are looked at together: arrivals come by chance, and one tick says little.
const WINDOW: usize = 10;
/// A fixed size that has done this share of what any other has, at every moment, is as good: of those, the smallest is best.
const AS_GOOD: f64 = 0.98;
/// From one fixed size that is tried to the next.
const GROWTH: f64 = 1.2;

/// A pool that scaled itself, and the best fixed size on the same load. [`Simulation::compare`](super::Simulation::compare) makes it.
#[derive(Clone, Debug)]
pub struct Comparison {
    run: Run,
    best_size: usize,
    best: Run,
}

pub(super) fn compare(
    run: Run,
    min: usize,
    max: usize,
    fixed: impl Fn(usize) -> Run,
) -> Comparison {
    let mut tried: Vec<(usize, Run)> = Vec::new();
    let mut size = min;
    loop {
        tried.push((size, fixed(size)));
        if size == max {
            break;
        }
        size = whole(ratio(size) * GROWTH).max(size + 1).min(max);
    }
    let all: Vec<Vec<u64>> = tried.iter().map(|(_, run)| done(run)).collect();
    let good = |run: &Vec<u64>| {
        let mut ticks = run.iter().enumerate().skip(WINDOW);
        ticks.all(|(tick, done)| {
            let most = all.iter().map(|other| other[tick]).max();
            count(*done) >= count(most.unwrap_or(0)) * AS_GOOD
        })
    };
    // If none is good all the time, the largest throughput in all decides.
    let best = all.iter().position(good).or_else(|| {
        let last = all.iter().enumerate().rev();
        last.max_by_key(|(_, run)| run.last())
            .map(|(place, _)| place)
    });
    let best = best.unwrap_or(0);
    let (best_size, best) = tried.swap_remove(best);
    Comparison {
        run,
        best_size,
        best,
    }
}

/// The jobs that had ended at the end of each tick.
fn done(run: &Run) -> Vec<u64> {
    let ticks = run.ticks().iter();
    let sums = ticks.scan(0, |sum, tick| {
        *sum += tick.completed;
        Some(*sum)
    });
    sums.collect()
}

impl Comparison {
    /// The run of the pool that scaled itself. See [`Simulation`](crate::scaling::Simulation).
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The best fixed size: the smallest that at no moment is more than 2% behind what any other has done by then. Sizes that differ by a fifth are tried. See
    /// [`Simulation`](crate::scaling::Simulation).
    pub fn best_size(&self) -> usize {
        self.best_size
    }

    /// The run of that size. See [`Simulation`](crate::scaling::Simulation).
    pub fn best(&self) -> &Run {
        &self.best
    }

    /// The jobs that ended, as a share of those of the best fixed size. See [`Simulation`](crate::scaling::Simulation).
    pub fn share_of_best(&self) -> f64 {
        share(self.run.completed(), self.best.completed())
    }

    /// As [`share_of_best`](Self::share_of_best), in the ten ticks from this one on. See [`Simulation`](crate::scaling::Simulation).
    pub fn share_of_best_at(&self, tick: usize) -> f64 {
        let completed = |run: &Run| {
            let ticks = run.ticks().iter().skip(tick).take(WINDOW);
            ticks.map(|tick| tick.completed).sum()
        };
        share(completed(&self.run), completed(&self.best))
    }

    /// How many ticks after this one the throughput has come to nine tenths of that of the best fixed size; none if it has not. See [`Simulation`](crate::scaling::Simulation).
    pub fn ticks_to_best(&self, from: usize) -> Option<usize> {
        let last = self.run.ticks().len().saturating_sub(WINDOW);
        (from..=last).position(|tick| self.share_of_best_at(tick) >= 0.9)
    }

    /// By how much the largest size is above the best fixed size, as a share of that; zero if it is not. See [`Simulation`](crate::scaling::Simulation).
    pub fn overshoot(&self) -> f64 {
        let above = self.run.peak().saturating_sub(self.best_size);
        ratio(above) / ratio(self.best_size)
    }
}

/// One of nothing.
fn share(part: u64, of: u64) -> f64 {
    if of == 0 {
        1.0
    } else {
        count(part) / count(of)
    }
}

fn count(jobs: u64) -> f64 {
    ratio(usize::try_from(jobs).unwrap_or(usize::MAX))
}
