//! The state that the calls of a listener share.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::Concurrency;
use super::handle::Counts;
use super::state::{Arrival, Place, Places, Ticket};
use crate::error::{BoxError, OptionError};
use crate::event::Delivery;
use crate::keyed::{Fingerprint, KeyBy, Table, TooMany};
use crate::layer::live::{Applied, Cell, Live};
use crate::outcome::{CallError, Rejection};
use crate::pool::WhenFull;
use crate::sync::{Mutex, Ordering};

pub(super) struct Store {
    pub(super) terms: Cell<Terms>,
    pub(super) shared: bool,
    /// Held by whoever changes the terms.
    pub(super) changing: Mutex<()>,
    /// What makes no sense in the config: every call ends with it.
    pub(super) refused: Option<OptionError>,
    /// For calls that have no key.
    pub(super) common: Mutex<Places<Waker>>,
    pub(super) keyed: Option<Keyed>,
    pub(super) counts: Arc<Counts>,
}

/// The settings in effect.
pub(super) struct Terms {
    pub(super) limit: usize,
    pub(super) when_full: WhenFull,
    pub(super) words: String,
}

pub(super) struct Keyed {
    pub(super) by: KeyBy,
    pub(super) places: Table<Places<Waker>>,
}

/// What a call is told.
pub(super) enum Arrived {
    Runs(Permit),
    Waits(Waiter),
}

impl Store {
    /// The key of a call. Runs user code.
    pub(super) fn key(&self, delivery: &Delivery) -> Option<Fingerprint> {
        let keyed = self.keyed.as_ref()?;
        keyed.by.find(delivery, &self.counts.seeds)
    }

    pub(super) fn keys(&self) -> usize {
        self.keyed.as_ref().map_or(0, |keyed| keyed.places.len())
    }

    pub(super) fn peak_of(&self, key: Fingerprint) -> Option<usize> {
        let keyed = self.keyed.as_ref()?;
        keyed.places.look(key, Places::peak)
    }

    /// One more call, which runs, waits, or is rejected.
    pub(super) fn arrive(self: &Arc<Self>, key: Option<Fingerprint>) -> Result<Arrived, BoxError> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone().into());
        }
        // Counted under the lock, so that who leaves is counted out before its place is taken.
        let arrive = |places: &mut Places<Waker>| {
            let terms = self.terms.read();
            let arrival = places.arrive(terms.limit, terms.when_full != WhenFull::Reject);
            match arrival {
                Arrival::Runs => {
                    let running = self.counts.running.fetch_add(1, Ordering::Relaxed) + 1;
                    self.counts.peak.fetch_max(running, Ordering::Relaxed);
                }
                Arrival::Waits(_) => {
                    self.counts.waits.fetch_add(1, Ordering::Relaxed);
                    self.counts.waiting.fetch_add(1, Ordering::Relaxed);
                }
                Arrival::Full => {}
            }
            arrival
        };
        let arrival = match (&self.keyed, key) {
            (Some(keyed), Some(key)) => {
                let arrived = keyed.places.enter(key, arrive);
                let limit = keyed.places.most();
                let too_many = |TooMany| self.rejected(Rejection::TooManyKeys { limit });
                arrived.map_err(too_many)?.0
            }
            _ => arrive(&mut self.common.lock()),
        };
        match arrival {
            Arrival::Runs => Ok(Arrived::Runs(self.permit(key))),
            Arrival::Waits(ticket) => Ok(Arrived::Waits(Waiter {
                store: Arc::clone(self),
                key,
                ticket: Some(ticket),
            })),
            Arrival::Full => Err(self.full(Duration::ZERO)),
        }
    }

    /// No place came within this time.
    pub(super) fn full(&self, waited: Duration) -> BoxError {
        let limit = self.limit();
        self.rejected(Rejection::ConcurrencyFull { limit, waited })
    }

    fn limit(&self) -> usize {
        self.terms.read().limit
    }

    /// For how long a call waits that begins to.
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        match self.terms.read().when_full {
            WhenFull::WaitUpTo(given) => Some(given),
            WhenFull::Wait | WhenFull::Reject => None,
        }
    }

    fn rejected(&self, rejection: Rejection) -> BoxError {
        self.counts.rejections.fetch_add(1, Ordering::Relaxed);
        CallError::rejected(rejection).into()
    }

    fn permit(self: &Arc<Self>, key: Option<Fingerprint>) -> Permit {
        Permit {
            store: Arc::clone(self),
            key,
        }
    }

    /// The places of a key of which a call runs or waits.
    fn with<R>(&self, key: Option<Fingerprint>, change: impl FnOnce(&mut Places<Waker>) -> R) -> R {
        match (&self.keyed, key) {
            (Some(keyed), Some(key)) => {
                let changed = keyed.places.update(key, change, Places::is_idle);
                changed.expect("a key stays as long as a call of it runs or waits")
            }
            _ => change(&mut self.common.lock()),
        }
    }

    /// A place is left, and who has it next is woken, after the lock.
    fn leave(&self, key: Option<Fingerprint>) {
        let next = self.with(key, |places| {
            let place = places.leave(self.limit());
            let count = match place {
                Place::Free => &self.counts.running,
                Place::Handed(_) => &self.counts.waiting,
            };
            count.fetch_sub(1, Ordering::Relaxed);
            place
        });
        if let Place::Handed(Some(waker)) = next {
            waker.wake();
        }
    }
}

