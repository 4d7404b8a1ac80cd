//! The list of listeners: the newest snapshot, and the changes to it.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use super::gone::Gone;
use super::later::Later;
use super::making::{Change, Inserted, Taken};
use super::record::now_in_nanos;
use super::version::{Before, Held, Version};
use super::{Entry, Home, Host, Milestone, Record, RegisterError, Snapshot};
use crate::event::Event;
use crate::key::Key;
use crate::metrics::Meters;
use crate::sync::swap::ArcSwap;
use crate::sync::{AtomicU64, Mutex, Ordering, thread_yield};

/// How many removed listeners a signal remembers, for emissions that were made before and are polled after.
const REMEMBERED: usize = 64;

/// Which of two listeners of equal stage and priority is called first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

/// A listener on its way into the registry.
pub(crate) struct Insert<E> {
    pub(crate) entry: Arc<dyn Entry<E>>,
    /// Take the place of the listener with the same key, if there is one.
    pub(crate) replace: bool,
    /// Call it first with what the signal has kept, up to so many events.
    pub(crate) replay: Option<usize>,
}

/// The listeners of one signal. The swap is hidden here, so that its strategy can change.
pub(crate) struct Registry<E> {
    newest: ArcSwap<Version<E>>,
    /// The number of the newest list.
    number: AtomicU64,
    /// Held by whoever changes the list; readers never take it.
    changing: Mutex<()>,
    past: Mutex<Past<E>>,
    order: Order,
    home: Arc<Home>,
}

struct Past<E> {
    /// Lists that emissions may still count in, the newest among them.
    lists: Vec<Weak<Snapshot<E>>>,
    /// Versions that somebody may still have in hand.
    before: Before,
    /// The last listeners that were removed.
    gone: VecDeque<Gone>,
}

impl<E> Past<E> {
    /// Adds a list. Those that are gone are let go of before there is to be more room, for at least as many as are left: O(1), seen over many.
    fn add(&mut self, list: &Arc<Snapshot<E>>) {
        if self.lists.len() == self.lists.capacity() {
            self.lists.retain(|list| list.strong_count() > 0);
            self.lists.reserve(self.lists.len());
        }
        self.lists.push(Arc::downgrade(list));
    }
}

impl<E: Event> Registry<E> {
    pub(crate) fn new(name: Arc<str>, order: Order, meters: Meters) -> Arc<Self> {
        let home = Arc::new(Home::new(name, meters));
        let number = now_in_nanos();
        let first = Snapshot::new(number, Arc::clone(&home), Vec::new(), Arc::default());
        let first = Arc::new(first);
        let registry = Arc::new(Self {
            past: Mutex::new(Past {
                lists: vec![Arc::downgrade(&first)],
                before: Before::default(),
                gone: VecDeque::new(),
            }),
            newest: ArcSwap::new(Version::new(first)),
            number: AtomicU64::new(number),
            changing: Mutex::new(()),
            order,
            home,
        });
        let host: Weak<dyn Host> = Arc::downgrade(&(Arc::clone(&registry) as Arc<dyn Host>));
        registry.home.set_host(host);
        registry
    }

