//! The config, which is the layer.

use std::any::Any;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::ConcurrencyService;
use super::handle::{ConcurrencyHandle, Counts};
use super::state::Places;
use super::store::{Keyed, Store, Terms};
use crate::error::{OptionError, check_count};
use crate::keyed::{DEFAULT_KEYS, KeyBy, Table, check_keys};
use crate::layer::change::check_scope;
use crate::layer::live::Cell;
use crate::layer::sharing::Sharing;
use crate::pool::WhenFull;
use crate::sync::Mutex;

const MOST: usize = 1 << 20;

/// Lets so many calls run at once; the others wait for a place, or are rejected.
///
/// A bulkhead: one slow dependency takes no more calls than this. Where [`Pool`](crate::Pool) bounds the listeners of signals together, this bounds the calls of one
/// listener, or of each key of it. Its place is inside the retry, so that a call holds no place between its attempts, and outside the circuit breaker, to whom a call that
/// waits or is rejected here is none.
///
/// Each listener has places of its own unless they are [`shared`](Self::shared), and each key with [`per_key`](Self::per_key).
/// An option that makes no sense is refused where the listener is registered, or the signal or bus built; in a stack by hand every call fails with the [`OptionError`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::layer::Concurrency;
/// use fanfare::Signal;
/// use tokio::time::Instant;
///
/// let signal = Signal::<u32>::new();
/// signal.listen().concurrency(Concurrency::new(2)).on(async |_| tokio::time::sleep(Duration::from_secs(1)).await)?;
///
/// let start = Instant::now();
/// let _ = tokio::join!(signal.emit(1), signal.emit(2), signal.emit(3));
/// assert_eq!(start.elapsed(), Duration::from_secs(2)); // two, then one
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Concurrency {
    limit: usize,
    when_full: WhenFull,
    key: Option<KeyBy>,
    max_keys: usize,
    sharing: Sharing<Store>,
    counts: Arc<Counts>,
}

