//! The config, which is the layer.

use std::any::Any;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::RateLimitService;
use super::handle::{Counts, RateLimitHandle};
use super::state::{Bucket, Kept, interval};
use super::store::{Keyed, Store};
use super::terms::Terms;
use super::waiting::Waiting;
use crate::clock::{self, Instant};
use crate::error::OptionError;
use crate::keyed::{DEFAULT_KEYS, KeyBy, Swept, check_keys};
use crate::layer::change::check_scope;
use crate::layer::live::Cell;
use crate::layer::sharing::Sharing;
use crate::pool::WhenFull;
use crate::sync::Mutex;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Lets through so many calls in so much time; the others wait for their turn, or are rejected.
///
/// A token bucket: it holds `burst` tokens, gains one each `per / calls`, and a call takes one. So in any time `t` at most `burst + t x calls / per` calls are let through.
/// The time of a token is rounded up to a whole nanosecond, which makes the rate lower by less than a thousandth.
///
/// Its place is inside the retry, so that each attempt counts, and outside the circuit breaker, to whom a call that waits or is rejected here is none.
/// Each listener has a bucket of its own unless it is [`shared`](Self::shared), and each key one with [`per_key`](Self::per_key).
/// An option that makes no sense is refused where the listener is registered, or the signal or bus built; in a stack by hand every call fails with the [`OptionError`].
/// Waiting needs tokio's timer, which counts in milliseconds.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::layer::RateLimit;
/// use fanfare::Signal;
/// use tokio::time::Instant;
///
/// let signal = Signal::<u32>::new();
/// signal.listen().rate_limit(RateLimit::per_second(10).burst(1)).on(async |_| {})?;
///
/// let start = Instant::now();
/// for n in 0..3 {
///     assert_eq!(signal.emit(n).await.delivered(), 1);
/// }
/// assert_eq!(start.elapsed(), Duration::from_millis(200)); // at 0, 100 and 200
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit {
    calls: u32,
    per: Duration,
    burst: Option<u32>,
    when_used_up: WhenFull,
    key: Option<KeyBy>,
    max_keys: usize,
    sharing: Sharing<Store>,
    counts: Arc<Counts>,
}

impl RateLimit {
    /// So many calls in so much time: at least one call, at most one a microsecond; a time above zero, at most 365 days. See [`RateLimit`](crate::layer::RateLimit).
    pub fn new(calls: u32, per: Duration) -> Self {
        Self {
            calls,
            per,
            burst: None,
            when_used_up: WhenFull::Wait,
            key: None,
            max_keys: DEFAULT_KEYS,
            sharing: Sharing::none(),
            counts: Arc::default(),
        }
    }

    /// So many calls a second: 1 to 1,000,000. See [`new`](Self::new).
    pub fn per_second(calls: u32) -> Self {
        Self::new(calls, Duration::from_secs(1))
    }

