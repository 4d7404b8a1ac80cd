//! The order of keys for one listener: the next event of a key is delivered when the one before it is done, with all its attempts; different keys side by side, on lanes.
//!
//! Two rooms of one floor: the turn of a key is around the retry, and is kept while that sleeps; a lane is inside of it, and is taken an attempt.
//!
//! # Failures
//!
//! - **A listener that emits an event of its own key and waits for it** would wait for itself: rejected, [`Rejection::WouldDeadlock`](crate::Rejection::WouldDeadlock). So is one that is called
//!   from inside its own call when no lane is free.
//! - **A call that is dropped while it waits** leaves its line, and holds nobody up.

mod lane;
mod turn;

use std::any::Any;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

pub(super) use lane::{Lanes, OnLane};
pub(super) use turn::Turns;

use crate::error::OptionError;
use crate::keyed::{DEFAULT_LANES, KeyBy, check_lanes};

/// The order of keys that a listener was given.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    key: KeyBy,
    lanes: usize,
}

impl Keyed {
    pub(crate) fn by<E: Any, K: Hash>(key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        Self {
            key: KeyBy::of(key),
            lanes: DEFAULT_LANES,
        }
    }

    pub(crate) fn with_lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    pub(super) fn check(&self) -> Result<(), OptionError> {
        check_lanes(self.lanes)
    }

    pub(super) fn turns(&self) -> Turns {
        Turns::new(self.key.clone())
    }

    pub(super) fn lanes(&self) -> Arc<Lanes> {
        Lanes::new(self.lanes)
    }
}

impl fmt::Display for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lanes_in_words(self.lanes))
    }
}

fn lanes_in_words(lanes: usize) -> String {
    match lanes {
        1 => "1 lane".to_owned(),
        lanes => format!("{lanes} lanes"),
    }
}
