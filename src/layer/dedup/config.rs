//! The config, which is the layer.

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tower_layer::Layer;

use super::counts::Counts;
use super::state::Seen;
use super::store::Store;
use super::{DedupHandle, DedupService};
use crate::error::{OptionError, check_count};
use crate::event::Delivery;

/// How many keys are remembered if there is a time to live, and no capacity.
const DEFAULT_CAPACITY: usize = 100_000;
const MOST_KEYS: usize = 100_000_000;

/// What the key of a delivery is hashed to. `None` if the event is of another type.
pub(super) type Fingerprint = Arc<dyn Fn(&Delivery) -> Option<u128> + Send + Sync>;

/// What becomes of a duplicate whose first delivery still runs.
///
/// These two are all there is: it goes on, or it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InFlight {
    /// It is skipped at once. If the first then fails, the event is lost unless it is delivered once more.
    #[default]
    Skip,
    /// It waits until the first has ended, without holding a permit: skipped if that one succeeded, and run if not. Waiters run one after another, in no order that is promised, until one
    /// succeeds.
    Wait,
}

/// Skips a delivery whose key was seen already, with [`Skip::Duplicate`](crate::Skip::Duplicate).
///
/// For events that may come twice: a broker that delivers at least once, a client that posts again, a webhook that is retried. Its place is outside the retry, so that a key is
/// remembered or forgotten by what came of all attempts. Each listener remembers for itself, in memory: a restart forgets.
///
/// It takes a bound, [`capacity`](Self::capacity) or [`ttl`](Self::ttl) or both, and is refused at registration without. A key is kept as a hash of 128 bits with a random seed, of what
/// its `Hash` feeds: among a billion different keys, the chance that any two are taken for one is below 1 in 10^20. A key that is remembered takes 50 to 100 bytes.
///
/// A key is forgotten if its delivery fails, panics, times out or is dropped: whoever delivers it again is not turned away.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::layer::Dedup;
/// use fanfare::{Outcome, Signal};
///
/// #[derive(Clone)]
/// struct Paid { payment: u64 }
///
/// let signal = Signal::<Paid>::new();
/// signal.listen().dedup(Dedup::by(|paid: &Paid| paid.payment).capacity(10_000)).on(async |_| {})?;
/// assert_eq!(signal.emit(Paid { payment: 7 }).await.delivered(), 1);
/// assert_eq!(signal.emit(Paid { payment: 7 }).await.count(Outcome::Skipped), 1);
/// assert_eq!(signal.emit(Paid { payment: 8 }).await.delivered(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a dedup does nothing until it is given to a listener, a signal or a bus"]
pub struct Dedup {
    fingerprint: Fingerprint,
    capacity: Option<usize>,
    ttl: Option<Duration>,
    in_flight: InFlight,
    keep_failed: bool,
    shared: Option<Arc<OnceLock<Arc<Store>>>>,
    counts: Arc<Counts>,
}

