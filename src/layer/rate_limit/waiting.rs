//! The calls that wait for their turns.

use std::collections::BTreeMap;
use std::task::Waker;

use super::state::FullAt;
use super::terms::Terms;
use crate::clock::Instant;
use crate::sync::Mutex;

/// The turns of the calls that wait: a change of the rate moves them. Locked within the lock of a bucket, never around one.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Turns>);

#[derive(Debug, Default)]
struct Turns {
    next: u64,
    turns: BTreeMap<u64, Turn>,
}

/// The turn of one call.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) at: Instant,
    /// The state of the bucket that it left, which gives it back.
    pub(super) after: FullAt,
    /// The number of the terms that it goes by.
    pub(super) number: u64,
    waker: Option<Waker>,
}

impl Turn {
    pub(super) fn new(at: Instant, after: FullAt, terms: &Terms) -> Self {
        Self {
            at,
            after,
            number: terms.number,
            waker: None,
        }
    }

    /// The turn by these terms, if it went by those just before.
    pub(super) fn carry(&mut self, terms: &Terms) {
        if let Some((old, at)) = terms.before.filter(|_| self.number + 1 == terms.number) {
            self.at = old.turn_carried(self.at, terms.bucket, at);
            self.after = old.carried(self.after, terms.bucket, at);
            self.number = terms.number;
        }
    }
}

impl Waiting {
    /// One more call waits. Its bucket is locked; the terms are asked for again, since no change is two ahead of a bucket that is locked.
    pub(super) fn add(&self, mut turn: Turn, terms: impl FnOnce(&mut Turn)) -> u64 {
        let mut all = self.0.lock();
        terms(&mut turn);
        let ticket = all.next;
        all.next += 1;
        all.turns.insert(ticket, turn);
        ticket
    }

    /// When its turn is, and how to wake the call if that changes. Gives back what is to be dropped after.
    pub(super) fn look(&self, ticket: u64, waker: &Waker) -> Option<Instant> {
        let waker = waker.clone();
        let mut all = self.0.lock();
        let turn = all.turns.get_mut(&ticket)?;
        let before = turn.waker.replace(waker);
        let at = turn.at;
        drop(all);
        // Anyone's code: not under the lock.
        drop(before);
        Some(at)
    }

    /// A call waits no longer.
    pub(super) fn remove(&self, ticket: u64) -> Option<Turn> {
        self.0.lock().turns.remove(&ticket)
    }

    /// Moves all turns, and gives those who are to be woken.
    pub(super) fn carry(&self, terms: &Terms) -> Vec<Waker> {
        let mut all = self.0.lock();
        let woken = all.turns.values_mut().filter_map(|turn| {
            turn.carry(terms);
            turn.waker.take()
        });
        woken.collect()
    }
}
