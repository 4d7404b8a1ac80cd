//! A version in the making, and what is left to do once it is made.

use std::collections::HashMap;
use std::sync::Arc;

use super::list::Insert;
use super::{Entry, Home, Milestone, RegisterError, Snapshot};
use crate::key::Key;

/// A listener, and the one that takes its place.
pub(super) type Swap<E> = (Arc<dyn Entry<E>>, Arc<dyn Entry<E>>);

/// What an insertion has left to do, and to drop, when no lock is held.
pub(super) struct Inserted<E> {
    pub(super) old: Arc<Snapshot<E>>,
    pub(super) len: usize,
    pub(super) replaced: Vec<Swap<E>>,
}

impl<E> Inserted<E> {
    pub(super) fn finish(self, home: &Home) {
        if !self.replaced.is_empty() {
            home.quiet.notify_waiters();
        }
        for (before, after) in &self.replaced {
            after.record().begin_in_place_of(before.record());
        }
        drop(self.old);
        home.tell_moves();
    }
}

/// The same of a removal.
pub(super) struct Taken<E> {
    pub(super) old: Arc<Snapshot<E>>,
    pub(super) entry: Arc<dyn Entry<E>>,
}

impl<E> Taken<E> {
    pub(super) fn finish(self, home: &Home) {
        home.quiet.notify_waiters();
        self.entry.record().lose_held();
        drop(self.old);
        home.tell_moves();
    }
}

/// A version in the making.
pub(super) struct Change<'a, E> {
    old: &'a Snapshot<E>,
    pub(super) entries: Vec<Arc<dyn Entry<E>>>,
    /// Copied from the old version when the first key comes.
    pub(super) keys: Option<HashMap<Key, Arc<dyn Entry<E>>>>,
    pub(super) replaced: Vec<Swap<E>>,
    /// Who comes and goes with it, in this order.
    pub(super) moves: Vec<(Arc<dyn Entry<E>>, Milestone)>,
}

impl<'a, E> Change<'a, E> {
    pub(super) fn of(old: &'a Snapshot<E>) -> Self {
        Self {
            old,
            entries: old.entries.to_vec(),
            keys: None,
            replaced: Vec::new(),
            moves: Vec::new(),
        }
    }

    pub(super) fn insert(
        &mut self,
        Insert { entry, replace, .. }: &Insert<E>,
    ) -> Result<(), RegisterError> {
        let Some(key) = entry.record().key() else {
            self.entries.push(Arc::clone(entry));
            self.moves.push((Arc::clone(entry), Milestone::Registered));
            return Ok(());
        };
        let keys = self
            .keys
            .get_or_insert_with(|| HashMap::clone(&self.old.keys));
        match keys.insert(key.clone(), Arc::clone(entry)) {
            None => self.entries.push(Arc::clone(entry)),
            Some(before) if *replace => {
                let place = self.entries.iter().position(|e| Arc::ptr_eq(e, &before));
                let place = place.expect("every key of the map is in the list");
                self.entries[place] = Arc::clone(entry);
                entry.record().take_place_of(before.record());
                self.moves.push((Arc::clone(&before), Milestone::Replaced));
                self.replaced.push((before, Arc::clone(entry)));
            }
            Some(before) => {
                return Err(RegisterError::DuplicateKey {
                    key: key.as_str().to_owned(),
                    signal: before.record().home.name.to_string(),
                    existing: before.record().location,
                });
            }
        }
        self.moves.push((Arc::clone(entry), Milestone::Registered));
        Ok(())
    }
}
