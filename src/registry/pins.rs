//! Who is polling: what `removed()` and `shutdown` wait for, at no cost to the calls but a guard.
//!
//! An emission holds a [`Pinned`] while it is polled. [`renew`](Pins::renew) puts a new pin in place of the old one: whoever pins from then on sees all that was written
//! before, and once nobody holds an older pin, nobody is left who may have looked before it was written.

use std::sync::{Arc, Weak};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Notify;

use crate::sync::{Mutex, Ordering, fence, unique_id};

pub(crate) struct Pins {
    newest: ArcSwap<Pin>,
    /// Pins that were replaced and may still be held.
    older: Mutex<Vec<(u64, Weak<Pin>)>>,
}

pub(crate) struct Pin {
    number: u64,
    quiet: Arc<Notify>,
}

impl Drop for Pin {
    /// It was replaced, and the last who held it is gone.
    fn drop(&mut self) {
        self.quiet.notify_waiters();
    }
}

/// While it lives, an emission is being polled.
pub(crate) struct Pinned(Guard<Arc<Pin>>);

impl Pinned {
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }
}

impl Pins {
    pub(super) fn new(quiet: &Arc<Notify>) -> Self {
        Self {
            newest: ArcSwap::from(Pin::new(quiet)),
            older: Mutex::default(),
        }
    }

    #[inline]
    pub(crate) fn pin(&self) -> Pinned {
        Pinned(self.newest.load())
    }

    /// Replaces the pin, and hands out those of before.
    pub(super) fn renew(&self, quiet: &Arc<Notify>) -> Before {
        let new = Pin::new(quiet);
        // The guards of the old pin are counted in its `Arc` from here on. The last one may be dropped here, so not under the lock.
        let old = self.newest.swap(new);
        let before = {
            let mut older = self.older.lock();
            older.retain(|(_, pin)| pin.strong_count() > 0);
            older.push((old.number, Arc::downgrade(&old)));
            older.clone()
        };
        drop(old);
        Before(before)
    }
}

impl Pin {
    fn new(quiet: &Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            number: unique_id(),
            quiet: Arc::clone(quiet),
        })
    }
}

/// The pins that were replaced by one renewal or before it.
#[derive(Clone, Default)]
pub(crate) struct Before(Vec<(u64, Weak<Pin>)>);

impl Before {
    /// Whether nobody holds one, apart from so many holds of each number as `own` says are the caller's.
    pub(crate) fn are_gone(&self, own: impl Fn(u64) -> usize) -> bool {
        if cfg!(fanfare_plant = "pins_not_awaited") {
            return true;
        }
        let gone = self.0.iter().all(|(number, pin)| match pin.strong_count() {
            0 => true,
            held => held <= own(*number),
        });
        // What was done under the pins is seen by whoever finds them gone: their drops are releases.
        fence(Ordering::Acquire);
        gone
    }

    /// Whether this is the number of one of them.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.0.iter().any(|(pin, _)| *pin == number)
    }
}
