//! What a snapshot is of, grouped by labels: what shares its labels is one series.

use std::collections::{HashMap, HashSet};

use super::places::Places;
use crate::observe::snapshot::{ListenerSnapshot, PoolSnapshot, SignalSnapshot, Snapshot};

/// The label of what is summed up.
pub(super) const OTHER: &str = "other";

/// Those that share their labels, a group each.
pub(super) struct Groups<'a, T, const N: usize>(Vec<([&'a str; N], Vec<&'a T>)>);

impl<'a, T, const N: usize> Groups<'a, T, N> {
    /// In the order of the first of each.
    fn new(all: impl Iterator<Item = ([&'a str; N], &'a T)>) -> Self {
        let mut groups: Vec<([&str; N], Vec<&T>)> = Vec::new();
        let mut places = HashMap::new();
        for (labels, one) in all {
            let place = *places.entry(labels).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, group)) => group.push(one),
                None => groups.push((labels, vec![one])),
            }
        }
        Self(groups)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[&'a str; N], &[&'a T])> {
        self.0.iter().map(|(labels, group)| (labels, &group[..]))
    }
}

/// All that is exported.
pub(super) struct Grouped<'a> {
    pub(super) buses: Groups<'a, Snapshot, 1>,
    pub(super) signals: Groups<'a, SignalSnapshot, 2>,
    pub(super) listeners: Groups<'a, ListenerSnapshot, 3>,
    pub(super) pools: Groups<'a, PoolSnapshot, 2>,
}

impl<'a> Grouped<'a> {
    pub(super) fn new(snapshots: &'a [Snapshot], places: &Places) -> Self {
        let exported = || snapshots.iter().flat_map(signals);
        let alone = places.alone();
        let labelled = listeners(snapshots).map(|(labels, listener)| {
            let [bus, signal, _] = labels;
            let own = alone.contains(&labels);
            (if own { labels } else { [bus, signal, OTHER] }, listener)
        });
        Self {
            buses: Groups::new(buses(snapshots)),
            signals: Groups::new(exported().map(|(bus, signal)| ([bus, &*signal.name], signal))),
            listeners: Groups::new(labelled),
            pools: Groups::new(snapshots.iter().flat_map(pools)),
        }
    }
}

fn buses(snapshots: &[Snapshot]) -> impl Iterator<Item = ([&str; 1], &Snapshot)> {
    let exported = snapshots.iter().filter(|bus| bus.metrics.is_on());
    exported.map(|bus| ([&*bus.bus], bus))
}

fn signals(bus: &Snapshot) -> impl Iterator<Item = (&str, &SignalSnapshot)> {
    let exported = bus.signals.iter().filter(|signal| signal.metrics.is_on());
    exported.map(|signal| (&*bus.bus, signal))
}

pub(super) fn listeners(
    snapshots: &[Snapshot],
) -> impl Iterator<Item = ([&str; 3], &ListenerSnapshot)> {
    let signals = snapshots.iter().flat_map(signals);
    signals.flat_map(|(bus, signal)| {
        let all = signal.listeners.iter();
        let exported = all.filter(|listener| listener.metrics.is_on());
        exported.map(move |listener| ([bus, &*signal.name, &*listener.label], listener))
    })
}

/// Those that something exported runs on.
fn pools(bus: &Snapshot) -> impl Iterator<Item = ([&str; 2], &PoolSnapshot)> {
    let used: HashSet<&str> = signals(bus)
        .filter_map(|(_, signal)| signal.pool.as_deref())
        .collect();
    let all = bus.pools.iter();
    let exported = all.filter(move |pool| bus.metrics.is_on() || used.contains(&*pool.name));
    exported.map(|pool| ([&*bus.bus, &*pool.name], pool))
}
