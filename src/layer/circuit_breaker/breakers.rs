//! The breakers of one listener, or of all that share them.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::breaker::Breaker;
use super::group::Group;
use super::key::{Fingerprint, KeyOf};
use super::settings::Settings;
use super::state::{Change, Command};
use super::{BreakerState, BreakerStatus, CircuitBreaker};
use crate::clock::{self, Instant};
use crate::event::Delivery;
use crate::layer::live::{Applied, Cell, Live};
use crate::listener::{BreakerCounts, Keeper};
use crate::outcome::{CallError, Rejection};
use crate::sync::{Mutex, swap};

/// The breakers of one listener, or of all that share them: one for each key, and one for what has none.
pub(super) struct Breakers {
    settings: Arc<Cell<Settings>>,
    /// How the key of a call is found, which does not change.
    key_of: Option<Arc<KeyOf>>,
    keyless: Arc<Breaker>,
    keyed: Mutex<Keyed>,
    /// The listeners that they are of. Weak: their signals may have a handle of the breakers.
    keepers: Mutex<Vec<Weak<dyn Keeper>>>,
    /// Kept for the handles, which keep nothing.
    _group: Arc<Group>,
}

struct Keyed {
    /// What new ones begin with.
    command: Command,
    known: HashMap<Fingerprint, Arc<Breaker>>,
}

impl Breakers {
    pub(super) fn new(settings: Settings, command: Command, group: Arc<Group>) -> Self {
        let key_of = settings.key_of.clone();
        let settings = Arc::new(Cell::new(settings));
        Self {
            key_of,
            keyless: Arc::new(Breaker::new(&settings, None, command)),
            keyed: Mutex::new(Keyed {
                command,
                known: HashMap::new(),
            }),
            settings,
            keepers: Mutex::default(),
            _group: group,
        }
    }

    /// The breaker that decides about this delivery. Runs user code: the closure that finds the key.
    pub(super) fn find(&self, delivery: &Delivery) -> Result<Arc<Breaker>, CallError> {
        let mut breaker = Ok(Arc::clone(&self.keyless));
        if let Some(key_of) = &self.key_of {
            key_of(delivery, &mut |fingerprint, key| {
                let known = self.keyed.lock().known.get(&fingerprint).cloned();
                breaker = match known {
                    Some(known) => Ok(known),
                    // Its text is written before the lock is taken, for that is user code too.
                    None => self.learn(fingerprint, key.to_string().into()),
                };
            });
        }
        breaker
    }

    fn learn(&self, fingerprint: Fingerprint, key: Arc<str>) -> Result<Arc<Breaker>, CallError> {
        let now = clock::now();
        let mut keyed = self.keyed.lock();
        let limit = self.settings.read().max_keys;
        let Keyed { command, known } = &mut *keyed;
        if !known.contains_key(&fingerprint) && known.len() >= limit {
            forget(known, limit, now);
            if known.len() >= limit {
                return Err(CallError::rejected(Rejection::TooManyKeys { limit }));
            }
        }
        let made = known
            .entry(fingerprint)
            .or_insert_with(|| Arc::new(Breaker::new(&self.settings, Some(key), *command)));
        Ok(Arc::clone(made))
    }

    /// Does as told, from now on for new keys too. Nobody has been told of the changes yet.
    pub(super) fn command(&self, command: Command, changed: &mut Vec<(Arc<Breaker>, Change)>) {
        let mut keyed = self.keyed.lock();
        keyed.command = command;
        for breaker in keyed.known.values().chain([&self.keyless]) {
            if let Some(change) = breaker.command(command) {
                changed.push((Arc::clone(breaker), change));
            }
        }
    }

    /// Tells the signals of their listeners what was done to them by hand. Runs user code.
    pub(super) fn tell_of(&self, before: Command, command: Command) {
        let keepers = self.keepers.lock().clone();
        for keeper in keepers.iter().filter_map(Weak::upgrade) {
            keeper.breaker_told(before.in_effect(), command.given());
        }
    }

    /// What all of them are like. The one for what has no key is left out where each has had one.
    pub(super) fn status(&self, now: Instant, list: &mut Vec<BreakerStatus>) {
        if self.key_of.is_none() || self.keyless.is_used() {
            list.push(self.keyless.status(now));
        }
        let known: Vec<_> = self.keyed.lock().known.values().cloned().collect();
        list.extend(known.iter().map(|breaker| breaker.status(now)));
    }
}

impl Live<CircuitBreaker> for Breakers {
    fn told_by(&self, keeper: &Arc<dyn Keeper>) {
        let mut keepers = self.keepers.lock();
        if keepers.len() == keepers.capacity() {
            keepers.retain(|keeper| keeper.strong_count() > 0);
        }
        keepers.push(Arc::downgrade(keeper));
    }

    fn breakers(&self) -> Option<BreakerCounts> {
        let mut list = Vec::new();
        self.status(clock::now(), &mut list);
        let mut counts = BreakerCounts::default();
        for breaker in &list {
            // The next call is a probe.
            let is_over = breaker.retry_after().is_some_and(|left| left.is_zero());
            *match breaker.state() {
                BreakerState::Open if is_over => &mut counts.half_open,
                BreakerState::Closed | BreakerState::ForcedClosed => &mut counts.closed,
                BreakerState::Open | BreakerState::ForcedOpen => &mut counts.open,
                BreakerState::HalfOpen => &mut counts.half_open,
            } += 1;
        }
        Some(counts)
    }

    fn words(&self) -> String {
        self.settings.read().to_string()
    }

    fn change(&self, new: CircuitBreaker) -> Applied {
        let (now, mut changed) = (clock::now(), Vec::new());
        let keyed = self.keyed.lock();
        let old = swap::Shared::clone(&self.settings.read());
        let settings = new.settings_in_place_of(&old);
        let (rules, before, after) = (settings.rules, old.to_string(), settings.to_string());
        let replaced = self.settings.replace(settings);
        for breaker in keyed.known.values().chain([&self.keyless]) {
            if let Some(change) = breaker.change(rules, now) {
                changed.push((Arc::clone(breaker), change));
            }
        }
        drop(keyed);
        let rest = move || {
            for (breaker, change) in changed {
                breaker.tell(Some(change), None);
            }
            drop((old, replaced, new));
        };
        Applied {
            before,
            after,
            rest: Box::new(rest),
        }
    }
}

/// Makes room for a sixteenth of the limit: those that nobody uses, the closed before those that were open, the longest unused first.
fn forget(known: &mut HashMap<Fingerprint, Arc<Breaker>>, limit: usize, now: Instant) {
    let mut unused: Vec<_> = known
        .iter()
        .filter(|(_, breaker)| Arc::strong_count(breaker) == 1)
        .filter_map(|(fingerprint, breaker)| Some((breaker.rank(now)?, *fingerprint)))
        .collect();
    unused.sort_unstable();
    for (_, fingerprint) in unused.into_iter().take(limit.div_ceil(16)) {
        known.remove(&fingerprint);
    }
}
