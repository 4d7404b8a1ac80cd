//! The newest list of listeners, as emissions take it in hand: what `removed()` and `shutdown` wait for, at no cost to the calls.
//!
//! An emission holds a guard of the newest [`Version`] during each of its polls, where it looks who is removed and makes calls. Once nobody holds an older version, nobody is left
//! who may have looked before something was written that came before the newest.

use std::sync::Arc;

use super::Snapshot;
use crate::sync::swap::{Guard, Old, Shared, old};
use crate::sync::{Notify, Ordering, fence, unique_id};

/// A list of listeners while it is the newest, and for as long as somebody has it in hand.
pub(crate) struct Version<E> {
    pub(crate) snapshot: Arc<Snapshot<E>>,
    pub(crate) number: u64,
    quiet: Arc<Notify>,
}

impl<E> Version<E> {
    pub(super) fn new(snapshot: Arc<Snapshot<E>>) -> Shared<Self> {
        Shared::new(Self {
            number: unique_id(),
            quiet: Arc::clone(&snapshot.home.quiet),
            snapshot,
        })
    }
}

impl<E> Drop for Version<E> {
    /// It is not the newest any more, or the signal is gone, and the last who had it in hand has let go: whoever waits for a removal looks again.
    fn drop(&mut self) {
        self.quiet.notify_waiters();
    }
}

/// A version that an emission has in hand. Taking it writes nothing that others write.
pub(crate) type Held<E> = Guard<Shared<Version<E>>>;

/// The versions before a certain one.
#[derive(Clone, Default)]
pub(crate) struct Before(Vec<(u64, Old)>);

impl Before {
    pub(super) fn push<E: Send + Sync + 'static>(&mut self, version: &Shared<Version<E>>)
    where
        Version<E>: Send + Sync,
    {
        self.0.retain(|(_, version)| version.strong_count() > 0);
        self.0.push((version.number, old(version)));
    }

    /// Whether nobody has one in hand, apart from as many holds of each number as `own` says are the caller's.
    pub(crate) fn are_gone(&self, own: impl Fn(u64) -> usize) -> bool {
        if cfg!(fanfare_plant = "versions-not-awaited") {
            return true;
        }
        let mut versions = self.0.iter();
        let gone = versions.all(|(number, version)| match version.strong_count() {
            0 => true,
            held => held <= own(*number),
        });
        // What was done with them in hand is seen by whoever finds them gone: letting go is a release.
        if !cfg!(fanfare_plant = "gone-without-fence") {
            fence(Ordering::Acquire);
        }
        gone
    }

    /// Whether this is the number of one of them.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.0.iter().any(|(version, _)| *version == number)
    }
}
