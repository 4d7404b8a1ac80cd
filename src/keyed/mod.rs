//! State per key: what layers keep for each key of the events, and whose turn it is where events run in the order of their keys.
//!
//! A key is kept as 128 random bits of hash, whatever its type: the state of a key has a fixed size, and nothing of the event is kept. Two keys share a state with a
//! probability of 2^-128; the hash is seeded at random, so that nobody can choose keys that do.
//!
//! # Failures
//!
//! - **Too many keys**: the number of keys has a limit. At the limit idle keys make room; if there are none, a call with a new key is refused.
//! - **A key closure that panics** does so before any state is touched. No user code runs under a lock.

mod key;
mod lines;
mod swept;
#[cfg_attr(any(fanfare_loom, fanfare_shuttle), path = "table_model.rs")]
mod table;

pub(crate) use key::{ByFingerprint, EventKey, Fingerprint, KeyBy, Seeds};
pub(crate) use lines::{Host, Lines, Turn};
pub(crate) use swept::Swept;
pub(crate) use table::Table;

use crate::error::{OptionError, check_count};

/// How many keys there may be if the option is not given.
pub(crate) const DEFAULT_KEYS: usize = 1_000_000;
const MOST_KEYS: usize = 1 << 30;

/// How many keys run at once in the order of their events, if nothing is said.
pub(crate) const DEFAULT_LANES: usize = 64;

/// There is no room for one more key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

pub(crate) fn check_keys(most: usize) -> Result<(), OptionError> {
    check_count(
        "max_keys",
        most,
        MOST_KEYS,
        "it takes 1 to 1,073,741,824 keys",
    )
}

pub(crate) fn check_lanes(lanes: usize) -> Result<(), OptionError> {
    check_count("lanes", lanes, 1 << 16, "it takes 1 to 65,536 lanes")
}
