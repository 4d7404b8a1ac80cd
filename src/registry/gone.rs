//! Listeners that are gone.

use std::panic::Location;
use std::sync::Arc;

use super::{Budget, Entry, Home, Record, Wishes, entry};
use crate::event::Event;
use crate::key::Key;
use crate::listener::{Kind, Step, callee};
use crate::sync::AtomicU64;

/// What is remembered of a removed listener, without what it captured: enough for the report of an emission that was made before the removal and is polled after.
pub(super) struct Gone {
    id: u64,
    location: &'static Location<'static>,
    key: Option<Key>,
    priority: i32,
    stage: u32,
    /// It was used up.
    spent: bool,
    sequence: u64,
    /// The numbers of the first list that it was in, and of the first that it was not in any more.
    since: u64,
    until: u64,
}

impl Gone {
    pub(super) fn new(record: &Record, until: u64) -> Self {
        Self {
            id: record.id,
            location: record.location,
            key: record.key().cloned(),
            priority: record.priority(),
            stage: record.stage(),
            spent: record.is_spent(),
            sequence: record.sequence(),
            since: record.present_since(),
            until,
        }
    }

    /// Whether it was in the list of this number.
    pub(super) fn was_there(&self, number: u64) -> bool {
        self.since <= number && number < self.until
    }

    /// An entry that stands where it stood, and is passed over.
    pub(super) fn tombstone<E: Event>(&self, home: &Arc<Home>) -> Arc<dyn Entry<E>> {
        let budget = if self.spent {
            Budget::Times {
                left: AtomicU64::new(0),
                of: 1,
            }
        } else {
            Budget::Unlimited
        };
        let wishes = Wishes {
            key: self.key.clone(),
            priority: self.priority,
            stage: self.stage,
            budget,
            filtered: false,
        };
        let home = Arc::clone(home);
        let record = Record::new(self.id, self.location, home, Kind::Sync, wishes);
        record.set_sequence(self.sequence);
        record.mark_removed();
        let nothing = callee::borrowed(|_: &E| Step::Done);
        entry(record, nothing, None, None).0
    }
}
