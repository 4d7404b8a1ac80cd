//! What is told about the size of a pool.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::stats::PoolStats;

/// One decision about the size of a pool: from what, to what, why, and when.
///
/// [`PoolBuilder::on_scaled`](crate::PoolBuilder::on_scaled) sees each. A bus that was built with the pool emits each, so that a listener can be registered for it; nothing is made while nobody
/// listens. A decision that was held back is told as well, with the same size before and after: each reason once, until the pool has grown or was resized by hand.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::OptionError> {
/// use std::sync::{Arc, Mutex};
/// use fanfare::{Bus, Pool, Scaled, Scaling};
///
/// let pool = Pool::builder(8).name("orders").scaling(Scaling::conservative().min(4).max(64)).build();
/// let bus = Bus::builder().pool(pool.clone()).build();
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let sink = log.clone();
/// bus.on_sync(move |scaled: &Scaled| sink.lock().unwrap().push(scaled.to_string()));
/// pool.resize(16)?;
/// bus.shutdown(std::time::Duration::from_secs(1)).await;
/// assert_eq!(*log.lock().unwrap(), ["pool `orders`: 8 -> 16 permits: resized by hand"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Scaled {
    pub(super) pool: Option<Arc<str>>,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) reason: ScaleReason,
    pub(super) held_back: Option<HeldBack>,
    pub(super) stats: Option<PoolStats>,
    pub(super) at: SystemTime,
    /// The observers of the signal or bus that made the change and tells them itself, by their addresses.
    pub(crate) told: Option<Arc<[usize]>>,
}

impl Scaled {
    /// The pool's name, if it has one. See [`PoolBuilder::name`](crate::PoolBuilder::name).
    pub fn pool(&self) -> Option<&str> {
        self.pool.as_deref()
    }

    /// The size before. See [`Scaled`](crate::Scaled).
    pub fn from(&self) -> usize {
        self.from
    }

    /// The size after. See [`Scaled`](crate::Scaled).
    pub fn to(&self) -> usize {
        self.to
    }

    /// Why the size was changed, or should have been. See [`Scaled`](crate::Scaled).
    pub fn reason(&self) -> ScaleReason {
        self.reason
    }

    /// Why the size was left as it is, if the decision was held back. See [`Scaled`](crate::Scaled).
    pub fn held_back(&self) -> Option<HeldBack> {
        self.held_back
    }

    /// What the policy went by. None where somebody else than a policy has decided. See [`Scaled`](crate::Scaled).
    pub fn stats(&self) -> Option<&PoolStats> {
        self.stats.as_ref()
    }

    /// When it was decided. See [`Scaled`](crate::Scaled).
    pub fn at(&self) -> SystemTime {
        self.at
    }
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from, to, reason, ..
        } = self;
        match &self.pool {
            Some(name) => write!(f, "pool `{name}`: ")?,
            None => f.write_str("pool: ")?,
        }
        match self.held_back {
            None => write!(f, "{from} -> {to} permits: {reason}"),
            Some(why) => write!(f, "stays at {from} permits, {why}: {reason}"),
        }
    }
}

/// Why the size of a pool was changed. See [`Scaled`](crate::Scaled).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScaleReason {
    /// The mean wait for a permit was above the target, with most permits in use.
    Wait,
    /// Emissions were rejected as the pool was full.
    Rejections,
    /// Few of the permits were in use, for several ticks.
    Idle,
    /// A policy of one's own, in its words.
    Policy(&'static str),
    /// [`Pool::resize`](crate::Pool::resize), or what calls it.
    Manual,
    /// A [`Balance`](crate::Balance) has moved permits from one pool to another.
    Balance,
}

impl fmt::Display for ScaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wait => "the wait was above the target",
            Self::Rejections => "emissions were rejected",
            Self::Idle => "few permits were in use",
            Self::Policy(why) => why,
            Self::Manual => "resized by hand",
            Self::Balance => "balanced by time to clear",
        })
    }
}

/// Why a decision was not carried out. See [`Scaled`](crate::Scaled).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeldBack {
    /// The pool has as many permits as it may have.
    AtMax,
    /// The pool has as few permits as it may have.
    AtMin,
    /// The size was changed a short while ago.
    CoolDown,
    /// The runtime's workers are saturated: more listeners at once would make none faster.
    RuntimeBusy,
    /// The policy panicked.
    PolicyPanicked,
}

impl HeldBack {
    pub(super) const ALL: [Self; 5] = [
        Self::AtMax,
        Self::AtMin,
        Self::CoolDown,
        Self::RuntimeBusy,
        Self::PolicyPanicked,
    ];

    pub(super) fn place(self) -> usize {
        self as usize
    }
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtMax => "the most it may have",
            Self::AtMin => "the fewest it may have",
            Self::CoolDown => "cooling down",
            Self::RuntimeBusy => "the runtime is saturated",
            Self::PolicyPanicked => "the policy panicked",
        })
    }
}