impl Live<Concurrency> for Store {
    fn words(&self) -> String {
        self.terms.read().words.clone()
    }

    fn change(&self, new: Concurrency) -> Applied {
        let changing = self.changing.lock();
        let before = self.words();
        let terms = new.terms(self.shared, self.keyed.is_some());
        let after = terms.words.clone();
        drop(self.terms.replace(terms));
        let mut woken = Vec::new();
        // Whoever had the places before went by the old limit, and whoever has them after goes by the new one.
        let mut change = |places: &mut Places<Waker>| {
            let handed = places.change(self.limit());
            let counts = &self.counts;
            counts.waiting.fetch_sub(handed.len(), Ordering::Relaxed);
            let running = counts.running.fetch_add(handed.len(), Ordering::Relaxed);
            counts
                .peak
                .fetch_max(running + handed.len(), Ordering::Relaxed);
            woken.extend(handed.into_iter().flatten());
        };
        change(&mut self.common.lock());
        if let Some(keyed) = &self.keyed {
            keyed.places.set_most(new.most_keys());
            keyed.places.each(change);
        }
        drop(changing);
        Applied {
            before,
            after,
            rest: Box::new(|| woken.into_iter().for_each(Waker::wake)),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("limit", &self.words())
            .finish_non_exhaustive()
    }
}

/// A place. Dropping it hands it on.
#[derive(Debug)]
pub(super) struct Permit {
    store: Arc<Store>,
    key: Option<Fingerprint>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.store.leave(self.key);
    }
}

/// A call that waits. Dropping it gives up its wait, and hands on the place if it had been given one.
#[derive(Debug)]
pub(super) struct Waiter {
    store: Arc<Store>,
    key: Option<Fingerprint>,
    ticket: Option<Ticket>,
}

impl Waiter {
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The place, if it was given one; else `waker` is woken when it is.
    pub(super) fn poll(&mut self, waker: &Waker) -> Option<Permit> {
        let ticket = self.ticket?;
        // A clone of a waker and the drop of one may be anyone's code: not under the lock.
        let waker = waker.clone();
        let registered = self
            .store
            .with(self.key, |places| places.wake_with(ticket, waker));
        match registered {
            Ok(_before) => None,
            Err(_unused) => {
                self.ticket = None;
                Some(self.store.permit(self.key))
            }
        }
    }

    /// Ends the wait. The place, if it was given one.
    pub(super) fn give_up(&mut self) -> Option<Permit> {
        let ticket = self.ticket.take()?;
        let given_up = self.store.with(self.key, |places| {
            let given_up = places.give_up(ticket);
            if given_up.is_ok() {
                self.store.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            given_up
        });
        given_up.is_err().then(|| self.store.permit(self.key))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let place = self.give_up();
        if cfg!(fanfare_plant = "place-lost") {
            std::mem::forget(place);
        }
    }
}
