//! What a buffer is like.

use std::sync::Arc;

use super::Overflow;
use super::marks::Marks;
use crate::error::{OptionError, check_count};
use crate::keyed::{EventKey, Fingerprint};
use crate::metrics::Meters;

/// How often the oldest event of a lane is passed over before its turn comes, if nothing is said.
const DEFAULT_AGING: usize = 16;

/// How many events a buffer holds, what happens when it is full, and in which order they come out.
#[derive(Clone)]
pub(crate) struct Shape<E> {
    /// Of each lane.
    pub(crate) capacity: usize,
    pub(crate) overflow: Overflow,
    pub(crate) marks: Marks,
    pub(crate) latest: Option<EventKey<E>>,
    pub(crate) lanes: Option<Lanes<E>>,
    /// Where it is recorded how long events wait, if it is.
    pub(crate) meters: Option<Arc<Meters>>,
}

/// The lanes of a buffer, the most urgent first.
pub(crate) struct Lanes<E> {
    pub(crate) count: usize,
    pub(crate) aging: usize,
    of: Arc<dyn Fn(&E) -> usize + Send + Sync>,
}

/// Where an event belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(super) lane: usize,
    pub(super) key: Option<Fingerprint>,
}

impl<E> Shape<E> {
    /// One lane, in the order in which the events come.
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self {
            capacity,
            overflow,
            marks: Marks::of_capacity(capacity),
            latest: None,
            lanes: None,
            meters: None,
        }
    }

    pub(super) fn lane_count(&self) -> usize {
        self.lanes.as_ref().map_or(1, |lanes| lanes.count)
    }

    pub(super) fn aging(&self) -> usize {
        self.lanes.as_ref().map_or(usize::MAX, |lanes| lanes.aging)
    }
}

impl<E: 'static> Shape<E> {
    /// Runs user code.
    pub(super) fn spot(&self, event: &E) -> Spot {
        Spot {
            lane: self.lanes.as_ref().map_or(0, |lanes| lanes.lane(event)),
            key: self.latest.as_ref().map(|key| key.find(event)),
        }
    }
}

impl<E> Lanes<E> {
    pub(crate) fn new(count: usize, of: impl Fn(&E) -> usize + Send + Sync + 'static) -> Self {
        Self {
            count,
            aging: DEFAULT_AGING,
            of: Arc::new(of),
        }
    }

    pub(crate) fn with_aging(mut self, aging: Option<usize>) -> Self {
        self.aging = aging.unwrap_or(DEFAULT_AGING);
        self
    }

    pub(crate) fn check(&self) -> Result<(), OptionError> {
        if !(2..=16).contains(&self.count) {
            return Err(OptionError::new(
                "priorities",
                self.count,
                "it takes 2 to 16 lanes",
            ));
        }
        check_count(
            "aging",
            self.aging,
            1 << 24,
            "it takes 1 to 16,777,216 events",
        )
    }

    fn lane(&self, event: &E) -> usize {
        (self.of)(event).min(self.count - 1)
    }
}

impl<E> Clone for Lanes<E> {
    fn clone(&self) -> Self {
        Self {
            count: self.count,
            aging: self.aging,
            of: Arc::clone(&self.of),
        }
    }
}
