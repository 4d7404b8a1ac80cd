//! What was changed about a listener or a signal while it works.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::SystemTime;

use crate::actor::actor;
use crate::key::{Identity, Key};

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// Whether the listener is called: enabled, disabled, paused.
    Calls,
    /// The fraction of a rollout.
    Rollout,
    /// How many keys run at once.
    Lanes,
    /// The size of the pool.
    Pool,
    /// The deadline of all attempts.
    Deadline,
    /// The retry.
    Retry,
    /// The rate limit.
    RateLimit,
    /// The concurrency limit.
    Concurrency,
    /// The circuit breaker: its settings, and that it is [forced](crate::layer::BreakerHandle::force_open) or reset by hand. What it decides by itself is told to its own
    /// [`on_change`](crate::layer::CircuitBreaker::on_change).
    CircuitBreaker,
    /// The timeout of an attempt.
    Timeout,
    /// How much is measured.
    Metrics,
    /// Whether events are taken: of a signal, or of a bus with all its signals. Told when a shutdown begins, and when it has ended.
    Shutdown,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calls => "calls",
            Self::Rollout => "rollout",
            Self::Lanes => "lanes",
            Self::Pool => "pool",
            Self::Deadline => "deadline",
            Self::Retry => "retry",
            Self::RateLimit => "rate limit",
            Self::Concurrency => "concurrency",
            Self::CircuitBreaker => "circuit breaker",
            Self::Timeout => "timeout",
            Self::Metrics => "metrics",
            Self::Shutdown => "shutdown",
        })
    }
}

/// One change of a listener or a signal at run time: what, from what, to what, and when. [`on_change`](crate::SignalBuilder::on_change) sees each. It is an event like any other: it can be
/// emitted, to keep an audit log.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::sync::{Arc, Mutex};
/// use fanfare::{Setting, Signal};
///
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&log);
/// let signal = Signal::<u32>::builder().name("orders").on_change(move |change| sink.lock().unwrap().push(change.clone())).build();
/// let sub = signal.listen().key("audit").on(async |_| {})?;
/// sub.disable();
/// let log = log.lock().unwrap();
/// assert_eq!((log[0].setting(), log[0].key()), (Setting::Calls, Some("audit")));
/// assert_eq!(log[0].to_string(), "`audit` of `orders`: calls: enabled -> disabled");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Changed {
    signal: Arc<str>,
    listener: Option<Arc<Identity>>,
    setting: Setting,
    before: String,
    after: String,
    at: SystemTime,
    actor: Option<Arc<str>>,
}

impl Changed {
    /// A change of a listener, or of its signal as a whole.
    pub(super) fn new(
        signal: &Arc<str>,
        listener: Option<Arc<Identity>>,
        setting: Setting,
        before: String,
        after: String,
    ) -> Self {
        Self {
            signal: Arc::clone(signal),
            listener,
            setting,
            before,
            after,
            at: SystemTime::now(),
            actor: actor(),
        }
    }

    /// The name of the signal. See [`Changed`](crate::Changed).
    pub fn signal(&self) -> &str {
        &self.signal
    }

    /// The listener's key, if it is a change of one listener and that has a key. See [`Changed`](crate::Changed).
    pub fn key(&self) -> Option<&str> {
        self.listener.as_ref()?.key.as_ref().map(Key::as_str)
    }

    /// The listener's number, if it is a change of one listener; the same as `Subscription::id` gives. See [`Changed`](crate::Changed).
    pub fn listener_id(&self) -> Option<u64> {
        Some(self.listener.as_ref()?.id)
    }

    /// Where the listener was registered, if it is a change of one listener. See [`Changed`](crate::Changed).
    pub fn location(&self) -> Option<&'static Location<'static>> {
        Some(self.listener.as_ref()?.location)
    }

    /// On whose behalf it was changed, if somebody said so. See [`acting_as`](crate::acting_as).
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// What was changed. See [`Changed`](crate::Changed).
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// What it was before, in words. See [`Changed`](crate::Changed).
    pub fn before(&self) -> &str {
        &self.before
    }

    /// What it is now, in words. See [`Changed`](crate::Changed).
    pub fn after(&self) -> &str {
        &self.after
    }

    /// When it was changed. See [`Changed`](crate::Changed).
    pub fn at(&self) -> SystemTime {
        self.at
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            signal,
            setting,
            before,
            after,
            ..
        } = self;
        match &self.listener {
            Some(listener) => write!(f, "{listener} of `{signal}`: ")?,
            None => write!(f, "`{signal}`: ")?,
        }
        write!(f, "{setting}: {before} -> {after}")
    }
}
