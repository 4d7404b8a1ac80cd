//! The config, which is the layer.

use std::any::Any;
use std::fmt::{self, Display};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::group::Home;
use super::key::key_of;
use super::rules::Span;
use super::settings::{Scope, Settings};
use super::{BreakerChange, BreakerHandle, CircuitBreakerService};
use crate::error::{BoxError, OptionError};
use crate::layer::change::check_scope;

/// Rejects calls for a while once too many of them have failed, then lets some through as probes.
///
/// A call that fails, panics or times out is a failure. One that is rejected further in, cancelled, dropped, deferred or skipped counts as nothing. Its place is inside the
/// retry and the limits, around the [`Timeout`](crate::layer::Timeout) of one attempt.
///
/// Each listener has a breaker of its own: each call of `layer` makes one. [`shared`](Self::shared) makes one for all, [`per_key`](Self::per_key) one for each key.
/// A config and its clones go together: [`handle`](Self::handle) sees all their breakers. To set an option makes another config, so options come first.
/// An option that makes no sense is refused where the listener is registered, or the signal or bus built; in a stack by hand every call fails with the [`OptionError`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::layer::CircuitBreaker;
/// use fanfare::{Outcome, Signal};
///
/// let breaker = CircuitBreaker::new().min_calls(2).open_for(Duration::from_secs(10)).probes(1);
/// let signal = Signal::<bool>::new();
/// signal.listen().circuit_breaker(breaker).on(async |works| if works { Ok(()) } else { Err("down") })?;
///
/// signal.emit(false).await;
/// signal.emit(false).await; // two of two have failed: it opens
/// assert_eq!(signal.emit(true).await.count(Outcome::Rejected), 1);
/// tokio::time::advance(Duration::from_secs(10)).await;
/// assert_eq!(signal.emit(true).await.delivered(), 1); // the probe, which closes it
/// assert_eq!(signal.emit(true).await.delivered(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct CircuitBreaker {
    settings: Settings,
    home: Arc<Home>,
}

impl CircuitBreaker {
    /// A breaker that opens for 30 seconds when half of the last 100 calls failed, and there were at least 10. See [`CircuitBreaker`](crate::layer::CircuitBreaker).
    pub fn new() -> Self {
        Self::default()
    }

    /// Rates are of the last so many calls. Default: 100. Takes 1 to 65,536. Costs a byte a call.
    ///
    /// In the place of [`window_time`](Self::window_time).
    #[must_use]
    pub fn window_calls(self, calls: usize) -> Self {
        self.with(|settings| settings.rules.span = Span::Calls(calls))
    }

    /// Rates are of the calls that ended in the last so long. Default: none, calls are counted. Takes a time above zero, at most 30 days, and 1 to 1,000 buckets of 1 ms or more.
    ///
    /// The time goes by in so many steps: a call is forgotten when its bucket is, between `length` less one bucket and `length` after its end. Costs 32 bytes a bucket.
    /// In the place of [`window_calls`](Self::window_calls).
    #[must_use]
    pub fn window_time(self, length: Duration, buckets: u32) -> Self {
        self.with(|settings| settings.rules.span = Span::Time { length, buckets })
    }

    /// How many calls the window must hold before a rate counts. Default: 10, or all that [`window_calls`](Self::window_calls) holds if that is fewer. Takes 1 to that.
    #[must_use]
    pub fn min_calls(self, calls: usize) -> Self {
        self.with(|settings| settings.rules.min_calls = Some(calls))
    }

    /// The share of failed calls that opens it. Default: 0.5. Takes above 0.0 to 1.0.
    #[must_use]
    pub fn failure_rate(self, share: f64) -> Self {
        self.with(|settings| settings.rules.failure_rate = share)
    }

    /// The share of slow calls that opens it, and how long a call takes that is slow. Default: none, however long a call takes. Takes above 0.0 to 1.0, and a time above zero, at
    /// most 30 days.
    ///
    /// A slow probe is a failed one. A call counts when it ends: one that hangs is for a [`Timeout`](crate::layer::Timeout) to end.
    #[must_use]
    pub fn slow_call_rate(self, share: f64, slow: Duration) -> Self {
        self.with(|settings| settings.rules.slow = Some((share, slow)))
    }

    /// How long it rejects calls before it lets probes through. Default: 30 s. Takes a time above zero, at most 30 days.
    #[must_use]
    pub fn open_for(self, open: Duration) -> Self {
        self.with(|settings| settings.rules.open_for = open)
    }

    /// By which factor each round of failed probes makes the next [`open_for`](Self::open_for) longer, and up to what. Default: none, it stays the same. Takes a factor of 1.0 to
    /// 100.0, and a time of at least `open_for`, at most 30 days. Closed once, it begins again with `open_for`.
    #[must_use]
    pub fn open_growth(self, factor: f64, longest: Duration) -> Self {
        self.with(|settings| settings.rules.growth = Some((factor, longest)))
    }