    /// The newest list. O(1), no lock.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot<E>> {
        Arc::clone(&self.newest.load().snapshot)
    }

    /// Takes the newest version in hand. O(1), no lock, and no write to memory that others write.
    #[inline]
    pub(crate) fn hold(&self) -> Held<E> {
        self.newest.load()
    }

    /// The number of the newest list. What is registered when it is read is in that list.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The list of this number, made anew: those who were there and still are, and as tombstones those who were removed since. O(n log n).
    pub(crate) fn list_of(&self, number: u64) -> Arc<Snapshot<E>> {
        let _changing = (!cfg!(fanfare_plant = "list-made-unlocked")).then(|| self.changing.lock());
        let newest = self.snapshot();
        if newest.number == number {
            return newest;
        }
        let was_there = |entry: &&Arc<dyn Entry<E>>| entry.record().present_since() <= number;
        let mut entries: Vec<_> = newest.entries.iter().filter(was_there).cloned().collect();
        let mut past = self.past.lock();
        let gone = past.gone.iter().filter(|gone| gone.was_there(number));
        entries.extend(gone.map(|gone| gone.tombstone(&self.home)));
        self.sort(&mut entries);
        let home = Arc::clone(&self.home);
        let list = Snapshot::new(number, home, entries, Arc::clone(&newest.keys));
        let list = Arc::new(list);
        past.add(&list);
        list
    }

    /// A list of one listener, for emissions of what it has held.
    pub(crate) fn list_of_held(&self, entry: &Arc<dyn Entry<E>>) -> Arc<Snapshot<E>> {
        let home = Arc::clone(&self.home);
        let list = Arc::new(Snapshot::of_held(self.number(), home, Arc::clone(entry)));
        self.past.lock().add(&list);
        list
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Inserts all of them in one version, or none. O(n + m log m) for m listeners into n. Returns how many listeners there are then.
    ///
    /// `under` is what the version is made under, taken before anybody can see it and given back after: it runs none of the user's code.
    pub(crate) fn insert<G>(
        &self,
        inserts: &[Insert<E>],
        under: impl FnOnce() -> G,
    ) -> Result<usize, RegisterError> {
        let inserted = self.put_in(inserts, under)?;
        let len = inserted.len;
        inserted.finish(&self.home);
        self.home.listeners_changed();
        Ok(len)
    }

    /// Inserts one while a lock of the caller's is held: what is user code comes later.
    pub(crate) fn link(&self, entry: Arc<dyn Entry<E>>, later: &mut Later) {
        let insert = Insert {
            entry,
            replace: false,
            replay: None,
        };
        let Ok(inserted) = self.put_in(&[insert], || ()) else {
            unreachable!("only a listener with a key is refused");
        };
        let home = Arc::clone(&self.home);
        later.push(move || inserted.finish(&home));
        self.home.settle_audience(later);
    }

    /// Listeners and what they capture are user code, so none is dropped under the lock: `inserts` and the old version outlive it.
    fn put_in<G>(
        &self,
        inserts: &[Insert<E>],
        under: impl FnOnce() -> G,
    ) -> Result<Inserted<E>, RegisterError> {
        let _changing = self.changing.lock();
        let old = self.snapshot();
        let mut change = Change::of(&old);
        // One that was removed before its batch was committed stays out.
        for insert in inserts
            .iter()
            .filter(|insert| !insert.entry.record().is_removed())
        {
            change.insert(insert)?;
        }
        let Change {
            entries,
            keys,
            replaced,
            moves,
            ..
        } = change;
        let len = entries.len();
        let under = under();
        let number = self.next_number();
        for insert in inserts {
            insert.entry.record().set_added(number);
        }
        for (before, after) in &replaced {
            after.record().expect_held(before.record());
        }
        self.publish(
            number,
            entries,
            keys.map_or_else(|| Arc::clone(&old.keys), Arc::new),
        );
        drop(under);
        self.home
            .totals
            .registered(len - old.entries.len() + replaced.len());
        self.home.totals.removed(replaced.len());
        for (entry, milestone) in &moves {
            self.note(entry, *milestone, len);
        }
        for (before, after) in &replaced {
            // Twice: a model switches before each, and so between them.
            #[cfg(fanfare_plant = "removed-before-successor")]
            (
                before.record().mark_removed(),
                before.record().mark_removed(),
            );
            // In this order: whoever sees the removal finds the successor.
            before.set_successor(after);
            before.record().mark_removed();
            after.record().take_over_held(before.record());
        }
        Ok(Inserted { old, len, replaced })
    }

    /// Takes one listener out. False if it is out already. O(n).
    pub(crate) fn remove(&self, record: &Record) -> bool {
        let this = |other: &Record| std::ptr::eq(other, record);
        if self.take_out(this) {
            return true;
        }
        // Gone before, or not yet committed with its batch: the mark keeps it out, unless it came in between the two looks.
        record.mark_removed();
        self.home.quiet.notify_waiters();
        self.take_out(this)
    }

    /// Takes the listener with this key out. False if there is none. O(n).
    pub(crate) fn remove_key(&self, key: &str) -> bool {
        self.take_out(|record| record.key().is_some_and(|k| k.as_str() == key))
    }

    /// Takes all listeners out, and says how many there were.
    pub(crate) fn clear(&self) -> usize {
        let old = {
            let _changing = self.changing.lock();
            let old = self.snapshot();
            let number = self.next_number();
            self.publish(number, Vec::new(), Arc::default());
            for entry in &old.entries {
                self.bury(entry.record(), number);
                self.note(entry, Milestone::Cleared, 0);
            }
            old
        };
        self.home.totals.removed(old.entries.len());
        self.home.quiet.notify_waiters();
        for entry in &old.entries {
            entry.record().lose_held();
        }
        self.home.tell_moves();
        self.home.listeners_changed();
        old.entries.len()
    }

    fn take_out(&self, matches: impl Fn(&Record) -> bool) -> bool {
        let Some(taken) = self.take(matches) else {
            return false;
        };
        taken.finish(&self.home);
        self.home.listeners_changed();
        true
    }

    /// The old version outlives the lock, and with it the listener: see `put_in`.
    fn take(&self, matches: impl Fn(&Record) -> bool) -> Option<Taken<E>> {
        let _changing = self.changing.lock();
        let old = self.snapshot();
        let mut entries = old.entries.iter();
        let place = entries.position(|entry| matches(entry.record()))?;
        let mut entries = old.entries.to_vec();
        let entry = entries.remove(place);
        let keys = match entry.record().key() {
            Some(key) => {
                let mut keys = HashMap::clone(&old.keys);
                keys.remove(key);
                Arc::new(keys)
            }
            None => Arc::clone(&old.keys),
        };
        let (number, len) = (self.next_number(), entries.len());
        self.publish(number, entries, keys);
        self.bury(entry.record(), number);
        self.home.totals.removed(1);
        let why = if entry.record().is_spent() {
            Milestone::Spent
        } else {
            Milestone::Removed
        };
        self.note(&entry, why, len);
        Some(Taken { old, entry })
    }

    /// Notes what is to be told of a listener once no lock is held.
    fn note(&self, entry: &Arc<dyn Entry<E>>, milestone: Milestone, listeners: usize) {
        if let Some(moves) = self.home.moves() {
            moves.note(entry.record(), entry.kind(), milestone, listeners);
        }
    }

    /// Makes these the newest list. Called with the lock on changes held.
    fn publish(
        &self,
        number: u64,
        mut entries: Vec<Arc<dyn Entry<E>>>,
        keys: Arc<HashMap<Key, Arc<dyn Entry<E>>>>,
    ) {
        self.sort(&mut entries);
        let home = Arc::clone(&self.home);
        let new = Arc::new(Snapshot::new(number, home, entries, keys));
        {
            let mut past = self.past.lock();
            past.lists.retain(|list| list.strong_count() > 0);
            past.lists.push(Arc::downgrade(&new));
        }
        self.put(new);
        self.number.store(number, Ordering::Release);
    }

    /// A number for the next list.
    fn next_number(&self) -> u64 {
        now_in_nanos().max(self.number() + 1)
    }

    fn sort(&self, entries: &mut [Arc<dyn Entry<E>>]) {
        // Ids grow with registration; the list is nearly sorted, for which the standard sort is linear.
        match self.order {
            Order::OldestFirst => entries.sort_by_key(|e| rank(e.record())),
            Order::NewestFirst => entries.sort_by_key(|e| {
                let (stage, priority, sequence) = rank(e.record());
                (stage, priority, Reverse(sequence))
            }),
        }
    }

    /// Remembers that a listener is removed from the list of this number on, and marks it so.
    fn bury(&self, record: &Record, number: u64) {
        let mut past = self.past.lock();
        if past.gone.len() == REMEMBERED {
            past.gone.pop_front();
        }
        past.gone.push_back(Gone::new(record, number));
        record.mark_removed();
    }

    /// Makes this list the newest version.
    fn put(&self, list: Arc<Snapshot<E>>) {
        // Those who have the old one in hand are counted in its `Arc` from here on.
        let old = self.newest.swap(Version::new(list));
        self.past.lock().before.push(&old);
    }
}