impl Concurrency {
    /// So many calls at once: 1 to 1,048,576. See [`Concurrency`](crate::layer::Concurrency).
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            when_full: WhenFull::Wait,
            key: None,
            max_keys: DEFAULT_KEYS,
            sharing: Sharing::none(),
            counts: Arc::default(),
        }
    }

    /// A call that finds no place waits for one, first come, first served within its key. The default.
    ///
    /// The wait holds no permit of the pool.
    #[must_use]
    pub fn wait(mut self) -> Self {
        self.when_full = WhenFull::Wait;
        self.changed()
    }

    /// As [`wait`](Self::wait), but a call that had no place for so long is rejected. Above zero. Needs tokio's timer.
    #[must_use]
    pub fn wait_up_to(mut self, longest: Duration) -> Self {
        self.when_full = WhenFull::WaitUpTo(longest);
        self.changed()
    }

    /// A call that finds no place ends with [`Rejection::ConcurrencyFull`](crate::Rejection::ConcurrencyFull). Default: it waits.
    #[must_use]
    pub fn reject(mut self) -> Self {
        self.when_full = WhenFull::Reject;
        self.changed()
    }

    /// All that is layered from this config and its clones share the places, or those of each key. Default: each listener has its own.
    ///
    /// A clone whose options are changed shares with its own clones only.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.sharing = self.sharing.all();
        self
    }

    /// So many calls at once for each key, which the closure finds in the event. Default: for all calls together.
    ///
    /// Events of another type than the closure's have their places together. A key is kept, as 128 random bits of hash, while a call of it runs or waits.
    /// `Concurrency::new(1).per_key(..)` runs the calls of a key one after another, in the order in which they came.
    ///
    /// ```
    /// use fanfare::layer::Concurrency;
    ///
    /// struct OrderPlaced { customer: u64 }
    /// let limit = Concurrency::new(1).per_key(|order: &OrderPlaced| order.customer);
    /// # drop(limit);
    /// ```
    #[must_use]
    pub fn per_key<E: Any, K: Hash>(
        mut self,
        key: impl Fn(&E) -> K + Send + Sync + 'static,
    ) -> Self {
        self.key = Some(KeyBy::of(key));
        self.changed()
    }

    /// Of how many keys calls may run or wait at once. Default: 1,000,000. 1 to 1,073,741,824.
    ///
    /// A call with one more key ends with [`Rejection::TooManyKeys`](crate::Rejection::TooManyKeys).
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self.changed()
    }

    /// What this limit does and has done, with all that was and will be layered from it and its clones. See [`ConcurrencyHandle`].
    pub fn handle(&self) -> ConcurrencyHandle {
        ConcurrencyHandle(Arc::clone(&self.counts))
    }

    /// What was layered before keeps the options that it had.
    fn changed(mut self) -> Self {
        self.sharing = self.sharing.apart();
        self
    }

    /// Refuses what makes no sense, by the option's name.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        check_count(
            "limit",
            self.limit,
            MOST,
            "it takes 1 to 1,048,576 calls at once",
        )?;
        if self.when_full == WhenFull::WaitUpTo(Duration::ZERO) {
            let expected = "it takes a wait above zero; `reject` does not wait";
            return Err(OptionError::new("wait_up_to", "0ns", expected));
        }
        check_keys(self.max_keys)
    }

    /// As [`check`](Self::check), for a change of one that works.
    pub(in crate::layer) fn check_change(&self) -> Result<(), OptionError> {
        check_scope(self.key.is_some(), self.sharing.is_shared())?;
        self.check()
    }

    pub(super) fn most_keys(&self) -> usize {
        self.max_keys
    }

    /// What calls go by.
    pub(super) fn terms(&self, shared: bool, keyed: bool) -> Terms {
        Terms {
            limit: self.limit,
            when_full: self.when_full,
            words: self.words(shared, keyed),
        }
    }

    fn words(&self, shared: bool, keyed: bool) -> String {
        let limit = self.limit;
        let when = match self.when_full {
            WhenFull::Wait => String::new(),
            WhenFull::WaitUpTo(longest) => format!(", waits up to {longest:?}"),
            WhenFull::Reject => ", rejects".to_owned(),
        };
        let shared = if shared { ", shared" } else { "" };
        let keyed = match self.max_keys {
            _ if !keyed => String::new(),
            DEFAULT_KEYS => ", per key".to_owned(),
            most => format!(", per key of {most}"),
        };
        format!("{limit} at once{when}{shared}{keyed}")
    }

    fn store(&self) -> Arc<Store> {
        let store = Arc::new(Store {
            terms: Cell::new(self.terms(self.sharing.is_shared(), self.key.is_some())),
            shared: self.sharing.is_shared(),
            changing: Mutex::new(()),
            refused: self.check().err(),
            common: Mutex::new(Places::default()),
            keyed: self.key.clone().map(|by| Keyed {
                by,
                places: Table::new(self.max_keys),
            }),
            counts: Arc::clone(&self.counts),
        });
        self.counts.stores.add(&store);
        store
    }
}

impl<S> Layer<S> for Concurrency {
    type Service = ConcurrencyService<S>;

    fn layer(&self, inner: S) -> ConcurrencyService<S> {
        ConcurrencyService::new(inner, self.sharing.state(|| self.store()))
    }
}

impl fmt::Display for Concurrency {
    /// "8 at once, rejects, shared, per key"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(self.sharing.is_shared(), self.key.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        let refused = [
            (Concurrency::new(0), "limit", "0"),
            (Concurrency::new(MOST + 1), "limit", "1048577"),
            (
                Concurrency::new(1).wait_up_to(Duration::ZERO),
                "wait_up_to",
                "0ns",
            ),
            (Concurrency::new(1).max_keys(0), "max_keys", "0"),
        ];
        for (limit, option, value) in refused {
            let error = limit.check().unwrap_err();
            assert_eq!((error.option(), error.value()), (option, value));
        }
        for limit in [Concurrency::new(1), Concurrency::new(MOST).max_keys(1)] {
            assert_eq!(limit.check(), Ok(()));
        }
    }
}
