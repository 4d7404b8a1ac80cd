//! What is to be changed about the layers of a listener.

use std::fmt;

use super::{CircuitBreaker, Concurrency, Deadline, RateLimit, Retry, Timeout};
use crate::error::OptionError;
use crate::keyed::check_lanes;
use crate::registry::Setting;

/// New settings for the layers of a listener that works: [`Subscription::change`](crate::Subscription::change) makes the change. What is not named stays.
///
/// A layer's numbers become those of the new one, its defaults included. What is no number (a budget, a seed, the rules of a retry, the closures of a breaker) stays unless the new one has
/// its own. Whose calls are counted together stays in any case: one that has `per_key` or is `shared` is refused.
///
/// # When it takes effect
///
/// | setting | takes effect | survives |
/// |---|---|---|
/// | [`deadline`](Self::deadline), [`timeout`](Self::timeout) | for calls, and attempts, that begin after the change | the time of those that run |
/// | [`lanes`](Self::lanes) | raised: at once; lowered: as attempts end | attempts that run, and the order of keys |
/// | [`retry`](Self::retry) | at the next failed attempt, of calls that run too | attempts made, waits that have begun, budget, dice |
/// | [`rate_limit`](Self::rate_limit) | at once, for calls that wait too | tokens, turns in their order, of each key |
/// | [`concurrency`](Self::concurrency) | raised: at once; lowered: as calls end | calls that run and wait, of each key |
/// | [`circuit_breaker`](Self::circuit_breaker) | at once | state, window and counts, of each key |
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use fanfare::Signal;
/// use fanfare::layer::{Change, Retry};
///
/// let signal = Signal::<u32>::new();
/// let sub = signal.listen().retry(Retry::exponential()).timeout(Duration::from_secs(1)).on(async |_| {})?;
/// sub.change(Change::new().timeout(Duration::from_secs(2)).retry(Retry::exponential().max_attempts(5)))?;
/// let layers = sub.metadata().layers().join(" > ");
/// assert_eq!(layers, "retry (5 attempts, after 100ms x 2 to 30s) > timeout (2s) > panic > listener");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a change does nothing until it is given to a listener"]
pub struct Change {
    pub(super) deadline: Option<Deadline>,
    pub(super) lanes: Option<usize>,
    pub(super) retry: Option<Retry>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) concurrency: Option<Concurrency>,
    pub(super) circuit_breaker: Option<CircuitBreaker>,
    pub(super) timeout: Option<Timeout>,
}

impl Change {
    /// Changes nothing. See [`Change`](crate::layer::Change).
    pub fn new() -> Self {
        Self::default()
    }

    /// Another deadline, for calls that begin after the change. Default: it stays. Above zero, and above the timeout that will be there. See [`Deadline`].
    pub fn deadline(mut self, deadline: impl Into<Deadline>) -> Self {
        self.deadline = Some(deadline.into());
        self
    }

    /// Another number of lanes, for a listener with an order of keys. Default: it stays. 1 to 65,536. See [`keyed_by`](crate::ListenBuilder::keyed_by).
    ///
    /// More are used at once, fewer as attempts end. Each key keeps its line, so no event changes its place.
    pub fn lanes(mut self, keys: usize) -> Self {
        self.lanes = Some(keys);
        self
    }

