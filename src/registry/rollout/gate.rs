//! What stands before a listener that is rolled out.

use std::sync::Arc;

use super::Rollout;
use super::dial::Place;
use crate::event::Event;
use crate::registry::Listed;

/// What stands before a listener that is rolled out: which events are for it.
pub(crate) struct Gate<E> {
    rollout: Rollout<E>,
    place: Arc<Place>,
}

impl<E: Event> Gate<E> {
    pub(super) fn new(rollout: Rollout<E>, place: Arc<Place>) -> Self {
        Self { rollout, place }
    }

    /// It stands before this listener, which is told of when the fraction changes.
    pub(crate) fn stands_before(&self, listed: &Arc<dyn Listed>) {
        self.place.add(listed, self.is_rest());
    }

    /// The rollout in words.
    pub(crate) fn words(&self) -> String {
        self.rollout.to_string()
    }

    /// Its listener is for those that the rollout does not take in.
    pub(super) fn is_rest(&self) -> bool {
        self.rollout.is_rest()
    }

    /// Which choice it goes by: the same for both sides.
    pub(super) fn choice(&self) -> u64 {
        self.rollout.choice().id
    }

    /// What an emission goes by that has the list of this number.
    pub(super) fn fraction(&self, list: u64) -> f64 {
        self.place.fraction(list)
    }

    /// Where the event's key stands, if that decides. The user's code.
    pub(super) fn point(&self, fraction: f64, event: &E) -> Option<u64> {
        let decides = 0.0 < fraction && fraction < 1.0;
        decides
            .then(|| self.rollout.choice().point(event))
            .flatten()
    }

    /// Chooses for one emission. The point is given if it decides.
    pub(super) fn takes(&self, fraction: f64, point: Option<u64>) -> bool {
        self.rollout.choice().takes(fraction, point)
    }
}
