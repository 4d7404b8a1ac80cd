//! The state that the calls of a listener share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Counts;
use super::state::{Bucket, FullAt, Turn};
use crate::clock::{self, Instant};
use crate::error::{BoxError, OptionError};
use crate::event::Delivery;
use crate::keyed::{Fingerprint, KeyBy, Swept, TooMany};
use crate::outcome::{CallError, Rejection};
use crate::pool::WhenFull;
use crate::sync::{Mutex, Ordering};

pub(super) struct Store {
    pub(super) bucket: Bucket,
    pub(super) when_used_up: WhenFull,
    /// What makes no sense in the config: every call ends with it.
    pub(super) refused: Option<OptionError>,
    /// For calls that have no key.
    pub(super) common: Mutex<FullAt>,
    pub(super) keyed: Option<Keyed>,
    pub(super) counts: Arc<Counts>,
}

pub(super) struct Keyed {
    pub(super) by: KeyBy,
    pub(super) most: usize,
    pub(super) buckets: Swept<FullAt>,
}

/// What a call is told.
pub(super) enum Taken {
    Pass,
    Wait(Instant, Reservation),
}

impl Store {
    /// The key of a call. Runs user code.
    pub(super) fn key(&self, delivery: &Delivery) -> Option<Fingerprint> {
        let keyed = self.keyed.as_ref()?;
        keyed.by.find(delivery, &self.counts.seeds)
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
            Ok(Turn::Now) => {
                self.counts.passed.fetch_add(1, Ordering::Relaxed);
                Ok(Taken::Pass)
            }
            Ok(Turn::At(turn, after)) => {
                self.counts.waits.fetch_add(1, Ordering::Relaxed);
                self.counts.waiting.fetch_add(1, Ordering::Relaxed);
                let reservation = Reservation {
                    store: Arc::clone(self),
                    key,
                    after,
                    since: now,
                    passed: false,
                };
                Ok(Taken::Wait(turn, reservation))
            }
            Ok(Turn::TooLate(retry_after)) => {
                Err(self.rejected(Rejection::RateLimited { retry_after }))
            }
            Err(rejection) => Err(self.rejected(rejection)),
        }
    }

    fn turn(&self, key: Option<Fingerprint>, now: Instant) -> Result<Turn, Rejection> {
        let longest = match self.when_used_up {
            WhenFull::Wait => Duration::MAX,
            WhenFull::WaitUpTo(longest) => longest,
            WhenFull::Reject => Duration::ZERO,
        };
        let take = |state: &mut FullAt| {
            let (after, turn) = self.bucket.take(*state, now, longest);
            *state = after;
            turn
        };
        match (&self.keyed, key) {
            (Some(keyed), Some(key)) => {
                let idle = |state: &FullAt| self.bucket.is_full(*state, now);
                let entered = keyed.buckets.enter(key, take, idle);
                entered.map_err(|TooMany| Rejection::TooManyKeys { limit: keyed.most })
            }
            _ => Ok(take(&mut self.common.lock())),
        }
    }

    fn rejected(&self, rejection: Rejection) -> BoxError {
        self.counts.rejections.fetch_add(1, Ordering::Relaxed);
        CallError::rejected(rejection).into()
    }

    fn give_back(&self, key: Option<Fingerprint>, after: FullAt) {
        let give = |state: &mut FullAt| *state = self.bucket.give_back(*state, after);
        match (&self.keyed, key) {
            (Some(keyed), Some(key)) => {
                keyed.buckets.update(key, give);
            }
            _ => give(&mut self.common.lock()),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("bucket", &self.bucket)
            .field("when_used_up", &self.when_used_up)
            .finish_non_exhaustive()
    }
}

/// The turn of a call that waits. Dropping it before the call has passed gives it back, if it is the last.
#[derive(Debug)]
pub(super) struct Reservation {
    store: Arc<Store>,
    key: Option<Fingerprint>,
    after: FullAt,
    since: Instant,
    passed: bool,
}

impl Reservation {
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
        let waited = clock::now().saturating_duration_since(self.since);
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        counts.wait_nanos.fetch_add(nanos, Ordering::Relaxed);
        if !self.passed {
            self.store.give_back(self.key, self.after);
        }
    }
}