impl Dedup {
    /// By the key that this gives for an event. Events of another type than `E` pass, uncounted.
    pub fn by<E, K>(key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self
    where
        E: Any,
        K: Hash,
    {
        let halves = [RandomState::new(), RandomState::new()];
        let fingerprint = move |delivery: &Delivery| {
            let key = key(delivery.event::<E>()?);
            let [high, low] = halves.each_ref().map(|half| half.hash_one(&key));
            Some(u128::from(high) << 64 | u128::from(low))
        };
        Self {
            fingerprint: Arc::new(fingerprint),
            capacity: None,
            ttl: None,
            in_flight: InFlight::Skip,
            keep_failed: false,
            shared: None,
            counts: Arc::default(),
        }
    }

    /// Remembers at most so many keys; one more, and the oldest is forgotten and counted as [evicted](DedupHandle::evicted). Counted from the end of their deliveries; keys whose
    /// delivery still runs come on top. 1 to 100,000,000. Default: 100,000 if there is a [`ttl`](Self::ttl); without one, no default. See [`Dedup`](crate::layer::Dedup).
    pub fn capacity(mut self, keys: usize) -> Self {
        self.capacity = Some(keys);
        self
    }

    /// Remembers a key for so long from the end of its delivery. More than zero. Default: until the capacity is used up. See [`Dedup`](crate::layer::Dedup).
    pub fn ttl(mut self, given: Duration) -> Self {
        self.ttl = Some(given);
        self
    }

    /// What becomes of a duplicate whose first delivery still runs. Default: [`InFlight::Skip`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use std::time::Duration;
    /// use fanfare::Signal;
    /// use fanfare::layer::{Dedup, InFlight};
    ///
    /// let signal = Signal::<u32>::new();
    /// let dedup = Dedup::by(|id: &u32| *id).capacity(100).in_flight(InFlight::Wait);
    /// # let calls = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    /// signal.listen().dedup(dedup).on(async move |_| {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     # let is_first = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
    ///     if is_first { Err("the first call fails") } else { Ok(()) }
    /// })?;
    /// let (first, second) = tokio::join!(signal.emit(7), signal.emit(7));
    /// assert_eq!((first.failed(), second.delivered()), (1, 1));
    /// # Ok(()) }
    /// ```
    pub fn in_flight(mut self, in_flight: InFlight) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Remembers a key whose delivery failed or was dropped too: the event is tried once, and then lost. For listeners that must not do half a thing twice. A dead letter that is
    /// given back to its listener is a duplicate then, and stays where it is.
    /// Default: forgotten. See [`Dedup`](crate::layer::Dedup).
    pub fn keep_failed(mut self) -> Self {
        self.keep_failed = true;
        self
    }

    /// All that is layered from this and its clones remembers together, with the options of the first. For one listener that is registered at several signals: of several listeners of
    /// one signal, only one would be called. Default: each listener for itself. See [`Dedup`](crate::layer::Dedup).
    pub fn shared(mut self) -> Self {
        self.shared = Some(Arc::default());
        self
    }

    /// What all that is layered from this and its clones does, counted. See [`DedupHandle`](crate::layer::DedupHandle).
    pub fn handle(&self) -> DedupHandle {
        DedupHandle::new(Arc::clone(&self.counts))
    }

    /// Whether the options make sense.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        if self.ttl == Some(Duration::ZERO) {
            return Err(OptionError::new("ttl", "0ns", "it takes more than zero"));
        }
        match (self.capacity, self.ttl) {
            (Some(keys), _) => check_count(
                "capacity",
                keys,
                MOST_KEYS,
                "it takes 1 to 100,000,000 keys",
            ),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(OptionError::new(
                "dedup",
                "unbounded",
                "it takes a `capacity`, a `ttl` or both",
            )),
        }
    }

    fn keys(&self) -> usize {
        self.capacity.unwrap_or(DEFAULT_CAPACITY)
    }

    fn store(&self) -> Arc<Store> {
        Arc::new(Store::new(
            Seen::new(self.keys(), self.ttl),
            Arc::clone(&self.counts),
            self.in_flight,
            self.keep_failed,
        ))
    }
}

/// Its bounds, in words.
impl fmt::Display for Dedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys())?;
        self.ttl.map_or(Ok(()), |ttl| write!(f, " for {ttl:?}"))
    }
}

impl fmt::Debug for Dedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup")
            .field("capacity", &self.capacity)
            .field("ttl", &self.ttl)
            .field("in_flight", &self.in_flight)
            .field("keep_failed", &self.keep_failed)
            .field("shared", &self.shared.is_some())
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for Dedup {
    type Service = DedupService<S>;

    fn layer(&self, inner: S) -> DedupService<S> {
        let store = match &self.shared {
            Some(shared) => Arc::clone(shared.get_or_init(|| self.store())),
            None => self.store(),
        };
        DedupService::new(inner, Arc::clone(&self.fingerprint), store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(dedup: &Dedup) -> (&'static str, String) {
        let error = dedup.check().unwrap_err();
        (error.option(), error.value().to_owned())
    }

    #[test]
    fn a_dedup_without_a_bound_is_refused() {
        let dedup = Dedup::by(|id: &u32| *id);
        assert_eq!(refused(&dedup), ("dedup", "unbounded".into()));
        assert!(dedup.clone().capacity(1).check().is_ok());
        assert!(dedup.clone().ttl(Duration::from_secs(1)).check().is_ok());
        assert!(dedup.clone().keep_failed().shared().check().is_err());
        let bounded = dedup.clone().ttl(Duration::from_secs(1));
        assert_eq!(bounded.to_string(), "100000 keys for 1s");
        assert_eq!(bounded.capacity(5).to_string(), "5 keys for 1s");
        assert_eq!(
            refused(&dedup.clone().capacity(0)),
            ("capacity", "0".into())
        );
        assert!(dedup.clone().capacity(MOST_KEYS).check().is_ok());
        assert!(dedup.clone().capacity(MOST_KEYS + 1).check().is_err());
        assert_eq!(
            refused(&dedup.capacity(1).ttl(Duration::ZERO)),
            ("ttl", "0ns".into())
        );
    }
}
