//! One version of the registry.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Entry, Home};
use crate::event::Event;
use crate::key::Key;
use crate::listener::Kind;
use crate::sync::shard::{Shards, Sum};
use crate::sync::{AtomicBool, Mutex, Ordering};

/// The listeners of a signal at one moment, in the order of calls. Never changes, but for its counts.
pub(crate) struct Snapshot<E> {
    /// Grows from list to list of a signal.
    pub(crate) number: u64,
    pub(crate) entries: Box<[Arc<dyn Entry<E>>]>,
    pub(super) keys: Arc<HashMap<Key, Arc<dyn Entry<E>>>>,
    /// Whether any listener shares the event by `Arc`.
    pub(crate) shares: bool,
    /// Whether any listener does not own its event: where each has a task, those share it too.
    pub(crate) lends: bool,
    pub(crate) deliveries: Deliveries,
    pub(crate) home: Arc<Home>,
    /// What its emissions have done. Kept with the version, so that an emission counts for just the listeners that it saw.
    pub(crate) shards: Shards,
    /// How much of that the listeners have been told.
    settled: Mutex<Sum>,
    /// It has one listener, which is called with what it has held: the emissions of that have been counted.
    pub(crate) of_held: bool,
    /// The last sampled first poll of an emission was long: the next one looks at each listener.
    pub(crate) suspect: AtomicBool,
    /// Some sampled later poll of an emission was.
    pub(crate) later_suspect: AtomicBool,
}

/// Whether any listener takes deliveries, and whether one of those wants the time of the emission in them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deliveries {
    None,
    Untimed,
    Timed,
}

impl<E> Snapshot<E> {
    pub(super) fn new(
        number: u64,
        home: Arc<Home>,
        entries: Vec<Arc<dyn Entry<E>>>,
        keys: Arc<HashMap<Key, Arc<dyn Entry<E>>>>,
    ) -> Self
    where
        E: Event,
    {
        let shares = |kind| matches!(kind, Kind::Shared | Kind::Service);
        let shares = entries.iter().any(|entry| shares(entry.kind()));
        home.lists.fetch_add(1, Ordering::Relaxed);
        let lends = entries.iter().any(|entry| !entry.kind().owns());
        Self {
            number,
            keys,
            shares,
            lends,
            deliveries: if entries.iter().any(|entry| entry.wants_time()) {
                Deliveries::Timed
            } else if entries.iter().any(|entry| entry.kind() == Kind::Service) {
                Deliveries::Untimed
            } else {
                Deliveries::None
            },
            entries: entries.into(),
            home,
            shards: Shards::new(),
            settled: Mutex::default(),
            of_held: false,
            suspect: AtomicBool::new(false),
            later_suspect: AtomicBool::new(false),
        }
    }

    /// A list of one listener, for the events that it has held.
    pub(super) fn of_held(number: u64, home: Arc<Home>, entry: Arc<dyn Entry<E>>) -> Self
    where
        E: Event,
    {
        let mut list = Self::new(number, home, vec![entry], Arc::default());
        list.of_held = true;
        list
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Arc<dyn Entry<E>>> {
        self.keys.get(key)
    }

    /// Adds what its emissions have done since the last time to the counts of its listeners. O(n), if there was any.
    pub(super) fn settle(&self) {
        #[cfg(fanfare_plant = "summed-before-lock")]
        let sum = self.shards.sum();
        let mut settled = self.settled.lock();
        #[cfg(not(fanfare_plant = "summed-before-lock"))]
        let sum = self.shards.sum();
        let new = Sum {
            begun: sum.begun - settled.begun,
            done: sum.done - settled.done,
            last: sum.last,
        };
        if new.begun == 0 && new.done == 0 && sum.last == settled.last {
            return;
        }
        *settled = sum;
        let begun = if self.of_held { 0 } else { new.begun };
        let counted = Sum { begun, ..new };
        self.home.totals.add(counted, self.entries.len());
        for entry in &self.entries {
            entry.record().settle(new);
        }
    }
}

impl<E> Drop for Snapshot<E> {
    fn drop(&mut self) {
        self.settle();
        self.home.lists.fetch_sub(1, Ordering::Release);
    }
}
