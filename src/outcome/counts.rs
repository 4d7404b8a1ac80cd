//! How many of each outcome.

use super::Outcome;

/// A count for each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts([u32; Outcome::ALL.len()]);

impl Counts {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    pub(crate) fn add_many(&mut self, outcome: Outcome, times: usize) {
        self.0[outcome as usize] += u32::try_from(times).unwrap_or(u32::MAX);
    }

    pub(crate) fn of(&self, outcome: Outcome) -> usize {
        self.0[outcome as usize] as usize
    }

    pub(crate) fn total(&self) -> usize {
        self.0.iter().map(|count| *count as usize).sum()
    }

    pub(crate) fn failures(&self) -> usize {
        Outcome::ALL
            .into_iter()
            .filter(|o| o.is_failure())
            .map(|o| self.of(o))
            .sum()
    }
}
