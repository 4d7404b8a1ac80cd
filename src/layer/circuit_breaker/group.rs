//! What a config and its clones share: all breakers that were made from them.

use std::sync::{Arc, OnceLock, Weak};

use super::BreakerStatus;
use super::breaker::Breaker;
use super::breakers::Breakers;
use super::settings::{Scope, Settings};
use super::state::{Change, Command};
use crate::clock;
use crate::sync::Mutex;

/// What a config and its clones share.
#[derive(Default)]
pub(super) struct Home {
    group: Arc<Group>,
    shared: OnceLock<Arc<Breakers>>,
}

impl Home {
    /// Breakers of their own, or the shared ones.
    pub(super) fn join(&self, settings: &Settings) -> Arc<Breakers> {
        let make = || Group::make(&self.group, settings.clone());
        match settings.scope {
            Scope::Listener => make(),
            Scope::Config => Arc::clone(self.shared.get_or_init(make)),
        }
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        &self.group
    }
}

/// All breakers of a config and its clones, who keep it, as each breaker does. Locks are taken from here down: group, keys, one breaker.
#[derive(Default)]
pub(super) struct Group(Mutex<Members>);

#[derive(Default)]
struct Members {
    /// What new ones begin with.
    command: Command,
    made: Vec<Weak<Breakers>>,
}

impl Group {
    fn make(group: &Arc<Self>, settings: Settings) -> Arc<Breakers> {
        let mut members = group.0.lock();
        let breakers = Breakers::new(settings, members.command, Arc::clone(group));
        let breakers = Arc::new(breakers);
        members.add(&breakers);
        breakers
    }

    /// Tells all breakers, those to come too, and then everybody who wants to know.
    pub(super) fn command(&self, command: Command) {
        let (before, alive, changed) = self.change_all(command);
        for (breaker, change) in changed {
            breaker.tell(Some(change), None);
        }
        for breakers in alive {
            breakers.tell_of(before, command);
        }
    }

    /// Under one lock, so that of two commands one is the last everywhere.
    fn change_all(&self, command: Command) -> Changes {
        // Dropped after the lock: with the last of a listener's breakers go closures of the user's.
        let alive: Vec<_>;
        let mut changed = Vec::new();
        let mut members = self.0.lock();
        let before = std::mem::replace(&mut members.command, command);
        alive = members.alive().collect();
        for breakers in &alive {
            breakers.command(command, &mut changed);
        }
        (before, alive, changed)
    }

    pub(super) fn status(&self) -> Vec<BreakerStatus> {
        let alive: Vec<_> = self.0.lock().alive().collect();
        let now = clock::now();
        let mut list = Vec::new();
        for breakers in alive {
            breakers.status(now, &mut list);
        }
        list
    }
}

/// What was said before a command, whom it was given to, and what it has changed.
type Changes = (Command, Vec<Arc<Breakers>>, Vec<(Arc<Breaker>, Change)>);

impl Members {
    fn add(&mut self, breakers: &Arc<Breakers>) {
        if self.made.len() == self.made.capacity() {
            self.made.retain(|made| made.strong_count() > 0);
        }
        self.made.push(Arc::downgrade(breakers));
    }

    fn alive(&self) -> impl Iterator<Item = Arc<Breakers>> + '_ {
        self.made.iter().filter_map(Weak::upgrade)
    }
}
