//! What all handles of a rollout share: the fraction, and where it is used.

use std::sync::{Arc, Weak};

use super::history::History;
use super::share;
use crate::registry::{Home, Listed, Setting};
use crate::sync::swap::{ArcSwap, Shared};
use crate::sync::{AtomicU64, Mutex, Ordering};

pub(super) struct Dial {
    /// The bits of a float.
    fraction: AtomicU64,
    pub(super) salt: Box<str>,
    pub(super) seed: u64,
    places: Mutex<Vec<Weak<Place>>>,
}

/// A rollout in one signal. Its listeners keep it.
pub(super) struct Place {
    signal: u64,
    home: Weak<Home>,
    history: ArcSwap<History>,
    users: Mutex<Vec<User>>,
}

/// A listener of a rollout.
#[derive(Clone)]
struct User {
    listed: Weak<dyn Listed>,
    rest: bool,
}

impl Dial {
    pub(super) fn new(fraction: f64, salt: &str) -> Arc<Self> {
        Arc::new(Self {
            fraction: AtomicU64::new(fraction.to_bits()),
            salt: salt.into(),
            seed: share::seed(salt),
            places: Mutex::default(),
        })
    }

    pub(super) fn fraction(&self) -> f64 {
        // Nothing is published with it.
        f64::from_bits(self.fraction.load(Ordering::Relaxed))
    }

    /// Sets what emissions go by that are made from now on, and tells the observers of each signal.
    pub(super) fn set(&self, fraction: f64) {
        let (before, places) = {
            // Under the lock: a place that is made meanwhile begins with the new fraction, or is seen here.
            let places = self.places.lock();
            let before = self.fraction.swap(fraction.to_bits(), Ordering::Relaxed);
            let places: Vec<_> = places.iter().filter_map(Weak::upgrade).collect();
            (f64::from_bits(before), places)
        };
        for place in &places {
            place.follow(self);
        }
        for place in &places {
            place.tell(before, fraction);
        }
    }

    /// The rollout in this signal.
    pub(super) fn place(&self, home: &Arc<Home>) -> Arc<Place> {
        let mut places = self.places.lock();
        places.retain(|place| place.strong_count() > 0);
        let mut known = places.iter().filter_map(Weak::upgrade);
        if let Some(place) = known.find(|place| place.signal == home.id) {
            return place;
        }
        let place = Arc::new(Place {
            signal: home.id,
            home: Arc::downgrade(home),
            history: ArcSwap::new(Shared::new(History::of(self.fraction()))),
            users: Mutex::default(),
        });
        places.push(Arc::downgrade(&place));
        place
    }
}

impl Place {
    /// What was set when the list of this number was the newest.
    pub(super) fn fraction(&self, list: u64) -> f64 {
        self.history.load().at(list)
    }

    pub(super) fn add(&self, listed: &Arc<dyn Listed>, rest: bool) {
        let mut users = self.users.lock();
        users.retain(|user| user.listed.strong_count() > 0);
        users.push(User {
            listed: Arc::downgrade(listed),
            rest,
        });
    }

    /// Goes by what the dial says now, from a new list on.
    fn follow(&self, dial: &Dial) {
        let host = self.home.upgrade().and_then(|home| home.host());
        let Some(host) = host else { return };
        // One at a time, under the signal's lock on changes. The newest of two that are set at once may be noted by the first: what the dial says is asked here.
        host.renumber(&mut |number| {
            let next = self.history.load().then(number, dial.fraction());
            let changes = next.is_some();
            if let Some(next) = next {
                self.history.swap(Shared::new(next));
            }
            changes
        });
    }

    fn tell(&self, before: f64, after: f64) {
        let users = self.users.lock().clone();
        let living = users.iter().filter_map(|user| {
            let listed = user.listed.upgrade()?;
            let record = listed.record();
            let told = !record.is_removed() && record.home.host().is_some();
            told.then(|| (Arc::clone(&record.home), record.identity(), user.rest))
        });
        for (home, identity, rest) in living {
            let told = |fraction: f64| share::percent(side(fraction, rest));
            home.changed(Some(identity), Setting::Rollout, told(before), told(after));
        }
    }
}

/// The share of one side.
pub(super) fn side(fraction: f64, rest: bool) -> f64 {
    if rest { 1.0 - fraction } else { fraction }
}
