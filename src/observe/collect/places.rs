//! Which listeners have series of their own.

use std::collections::{HashMap, HashSet};

use super::grouped::listeners;
use crate::observe::snapshot::Snapshot;

/// What each listener that was exported is told as: by its own labels, or among the others. Whoever keeps it from one time to the next tells a listener as the same for as long as it is there, so
/// that no count moves from one series to another.
#[derive(Debug, Default)]
pub(in crate::observe) struct Places(HashMap<[String; 3], Place>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Own,
    Other,
}

impl Places {
    /// Forgets those that are gone, and gives the free places to those that are new, the oldest first.
    pub(super) fn assign(&mut self, snapshots: &[Snapshot], most: usize) {
        if !self.0.is_empty() {
            let there = there(snapshots);
            let is_there = |labels: &[String; 3]| there.contains(&borrowed(labels));
            self.0.retain(|labels, _| is_there(labels));
        }
        let mut new: HashMap<[&str; 3], u64> = HashMap::new();
        let known: HashSet<[&str; 3]> = self.0.keys().map(borrowed).collect();
        let all = listeners(snapshots).filter(|(labels, _)| !known.contains(labels));
        for (labels, listener) in all {
            let id = new.entry(labels).or_insert(listener.id);
            *id = listener.id.min(*id);
        }
        let mut by_age: Vec<_> = new.into_iter().collect();
        by_age.sort_unstable_by_key(|(_, id)| *id);
        let taken = self.0.values().filter(|place| **place == Place::Own);
        let free = most.saturating_sub(taken.count());
        for (nth, (labels, _)) in by_age.into_iter().enumerate() {
            let place = if nth < free { Place::Own } else { Place::Other };
            self.0.insert(labels.map(str::to_owned), place);
        }
    }

    pub(super) fn alone(&self) -> HashSet<[&str; 3]> {
        let own = self.0.iter().filter(|(_, place)| **place == Place::Own);
        own.map(|(labels, _)| borrowed(labels)).collect()
    }
}

fn borrowed(labels: &[String; 3]) -> [&str; 3] {
    labels.each_ref().map(String::as_str)
}

/// Those that are switched off too: they may be told again.
fn there(snapshots: &[Snapshot]) -> HashSet<[&str; 3]> {
    let signals = snapshots
        .iter()
        .flat_map(|bus| bus.signals.iter().map(|signal| (&*bus.bus, signal)));
    let labels = signals.flat_map(|(bus, signal)| {
        let all = signal.listeners.iter();
        all.map(move |listener| [bus, &*signal.name, &*listener.label])
    });
    labels.collect()
}
