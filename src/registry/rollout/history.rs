//! What a dial was set to, list by list.

/// So many changes are remembered.
const REMEMBERED: usize = 1_024;

/// The fractions of one rollout in one signal: each with the number of the list that it came with. Never changes: a change makes a new one.
#[derive(Clone)]
pub(super) struct History {
    /// Numbers grow. Not empty.
    records: Vec<(u64, f64)>,
}

impl History {
    /// It is this fraction in all lists that there are.
    pub(super) fn of(fraction: f64) -> Self {
        Self {
            records: vec![(0, fraction)],
        }
    }

    /// The fraction in the list of this number: the newest that came with it or before, or the oldest that is remembered.
    pub(super) fn at(&self, number: u64) -> f64 {
        let after = self.records.partition_point(|(from, _)| *from <= number);
        self.records[after.saturating_sub(1)].1
    }

    /// The same, and this fraction from that list on, which is newer than all so far. `None` if it is that already.
    pub(super) fn then(&self, number: u64, fraction: f64) -> Option<Self> {
        let newest = self.at(u64::MAX);
        if newest.to_bits() == fraction.to_bits() {
            return None;
        }
        let forgotten = (self.records.len() + 1).saturating_sub(REMEMBERED);
        let kept = &self.records[forgotten..];
        let records = kept.iter().copied().chain([(number, fraction)]).collect();
        Some(Self { records })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Says of each list what was set when it was made.
    struct Slow {
        lists: Vec<f64>,
        changes: Vec<usize>,
    }

    impl Slow {
        fn at(&self, number: usize) -> f64 {
            // The first change that is remembered: what came before it is not known any more.
            let forgotten = self.changes.len().saturating_sub(REMEMBERED);
            let oldest = if forgotten == 0 {
                0
            } else {
                self.changes[forgotten]
            };
            self.lists[number.clamp(oldest, self.lists.len() - 1)]
        }
    }

    fn agree(steps: impl IntoIterator<Item = Option<u8>>) {
        let mut history = History::of(0.0);
        let mut slow = Slow {
            lists: vec![0.0],
            changes: vec![0],
        };
        for step in steps {
            let before = slow.lists[slow.lists.len() - 1];
            let fraction = step.map_or(before, |step| f64::from(step) / 255.0);
            let number = slow.lists.len();
            slow.lists.push(fraction);
            let changed = history.then(number as u64, fraction);
            assert_eq!(changed.is_some(), fraction.to_bits() != before.to_bits());
            if let Some(changed) = changed {
                history = changed;
                slow.changes.push(number);
            }
        }
        assert!(history.records.len() <= REMEMBERED);
        for number in 0..slow.lists.len() + 2 {
            let (got, expected) = (history.at(number as u64), slow.at(number));
            assert_eq!(got.to_bits(), expected.to_bits(), "list {number}");
        }
    }

    proptest! {
        #[test]
        fn each_list_has_the_fraction_that_was_set_when_it_was_made(
            steps in prop::collection::vec(prop::option::of(0_u8..4), 0..100),
        ) {
            agree(steps);
        }
    }

    #[test]
    fn a_list_older_than_what_is_remembered_has_the_oldest_of_that() {
        for changes in [1_022, 1_023, 1_024, 1_025, 3_000] {
            agree((0..changes).map(|n| Some(if n % 2 == 0 { 1 } else { 2 })));
        }
    }
}