fn rank(record: &Record) -> (u32, Reverse<i32>, u64) {
    (
        record.stage(),
        Reverse(record.priority()),
        record.sequence(),
    )
}

impl<E: Event> Host for Registry<E> {
    fn remove(&self, record: &Record) -> bool {
        Self::remove(self, record)
    }

    fn unlink(&self, record: &Record, later: &mut Later) {
        let Some(taken) = self.take(|other| std::ptr::eq(other, record)) else {
            return;
        };
        let home = Arc::clone(&self.home);
        later.push(move || taken.finish(&home));
        self.home.settle_audience(later);
    }

    fn settle(&self) {
        loop {
            // Upgraded under the lock and settled after: the last of a list's owners may be here.
            let lists: Vec<_> = {
                let past = self.past.lock();
                past.lists.iter().filter_map(Weak::upgrade).collect()
            };
            for list in &lists {
                list.settle();
            }
            if self.home.lists.load(Ordering::Acquire) <= lists.len() {
                return;
            }
            // A list that is just being dropped cannot be had any more, and settles its counts before anything else.
            thread_yield();
        }
    }

    fn renew(&self) -> Before {
        let _changing = self.changing.lock();
        if !cfg!(fanfare_plant = "renewed-in-place") {
            self.put(self.snapshot());
        }
        self.past.lock().before.clone()
    }

    fn renumber(&self, note: &mut dyn FnMut(u64) -> bool) {
        // The old version outlives the lock: see `insert`.
        let _old = {
            let _changing = self.changing.lock();
            let old = self.snapshot();
            let number = self.next_number();
            if note(number) {
                self.publish(number, old.entries.to_vec(), Arc::clone(&old.keys));
            }
            old
        };
    }
}
