//! The state that the calls of a listener share.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::RateLimit;
use super::handle::Counts;
use super::state::{Kept, Turn};
use super::terms::Terms;
use super::waiting::{self, Waiting};
use crate::clock::{self, Instant, Sleep, sleep_until};
use crate::error::{BoxError, OptionError};
use crate::event::Delivery;
use crate::keyed::{Fingerprint, KeyBy, Swept, TooMany};
use crate::layer::live::{Applied, Cell, Live};
use crate::outcome::{CallError, Rejection};
use crate::pool::WhenFull;
use crate::sync::{Mutex, Ordering};

pub(super) struct Store {
    pub(super) terms: Cell<Terms>,
    pub(super) waiting: Waiting,
    pub(super) shared: bool,
    /// Held by whoever changes the terms.
    pub(super) changing: Mutex<()>,
    /// What makes no sense in the config: every call ends with it.
    pub(super) refused: Option<OptionError>,
    /// For calls that have no key.
    pub(super) common: Mutex<Kept>,
    pub(super) keyed: Option<Keyed>,
    pub(super) counts: Arc<Counts>,
}

pub(super) struct Keyed {
    pub(super) by: KeyBy,
    pub(super) buckets: Swept<Kept>,
}

/// What a call is told.
pub(super) enum Taken {
    Pass,
    Wait(Instant, Reservation),
}

impl Store {
    /// The key of a call. Runs user code.
    pub(super) fn key(&self, delivery: &Delivery) -> Option<Fingerprint> {
        self.key_in(delivery.any_event())
    }

    /// The same, of the event itself.
    pub(super) fn key_in(&self, event: &(dyn Any + Send + Sync)) -> Option<Fingerprint> {
        let keyed = self.keyed.as_ref()?;
        keyed.by.find_in(event, &self.counts.seeds)
    }

    pub(super) fn keys(&self) -> usize {
        self.keyed.as_ref().map_or(0, |keyed| keyed.buckets.len())
    }

    /// One more call, which passes, waits for its turn, or is rejected.
    pub(super) fn take(self: &Arc<Self>, key: Option<Fingerprint>) -> Result<Taken, BoxError> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone().into());
        }
        let now = clock::now();
        match self.turn(key, now) {
            Ok(Given::Now) => {
                self.counts.passed.fetch_add(1, Ordering::Relaxed);
                Ok(Taken::Pass)
            }
            Ok(Given::At(turn, ticket)) => {
                self.counts.waits.fetch_add(1, Ordering::Relaxed);
                self.counts.waiting.fetch_add(1, Ordering::Relaxed);
                let reservation = Reservation {
                    store: Arc::clone(self),
                    key,
                    ticket,
                    since: now,
                    passed: false,
                };
                Ok(Taken::Wait(turn, reservation))
            }
            Ok(Given::TooLate(retry_after)) => {
                Err(self.rejected(Rejection::RateLimited { retry_after }))
            }
            Err(rejection) => Err(self.rejected(rejection)),
        }
    }

    fn turn(&self, key: Option<Fingerprint>, now: Instant) -> Result<Given, Rejection> {
        // The terms are read under the lock of the bucket: so they are never behind it.
        let take = |kept: &mut Kept| {
            let terms = self.terms.read();
            let longest = match terms.when_used_up {
                WhenFull::Wait => Duration::MAX,
                WhenFull::WaitUpTo(longest) => longest,
                WhenFull::Reject => Duration::ZERO,
            };
            match terms.step(kept, |state| terms.bucket.take(state, now, longest)) {
                Turn::Now => Given::Now,
                Turn::At(at, after) => {
                    let turn = waiting::Turn::new(at, after, &terms);
                    let newest = |turn: &mut waiting::Turn| turn.carry(&self.terms.read());
                    Given::At(at, self.waiting.add(turn, newest))
                }
                Turn::TooLate(wait) => Given::TooLate(wait),
            }
        };
        match (&self.keyed, key) {
            (Some(keyed), Some(key)) => {
                let idle = |kept: &Kept| {
                    let terms = self.terms.read();
                    terms.bucket.is_full(terms.open(*kept), now)
                };
                let entered = keyed.buckets.enter(key, take, idle);
                entered.map_err(|TooMany| Rejection::TooManyKeys {
                    limit: keyed.buckets.most(),
                })
            }
            _ => Ok(take(&mut self.common.lock())),
        }
    }

    fn rejected(&self, rejection: Rejection) -> BoxError {
        self.counts.rejections.fetch_add(1, Ordering::Relaxed);
        CallError::rejected(rejection).into()
    }

    fn give_back(&self, key: Option<Fingerprint>, mut turn: waiting::Turn) {
        let mut give = |kept: &mut Kept| {
            let terms = self.terms.read();
            turn.carry(&terms);
            // Two changes since it was taken out: it passes unused.
            if turn.number == terms.number {
                terms.step(kept, |state| {
                    (terms.bucket.give_back(state, turn.after), ())
                });
            }
        };
        match (&self.keyed, key) {
            (Some(keyed), Some(key)) => {
                keyed.buckets.update(key, give);
            }
            _ => give(&mut self.common.lock()),
        }
    }
}