    /// Another retry. Default: it stays. See [`Retry`].
    ///
    /// A call that runs goes by it from its next failed attempt on, and counts the attempts that it has made: if it has made as many as there may be now, it is given up. A wait that has
    /// begun is waited to its end. The delays go on where they were: the third is the third of the new ones. A [`max_elapsed`](Retry::max_elapsed) where there was none counts from the first
    /// failure of a call that began before.
    ///
    /// Budget, seed and rules stay unless the new one has its own. A budget that has counted nothing yet takes over the counts of the one that it takes the place of; the dice start anew
    /// only by a seed that is another.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Another rate limit. Default: it stays. Neither `per_key` nor `shared`. See [`RateLimit`].
    ///
    /// The tokens that are there stay, as many as the new burst takes; so none are given by a change, and none are owed but by calls that wait. Those keep their order and have their turns by
    /// the new rate, also beyond the time of a new `wait_up_to`. A bucket that is full stays full.
    ///
    /// Costs a look at each key.
    pub fn rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.rate_limit = Some(rate_limit);
        self
    }

    /// Another concurrency limit. Default: it stays. Neither `per_key` nor `shared`. See [`Concurrency`].
    ///
    /// A higher one wakes as many as have a place now. A lower one ends no call: places go as calls end, and never more run than the higher of both. A call that waits keeps the time for
    /// which it does.
    ///
    /// Costs a look at each key.
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// Another circuit breaker. Default: it stays. Neither `per_key` nor `shared`. See [`CircuitBreaker`].
    ///
    /// The state stays, and so does the window, of which a smaller one keeps the newest calls. From calls to time, all of them count as ended now; from time to calls, those of a bucket as
    /// evenly mixed; to other buckets, each call as ended when its bucket did. A closed breaker decides by the new rates at the next call that ends. The time of an open one is counted by the
    /// new setting, from when it opened. A round of probes is decided at once, if the new numbers decide it.
    ///
    /// `failure_if` and `on_change` stay unless the new one has its own. The handle is that of the config of the registration; that of the new one sees nothing.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.circuit_breaker = Some(breaker);
        self
    }

    /// Another timeout, for attempts that begin after the change. Default: it stays. Above zero, and below the deadline that will be there. See [`Timeout`].
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.timeout = Some(timeout.into());
        self
    }

    /// What is to be changed first, if anything is.
    pub(crate) fn first(&self) -> Option<Setting> {
        let asked = [
            (Setting::Deadline, self.deadline.is_some()),
            (Setting::Lanes, self.lanes.is_some()),
            (Setting::Retry, self.retry.is_some()),
            (Setting::RateLimit, self.rate_limit.is_some()),
            (Setting::Concurrency, self.concurrency.is_some()),
            (Setting::CircuitBreaker, self.circuit_breaker.is_some()),
            (Setting::Timeout, self.timeout.is_some()),
        ];
        let first = asked.into_iter().find(|(_, asked)| *asked);
        first.map(|(setting, _)| setting)
    }

    /// What makes no sense, by itself.
    pub(super) fn check(&self) -> Result<(), OptionError> {
        let (rate, concurrency) = (&self.rate_limit, &self.concurrency);
        rate.as_ref().map_or(Ok(()), RateLimit::check_change)?;
        let concurrency = concurrency.as_ref();
        concurrency.map_or(Ok(()), Concurrency::check_change)?;
        let breaker = self.circuit_breaker.as_ref();
        breaker.map_or(Ok(()), CircuitBreaker::check_change)?;
        self.lanes.map_or(Ok(()), check_lanes)?;
        self.retry.as_ref().map_or(Ok(()), Retry::check)
    }
}

/// Whose calls a layer counts together cannot be changed: the state of those that were counted would be nobody's.
pub(super) fn check_scope(per_key: bool, shared: bool) -> Result<(), OptionError> {
    let stays = "a change keeps it as the listener was registered: leave it out";
    match (per_key, shared) {
        (true, _) => Err(OptionError::new("per_key", "another closure", stays)),
        (_, true) => Err(OptionError::new("shared", "given", stays)),
        _ => Ok(()),
    }
}

/// Why nothing was changed. Trying again with the same arguments cannot help, but for [`NoSuchKey`](Self::NoSuchKey) once there is such a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The signal has no listener of this key.
    NoSuchKey {
        /// The key.
        key: String,
        /// The name of the signal.
        signal: String,
    },
    /// The listener has no such layer, and a layer cannot be added while it works.
    NoSuchLayer {
        /// What was to be changed.
        setting: Setting,
    },
    /// The signal or bus has no pool.
    NoPool {
        /// Its name.
        name: String,
    },
    /// A setting makes no sense, by itself or beside one that stays.
    Option(OptionError),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchKey { key, signal } => write!(
                f,
                "signal `{signal}` has no listener with the key `{key}`: `keys()` lists those that there are"
            ),
            Self::NoSuchLayer { setting } => {
                let option = match setting {
                    Setting::Lanes => "keyed_by".to_owned(),
                    setting => setting.to_string().replace(' ', "_"),
                };
                write!(
                    f,
                    "the listener has no {setting} to change, and none can be added while it works: register it with `{option}(..)`, or another in its place with `replace()`"
                )
            }
            Self::NoPool { name } => write!(
                f,
                "`{name}` has no pool to resize, and none can be added while it works: build it with `pool(..)`"
            ),
            Self::Option(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

impl From<OptionError> for ChangeError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}