    /// How many calls are let through at once after a time without any. Default: as many as `calls`. At least 1; so many that the bucket fills within 100 years.
    #[must_use]
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = Some(calls);
        self.changed()
    }

    /// A call that finds the limit used up waits for its turn, first come, first served within its key. The default.
    ///
    /// The turn is given out when the call first waits. The wait holds no permit of the pool.
    #[must_use]
    pub fn wait(mut self) -> Self {
        self.when_used_up = WhenFull::Wait;
        self.changed()
    }

    /// As [`wait`](Self::wait), but a call whose turn is further away than this is rejected at once, and takes none. Above zero.
    #[must_use]
    pub fn wait_up_to(mut self, longest: Duration) -> Self {
        self.when_used_up = WhenFull::WaitUpTo(longest);
        self.changed()
    }

    /// A call that finds the limit used up ends with [`Rejection::RateLimited`](crate::Rejection::RateLimited). Default: it waits.
    #[must_use]
    pub fn reject(mut self) -> Self {
        self.when_used_up = WhenFull::Reject;
        self.changed()
    }

    /// All that is layered from this config and its clones share one bucket, or one for each key. Default: each listener has its own.
    ///
    /// A clone whose options are changed shares with its own clones only.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.sharing = self.sharing.all();
        self
    }

    /// One bucket for each key, which the closure finds in the event. Default: one for all calls.
    ///
    /// Events of another type than the closure's have one bucket together. Of a key 128 random bits of hash are kept, and a time: 24 bytes whatever its type. A closure that
    /// returns a `String` allocates one a call; a number, or a hash, does not.
    ///
    /// ```
    /// use fanfare::layer::RateLimit;
    ///
    /// struct OrderPlaced { customer: u64 }
    /// let limit = RateLimit::per_second(5).per_key(|order: &OrderPlaced| order.customer);
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

    /// How many keys there may be at once. Default: 1,000,000. 1 to 1,073,741,824.
    ///
    /// A key is idle when its bucket is full, and idle keys are freed as calls come: each call looks at two keys on average, at 64 at most. At the limit a call with a
    /// new key takes an idle one's place, or ends with [`Rejection::TooManyKeys`](crate::Rejection::TooManyKeys).
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self.changed()
    }

    /// What this limit has done, with all that was and will be layered from it and its clones. See [`RateLimitHandle`].
    pub fn handle(&self) -> RateLimitHandle {
        RateLimitHandle(Arc::clone(&self.counts))
    }

    /// What was layered before keeps the options that it had.
    fn changed(mut self) -> Self {
        self.sharing = self.sharing.apart();
        self
    }

    fn interval(&self) -> Duration {
        interval(self.calls, self.per)
    }

    fn bursts(&self) -> u32 {
        self.burst.unwrap_or(self.calls)
    }

    /// Refuses what makes no sense, by the option's name.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        if self.per.is_zero() || self.per > YEAR {
            let expected = "it takes a time above zero, and 365 days at most";
            return Err(OptionError::new("per", format!("{:?}", self.per), expected));
        }
        if self.calls == 0 || u128::from(self.calls) > self.per.as_micros() {
            let expected = "it takes 1 call or more, and one a microsecond at most";
            return Err(OptionError::new("calls", self.calls, expected));
        }
        let fills = self.interval().checked_mul(self.bursts());
        if self.bursts() == 0 || fills.is_none_or(|time| time > 100 * YEAR) {
            let expected = "it takes 1 call or more, and what the rate allows in 100 years at most";
            return Err(OptionError::new("burst", self.bursts(), expected));
        }
        if self.when_used_up == WhenFull::WaitUpTo(Duration::ZERO) {
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

    /// What calls go by from now on, in the place of the bucket before.
    pub(super) fn terms(
        &self,
        old: &Bucket,
        now: Instant,
        number: u64,
        shared: bool,
        keyed: bool,
    ) -> Terms {
        Terms {
            bucket: old.with(self.interval(), self.bursts()),
            when_used_up: self.when_used_up,
            words: self.words(shared, keyed),
            number,
            before: Some((*old, now)),
        }
    }

    fn words(&self, shared: bool, keyed: bool) -> String {
        let (calls, per, burst) = (self.calls, self.per, self.bursts());
        let when = match self.when_used_up {
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
        format!("{calls} in {per:?}, bursts of {burst}{when}{shared}{keyed}")
    }

    /// The state of whatever is made of this, which is one if it is shared.
    pub(super) fn made(&self) -> Arc<Store> {
        self.sharing.state(|| self.store())
    }

    fn store(&self) -> Arc<Store> {
        let store = Arc::new(Store {
            terms: Cell::new(Terms {
                bucket: Bucket::new(clock::now(), self.interval(), self.bursts()),
                when_used_up: self.when_used_up,
                words: self.to_string(),
                number: 0,
                before: None,
            }),
            waiting: Waiting::default(),
            shared: self.sharing.is_shared(),
            changing: Mutex::new(()),
            refused: self.check().err(),
            common: Mutex::new(Kept::default()),
            keyed: self.key.clone().map(|by| Keyed {
                by,
                buckets: Swept::new(self.max_keys),
            }),
            counts: Arc::clone(&self.counts),
        });
        self.counts.stores.add(&store);
        store
    }
}

impl<S> Layer<S> for RateLimit {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> RateLimitService<S> {
        RateLimitService::new(inner, self.made())
    }
}

impl fmt::Display for RateLimit {
    /// "10 in 1s, bursts of 10, rejects, shared, per key"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(self.sharing.is_shared(), self.key.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        let second = RateLimit::per_second;
        let refused = [
            (second(0), "calls", "0"),
            (second(1_000_001), "calls", "1000001"),
            (RateLimit::new(1, Duration::ZERO), "per", "0ns"),
            (RateLimit::new(1, YEAR + YEAR), "per", "63072000s"),
            (second(1).burst(0), "burst", "0"),
            (RateLimit::new(1, YEAR).burst(101), "burst", "101"),
            (second(1).wait_up_to(Duration::ZERO), "wait_up_to", "0ns"),
            (second(1).max_keys(0), "max_keys", "0"),
            (
                second(1).max_keys(usize::MAX),
                "max_keys",
                "18446744073709551615",
            ),
        ];
        for (limit, option, value) in refused {
            let error = limit.check().unwrap_err();
            assert_eq!((error.option(), error.value()), (option, value));
        }
        let taken = [
            second(1),
            second(1_000_000),
            RateLimit::new(1, YEAR).burst(100),
            second(1).max_keys(1),
        ];
        for limit in taken {
            assert_eq!(limit.check(), Ok(()));
        }
    }
}
