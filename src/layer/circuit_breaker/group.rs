//! What a config and its clones share: all breakers that were made from them.

use std::sync::{Arc, Weak};

use super::BreakerStatus;
use super::breaker::Breaker;
use super::breakers::Breakers;
use super::settings::{Scope, Settings};
use super::state::{Change, Command};
use crate::clock;
use crate::sync::Mutex;

/// What a config and its clones share. Locks are taken from here down: group, keys, one breaker.
#[derive(Default)]
pub(super) struct Group(Mutex<Members>);

#[derive(Default)]
struct Members {
    /// What new ones begin with.
    command: Command,
    made: Vec<Weak<Breakers>>,
    shared: Option<Arc<Breakers>>,
}

impl Group {
    /// Breakers of their own, or the shared ones.
    pub(super) fn join(&self, settings: &Settings) -> Arc<Breakers> {
        let settings = Arc::new(settings.clone());
        let mut members = self.0.lock();
        if let Some(shared) = &members.shared {
            return Arc::clone(shared);
        }
        let scope = settings.scope;
        let breakers = Arc::new(Breakers::new(settings, members.command));
        members.add(&breakers);
        if scope == Scope::Config {
            members.shared = Some(Arc::clone(&breakers));
        }
        breakers
    }

    /// Tells all breakers, those to come too, and then everybody who wants to know.
    pub(super) fn command(&self, command: Command) {
        for (breaker, change) in self.change_all(command) {
            breaker.tell(Some(change), None);
        }
    }

    /// Under one lock, so that of two commands one is the last everywhere.
    fn change_all(&self, command: Command) -> Vec<(Arc<Breaker>, Change)> {
        let mut members = self.0.lock();
        members.command = command;
        let mut changed = Vec::new();
        for breakers in members.alive() {
            breakers.command(command, &mut changed);
        }
        changed
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
