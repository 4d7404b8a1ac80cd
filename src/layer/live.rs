//! The settings of a stack that works: where its calls read them, and how they are replaced.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Change, ChangeError, CircuitBreaker, Concurrency, Deadline, FailurePolicy, Lanes, Place,
    RateLimit, Retry, Timeout, check_times,
};
use crate::listener::{BreakerCounts, Keeper};
use crate::registry::Setting;
use crate::sync::swap::{ArcSwap, Guard, Shared};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// Settings that are read without a lock, and replaced as a whole.
pub(super) struct Cell<T>(ArcSwap<T>);

impl<T> Cell<T> {
    pub(super) fn new(settings: T) -> Self {
        Self(ArcSwap::new(Shared::new(settings)))
    }

    /// Those in effect. Not for keeping: user code may run while a clone of it is held, and not while it is.
    pub(super) fn read(&self) -> Guard<Shared<T>> {
        self.0.load()
    }

    /// Puts these in the place of those before, which may hold code of the user's: drop them when no lock is held.
    pub(super) fn replace(&self, settings: T) -> Shared<T> {
        self.0.swap(Shared::new(settings))
    }
}

/// A time that every call reads: one load, where a [`Cell`] would be dear.
pub(super) struct LiveTime(AtomicU64);

impl LiveTime {
    pub(super) fn new(given: Duration) -> Self {
        Self(AtomicU64::new(nanos(given)))
    }

