//! One listener in a snapshot.

use std::sync::{Arc, OnceLock};

use super::{Metadata, Record};
use crate::event::Event;
use crate::listener::{Callee, Filter};

/// One registered listener.
pub(crate) struct Entry<E, C: ?Sized = dyn Callee<E>> {
    pub(crate) record: Record,
    special: Option<Box<Special<E>>>,
    pub(crate) callee: C,
}

/// What few listeners have.
struct Special<E> {
    filter: Option<Filter<E>>,
    /// The listener that took this one's place. An emission that began before the swap and has not come to this entry calls the new listener, so
    /// that it sees one of the two and never neither or both.
    successor: OnceLock<Arc<Entry<E>>>,
}

impl<E: Event> Entry<E> {
    pub(crate) fn new(
        record: Record,
        callee: impl Callee<E> + 'static,
        filter: Option<Filter<E>>,
    ) -> (Arc<Self>, Arc<dyn Listed>) {
        // Only a listener with a key can be replaced.
        let special = (filter.is_some() || record.key().is_some()).then(|| {
            Box::new(Special {
                filter,
                successor: OnceLock::new(),
            })
        });
        let entry = Arc::new(Entry {
            record,
            special,
            callee,
        });
        (Arc::clone(&entry) as Arc<Self>, entry)
    }
}

/// A listener, whatever its event type.
pub(crate) trait Listed: Send + Sync {
    fn record(&self) -> &Record;

    /// What is known about it, with the counts as they were last settled.
    fn metadata(&self) -> Metadata;
}

impl<E: Event, C: Callee<E>> Listed for Entry<E, C> {
    fn record(&self) -> &Record {
        &self.record
    }

    fn metadata(&self) -> Metadata {
        metadata(&self.record, &self.callee)
    }
}

fn metadata<E>(record: &Record, callee: &(impl Callee<E> + ?Sized)) -> Metadata {
    record.metadata(callee.kind(), callee.storage())
}

impl<E> Entry<E> {
    pub(crate) fn filter(&self) -> Option<&Filter<E>> {
        self.special.as_ref()?.filter.as_ref()
    }

    pub(super) fn set_successor(&self, successor: &Arc<Self>) {
        let special = self.special.as_ref();
        let special = special.expect("what is replaced has a key");
        let _ = special.successor.set(Arc::clone(successor));
    }

    fn successor(&self) -> Option<&Arc<Self>> {
        self.special.as_ref()?.successor.get()
    }

    /// This listener, or the one that has taken its place.
    pub(crate) fn current(self: &Arc<Self>) -> &Arc<Self> {
        let mut entry = self;
        while let Some(next) = entry.successor() {
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

    /// What is known about it, with the counts as they were last settled.
    pub(crate) fn metadata(&self) -> Metadata {
        metadata(&self.record, &self.callee)
    }
}
