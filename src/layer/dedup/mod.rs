//! [`Dedup`]: skips an event whose key was seen already.
//!
//! # What a key is remembered for
//!
//! A key is *running* from when its delivery is let through until that one ends, all attempts of a retry inside included. Then it is *done*, if the listener took the event, or
//! forgotten, if it did not. Done keys are what the capacity and the time to live bound; running ones are as many as calls run, and each of those is bound elsewhere.
//!
//! # Failures
//!
//! - **The delivery fails, panics, times out or is dropped**: its key is forgotten, so that the same event, delivered again, runs. [`keep_failed`](Dedup::keep_failed) keeps it:
//!   then it is lost. A delivery that a layer inside rejected or skipped was not taken either, and is forgotten whatever the option says.
//! - **A duplicate comes while the first still runs**: it is skipped, and lost if the first then fails and nobody delivers it again. [`InFlight::Wait`] has it wait for the first and run if that failed.
//! - **More keys than the capacity, or a duplicate after its time to live**: the oldest key is forgotten, and its duplicate runs. Evictions are counted.
//! - **A listener that emits its own key and awaits it**, with [`InFlight::Wait`], waits for itself. Leave [`InFlight::Skip`] there, or set a deadline.
//! - **The key closure panics**: it is the listener's panic, and nothing is remembered.

mod config;
mod counts;
mod future;
mod service;
mod state;
mod store;

pub use config::{Dedup, InFlight};
pub use counts::DedupHandle;
pub use future::DedupFuture;
pub use service::DedupService;