    pub(super) fn get(&self) -> Duration {
        time(self.0.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for LiveTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// More than five centuries are for ever.
fn time(nanos: u64) -> Duration {
    match nanos {
        u64::MAX => Duration::MAX,
        nanos => Duration::from_nanos(nanos),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The settings of one layer of a listener, or of all that share it.
pub(super) trait Live<C>: Send + Sync {
    /// Those in effect.
    fn words(&self) -> String;

    /// Goes by these from now on. They have been checked.
    fn change(&self, new: C) -> Applied;

    /// In which states its breakers are, if it is those.
    fn breakers(&self) -> Option<BreakerCounts> {
        None
    }

    /// Tells the signal of this listener what is done to its breakers by hand, if it is those.
    fn told_by(&self, _: &Arc<dyn Keeper>) {}
}

/// What a change of one layer has done, and what it has left to do.
pub(super) struct Applied {
    pub(super) before: String,
    pub(super) after: String,
    /// Wakes, tells and drops: runs user code, so under no lock.
    pub(super) rest: Box<dyn FnOnce()>,
}

impl Live<Duration> for LiveTime {
    fn words(&self) -> String {
        format!("{:?}", self.get())
    }

    fn change(&self, new: Duration) -> Applied {
        let new = nanos(new);
        let before = self.0.swap(new, Ordering::Relaxed);
        Applied {
            before: format!("{:?}", time(before)),
            after: format!("{:?}", time(new)),
            rest: Box::new(|| {}),
        }
    }
}

/// What can be changed about the layers of one listener.
#[derive(Default)]
pub(super) struct Cells {
    pub(super) deadline: Option<Arc<LiveTime>>,
    pub(super) lanes: Option<Arc<Lanes>>,
    pub(super) retry: Option<Arc<dyn Live<Retry>>>,
    pub(super) rate_limit: Option<Arc<dyn Live<RateLimit>>>,
    pub(super) concurrency: Option<Arc<dyn Live<Concurrency>>>,
    pub(super) circuit_breaker: Option<Arc<dyn Live<CircuitBreaker>>>,
    pub(super) timeout: Option<Arc<LiveTime>>,
    /// Held by whoever changes them, so that a deadline is checked against the timeout that is there when it is set.
    changing: Mutex<()>,
}

/// One setting that was changed, for observers.
pub(crate) struct Told {
    pub(crate) setting: Setting,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Cells {
    /// What the layer of a place goes by now, if that is something that can be changed.
    pub(super) fn words(&self, place: Place) -> Option<String> {
        match place {
            Place::Deadline => words(self.deadline.as_deref()),
            Place::Keyed => words(self.lanes.as_deref()),
            Place::Retry => words(self.retry.as_deref()),
            Place::RateLimit => words(self.rate_limit.as_deref()),
            Place::Concurrency => words(self.concurrency.as_deref()),
            Place::CircuitBreaker => words(self.circuit_breaker.as_deref()),
            Place::Timeout => words(self.timeout.as_deref()),
            _ => None,
        }
    }

    /// In which states the breakers of the listener are, if it has some.
    pub(super) fn breakers(&self) -> Option<BreakerCounts> {
        self.circuit_breaker.as_ref()?.breakers()
    }

    /// Says whose calls these settings are for.
    pub(super) fn belong_to(&self, keeper: &Arc<dyn Keeper>) {
        if let Some(breakers) = &self.circuit_breaker {
            breakers.told_by(keeper);
        }
    }

    /// Makes the whole change, or none of it.
    pub(super) fn change(
        &self,
        change: Change,
        policy: &FailurePolicy,
    ) -> Result<Vec<Told>, ChangeError> {
        change.check()?;
        let made: Vec<_> = {
            let _changing = self.changing.lock();
            let steps = self.steps(&change, policy)?.into_iter();
            steps.map(|(setting, step)| (setting, step())).collect()
        };
        // With it goes code of the user's: no lock is held any more.
        drop(change);
        let told = made.into_iter().map(|(setting, applied)| {
            (applied.rest)();
            Told {
                setting,
                before: applied.before,
                after: applied.after,
            }
        });
        Ok(told.collect())
    }

    /// The change of each layer, yet to be made, if all of them can be. Code of the user's is cloned only: its last owner is the caller, who holds no lock.
    fn steps<'a>(
        &'a self,
        change: &Change,
        policy: &FailurePolicy,
    ) -> Result<Vec<(Setting, Step<'a>)>, ChangeError> {
        let deadline = change.deadline.map(Deadline::given);
        let timeout = change.timeout.map(Timeout::given);
        let stays = |cell: &Option<Arc<LiveTime>>| cell.as_ref().map(|cell| cell.get());
        let retry = change
            .retry
            .clone()
            .map(|retry| retry.own_rules_under(policy));
        let mut steps = Vec::new();
        steps.extend(step(Setting::Deadline, self.deadline.as_deref(), deadline)?);
        steps.extend(step(Setting::Lanes, self.lanes.as_deref(), change.lanes)?);
        steps.extend(step(Setting::Retry, self.retry.as_deref(), retry)?);
        let (cell, new) = (self.rate_limit.as_deref(), change.rate_limit.clone());
        steps.extend(step(Setting::RateLimit, cell, new)?);
        let (cell, new) = (self.concurrency.as_deref(), change.concurrency.clone());
        steps.extend(step(Setting::Concurrency, cell, new)?);
        let (cell, new) = (
            self.circuit_breaker.as_deref(),
            change.circuit_breaker.clone(),
        );
        steps.extend(step(Setting::CircuitBreaker, cell, new)?);
        steps.extend(step(Setting::Timeout, self.timeout.as_deref(), timeout)?);
        check_times(
            deadline.or_else(|| stays(&self.deadline)),
            timeout.or_else(|| stays(&self.timeout)),
        )?;
        Ok(steps)
    }
}

type Step<'a> = Box<dyn FnOnce() -> Applied + 'a>;

fn words<C>(cell: Option<&(impl Live<C> + ?Sized)>) -> Option<String> {
    cell.map(Live::words)
}

/// The change of one layer, if one is asked for.
fn step<'a, C: 'a>(
    setting: Setting,
    cell: Option<&'a (impl Live<C> + ?Sized)>,
    new: Option<C>,
) -> Result<Option<(Setting, Step<'a>)>, ChangeError> {
    let Some(new) = new else { return Ok(None) };
    let cell = cell.ok_or(ChangeError::NoSuchLayer { setting })?;
    Ok(Some((setting, Box::new(|| cell.change(new)))))
}