/// What a call is given.
enum Given {
    Now,
    /// The time of its turn, and its ticket.
    At(Instant, u64),
    TooLate(Duration),
}

impl Live<RateLimit> for Store {
    fn words(&self) -> String {
        self.terms.read().words.clone()
    }

    fn change(&self, new: RateLimit) -> Applied {
        let changing = self.changing.lock();
        let now = clock::now();
        let old = self.terms.read();
        let (before, number) = (old.words.clone(), old.number + 1);
        let terms = new.terms(&old.bucket, now, number, self.shared, self.keyed.is_some());
        let after = terms.words.clone();
        drop(old);
        drop(self.terms.replace(terms));
        let terms = self.terms.read();
        let carry = |kept: &mut Kept| terms.step(kept, |state| (state, ()));
        carry(&mut self.common.lock());
        if let Some(keyed) = &self.keyed {
            keyed.buckets.set_most(new.most_keys());
            keyed.buckets.for_each(carry);
        }
        let woken = self.waiting.carry(&terms);
        drop((terms, changing));
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

pin_project! {
    /// The wait for a turn. A change that moves the turn wakes it.
    pub(super) struct Wait {
        #[pin]
        sleep: Sleep,
        store: Arc<Store>,
        ticket: u64,
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let turn = this.store.waiting.look(*this.ticket, cx.waker());
        if let Some(turn) = turn.filter(|turn| *turn != this.sleep.deadline()) {
            this.sleep.as_mut().reset(turn);
        }
        this.sleep.poll(cx)
    }
}

/// The turn of a call that waits. Dropping it before the call has passed gives it back, if it is the last.
#[derive(Debug)]
pub(super) struct Reservation {
    store: Arc<Store>,
    key: Option<Fingerprint>,
    ticket: u64,
    since: Instant,
    passed: bool,
}

impl Reservation {
    /// The wait for the turn, which comes at this time unless a change moves it.
    pub(super) fn wait(&self, turn: Instant) -> Wait {
        Wait {
            sleep: sleep_until(turn),
            store: Arc::clone(&self.store),
            ticket: self.ticket,
        }
    }

    /// The call goes on.
    pub(super) fn pass(&mut self) {
        self.passed = true;
        self.store.counts.passed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let counts = &self.store.counts;
        counts.waiting.fetch_sub(1, Ordering::Relaxed);
        let waited = clock::since(self.since);
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        counts.wait_nanos.fetch_add(nanos, Ordering::Relaxed);
        let turn = self.store.waiting.remove(self.ticket);
        if let Some(turn) = turn.filter(|_| !self.passed) {
            self.store.give_back(self.key, turn);
        }
    }
}
