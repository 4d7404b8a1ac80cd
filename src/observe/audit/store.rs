//! Which records are kept: by number, by age.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::AuditRecord;
use crate::clock::Instant;

/// The latest records, oldest first. No clock and no lock.
pub(super) struct Store {
    most: usize,
    age: Duration,
    /// Each with the time from which it ages.
    kept: VecDeque<(Instant, Arc<AuditRecord>)>,
    /// The number of the next.
    next: u64,
}

impl Store {
    pub(super) fn new(most: usize, age: Duration) -> Self {
        Self {
            most,
            age,
            kept: VecDeque::new(),
            next: 0,
        }
    }

    /// Keeps a record, which is given its number. What goes for it is the caller's to drop.
    pub(super) fn add(&mut self, mut record: AuditRecord, now: Instant) -> Added {
        record.sequence = self.next;
        self.next += 1;
        let record = Arc::new(record);
        let mut gone = self.forget_old(now);
        if self.kept.len() == self.most {
            gone.extend(self.kept.pop_front().map(|(_, record)| record));
        }
        self.kept.push_back((now, Arc::clone(&record)));
        Added { record, gone }
    }

    /// Takes out those that are too old.
    pub(super) fn forget_old(&mut self, now: Instant) -> Vec<Arc<AuditRecord>> {
        let old = |at: Instant| now.saturating_duration_since(at) >= self.age;
        let gone = self.kept.partition_point(|(at, _)| old(*at));
        self.kept.drain(..gone).map(|(_, record)| record).collect()
    }

    /// Those of this number and after.
    pub(super) fn since(&self, sequence: u64) -> Vec<Arc<AuditRecord>> {
        let skipped = sequence.saturating_sub(self.first());
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let kept = self.kept.iter().skip(skipped);
        kept.map(|(_, record)| Arc::clone(record)).collect()
    }

    /// The number of the oldest that is kept, or of the next if none is: as many are gone.
    pub(super) fn first(&self) -> u64 {
        self.next - self.kept.len() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}

/// A record that was added, and those that went for it.
pub(super) struct Added {
    pub(super) record: Arc<AuditRecord>,
    #[expect(dead_code, reason = "dropped when no lock is held")]
    gone: Vec<Arc<AuditRecord>>,
}