    /// How many calls a half-open breaker lets through in a round; there are never more probes at once. Default: 3. Takes 1 to 65,536.
    ///
    /// A probe that counts as nothing gives its place to another.
    #[must_use]
    pub fn probes(self, probes: usize) -> Self {
        self.with(|settings| settings.rules.probes = probes)
    }

    /// How many of the [`probes`](Self::probes) must succeed to close it; it opens again as soon as so many cannot. Default: more than half. Takes 1 to as many as there are.
    #[must_use]
    pub fn probe_successes(self, successes: usize) -> Self {
        self.with(|settings| settings.rules.probe_successes = Some(successes))
    }

    /// How long after the last probe began a round is given up that still waits for one: it has failed. Default: 5 minutes. Takes a time above zero, at most 30 days.
    ///
    /// It does not end the probe, which counts as nothing from then on. Make it longer than your longest call: it is there for a call that never ends.
    #[must_use]
    pub fn probe_timeout(self, longest: Duration) -> Self {
        self.with(|settings| settings.rules.probe_timeout = longest)
    }

    /// Which errors are failures. Default: all that are not rejections, cancellations, deferrals or skips, of which it is never asked.
    ///
    /// An error that is none counts as a success: what answers "not found" is there. A timeout and a panic that an inner layer has made an error are a
    /// [`CallError`](crate::CallError). One that unwinds to here is a failure without asking.
    #[must_use]
    pub fn failure_if(
        self,
        failure_if: impl Fn(&BoxError) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.failure_if = Some(Arc::new(failure_if)))
    }

    /// Tells of each change of state, after it. Default: none, beside the `tracing` event at level info. Takes any number of callbacks.
    ///
    /// Called by the call that makes the change, under no lock: it may use the [`handle`](Self::handle). Of two changes that two threads make in a row, the second can be told
    /// first. A panic is caught and logged.
    #[must_use]
    pub fn on_change(self, callback: impl Fn(&BreakerChange) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.on_change.push(Arc::new(callback)))
    }

    /// One breaker for all listeners of this config and its clones. Default: one for each listener.
    #[must_use]
    pub fn shared(self) -> Self {
        self.with(|settings| settings.scope = Scope::Config)
    }

    /// One breaker for each key of the event. Default: none, one for all events. The events of another type than `E` have one together.
    ///
    /// The key's text is for people: listings, logs, callbacks. It is written once, when the key is new.
    ///
    /// ```
    /// use fanfare::layer::CircuitBreaker;
    ///
    /// #[derive(Clone)]
    /// struct Webhook { host: String, body: String }
    ///
    /// let breaker = CircuitBreaker::new().per_key(|hook: &Webhook| hook.host.clone()).max_keys(1_000);
    /// ```
    #[must_use]
    pub fn per_key<E: Any, K: Hash + Display + 'static>(
        self,
        key: impl Fn(&E) -> K + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.key_of = Some(Arc::new(key_of(key))))
    }

    /// How many keys each listener's breakers know, or the shared ones. Default: 10,000. Takes 1 to 1,000,000.
    ///
    /// Beyond, some that have no call under way are forgotten with their counts: closed ones first, then those that are due for a probe, the longest unused first. One that is open
    /// and not due is never forgotten; if all are so, a new key is [`Rejection::TooManyKeys`](crate::Rejection::TooManyKeys).
    #[must_use]
    pub fn max_keys(self, keys: usize) -> Self {
        self.with(|settings| settings.max_keys = keys)
    }

    /// The hand on all breakers of this config and its clones. See [`BreakerHandle`](crate::layer::BreakerHandle).
    pub fn handle(&self) -> BreakerHandle {
        BreakerHandle::new(self.home.group())
    }

    /// Whether the options make sense.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        self.settings.check()
    }

    /// As [`check`](Self::check), for a change of one that works.
    pub(in crate::layer) fn check_change(&self) -> Result<(), OptionError> {
        let shared = self.settings.scope == Scope::Config;
        check_scope(self.settings.key_of.is_some(), shared)?;
        self.check()
    }

    /// Its settings in the place of those. Whose calls are counted stays, and so do closures where there are no others.
    pub(super) fn settings_in_place_of(&self, old: &Settings) -> Settings {
        let mut new = self.settings.clone();
        new.scope = old.scope;
        new.key_of.clone_from(&old.key_of);
        if new.failure_if.is_none() {
            new.failure_if.clone_from(&old.failure_if);
        }
        if new.on_change.is_empty() {
            new.on_change.clone_from(&old.on_change);
        }
        new
    }

    /// Another config: breakers of before have nothing to do with it.
    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.home = Arc::default();
        self
    }
}

impl<S> Layer<S> for CircuitBreaker {
    type Service = CircuitBreakerService<S>;

    /// In a stack of your own, where nobody has checked the options, one that makes no sense fails every call with its [`OptionError`].
    fn layer(&self, inner: S) -> CircuitBreakerService<S> {
        let breakers = self.check().map(|()| self.home.join(&self.settings));
        CircuitBreakerService::new(inner, breakers)
    }
}

impl Display for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
