//! One listener in a snapshot.

use std::sync::{Arc, OnceLock};

use super::Record;
use crate::listener::{Callee, Filter};

/// One registered listener.
pub(crate) struct Entry<E> {
    pub(crate) record: Arc<Record>,
    pub(crate) callee: Callee<E>,
    pub(crate) filter: Option<Filter<E>>,
    /// The listener that took this one's place. An emission that began before the swap and has not come to this entry calls the new listener, so
    /// that it sees one of the two and never neither or both.
    pub(super) successor: OnceLock<Arc<Entry<E>>>,
}

impl<E> Entry<E> {
    pub(crate) fn new(record: Record, callee: Callee<E>, filter: Option<Filter<E>>) -> Arc<Self> {
        Arc::new(Self {
            record: Arc::new(record),
            callee,
            filter,
            successor: OnceLock::new(),
        })
    }

    /// This listener, or the one that has taken its place.
    pub(crate) fn current(self: &Arc<Self>) -> &Arc<Self> {
        let mut entry = self;
        while let Some(next) = entry.successor.get() {
            entry = next;
        }
        entry
    }

    /// [`current`](Self::current), and whether it has been removed: for good, that is, and not by a replacement between the two looks.
    pub(crate) fn current_and_removed(self: &Arc<Self>) -> (&Arc<Self>, bool) {
        let mut entry = self.current();
        loop {
            let removed = entry.record.is_removed();
            // Whoever sees the removal finds the successor.
            let newest = entry.current();
            if !removed || Arc::ptr_eq(entry, newest) {
                return (entry, removed);
            }
            entry = newest;
        }
    }
}
