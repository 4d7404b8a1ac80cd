//! Who is inside: the emissions of a signal that go on beyond one poll, and whether more may begin.

use std::sync::Arc;

use super::Core;
use crate::context::{count_within, is_within};
use crate::registry::{Before, Home};
use crate::sync::{AtomicU32, AtomicUsize, Mutex, Ordering};

/// No emission may begin.
const CLOSED: u32 = 1;
/// An emission takes more than a pass, or is looked at while it runs.
const SLOW: u32 = 1 << 1;

#[derive(Default)]
pub(crate) struct Gate {
    inside: AtomicUsize,
    /// [`CLOSED`], and what else stands in the way of an emission that begins: one look sees all.
    marks: AtomicU32,
    /// Who was polled when it was closed.
    before: Mutex<Before>,
}

/// What stood in the way when somebody looked.
#[derive(Clone, Copy)]
pub(super) struct Marks(u32);

impl Marks {
    #[inline]
    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    #[inline]
    pub(super) fn is_slow(self) -> bool {
        self.0 & SLOW != 0
    }
}

impl Gate {
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.marks().is_closed()
    }

    /// What stands in the way of an emission that begins.
    #[inline]
    pub(super) fn marks(&self) -> Marks {
        Marks(self.marks.load(Ordering::SeqCst))
    }

    /// Says whether emissions take more than a pass, or are looked at.
    pub(super) fn set_slow(&self, slow: bool) {
        if slow {
            self.marks.fetch_or(SLOW, Ordering::SeqCst);
        } else {
            self.marks.fetch_and(!SLOW, Ordering::SeqCst);
        }
    }

    /// Lets no emission begin from here on. One that is in its first poll has not seen it; the version that it has in hand is waited for.
    /// True if it was open.
    pub(crate) fn close(&self, home: &Home) -> bool {
        let first = self.marks.fetch_or(CLOSED, Ordering::SeqCst) & CLOSED == 0;
        let before = home.renew();
        let old = std::mem::replace(&mut *self.before.lock(), before);
        drop(old);
        first
    }

    /// What shutdown waits for: emissions that go on beyond one poll, threads, calls in the background.
    #[cfg(feature = "metrics")]
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// Whether the caller is in the middle of a poll that is waited for: the last of the others to leave wakes nobody then.
    pub(crate) fn waits_for_caller(&self) -> bool {
        let polled = self.before.lock().clone();
        is_within(|seen| polled.has(seen.version))
    }

    /// Whether all that began has ended, but for what the caller is called by.
    pub(crate) fn is_empty(&self, signal: u64) -> bool {
        // In this order: whoever had a version in hand and goes on is inside before it is gone.
        let nobody_else_is_inside = || {
            self.inside.load(Ordering::SeqCst)
                <= count_within(|seen| seen.signal == signal && seen.inside)
        };
        #[cfg(fanfare_plant = "inside-before-versions")]
        if !nobody_else_is_inside() {
            return false;
        }
        let polled = self.before.lock().clone();
        polled.are_gone(|version| count_within(|seen| seen.version == version))
            && (cfg!(fanfare_plant = "inside-before-versions") || nobody_else_is_inside())
    }
}

/// One emission that is inside; dropping it leaves.
pub(crate) struct Pass(Arc<Core>);

impl Pass {
    /// `None` if the gate is closed.
    ///
    /// The count goes up before the gate is looked at, and shutdown counts after it has closed it; both are `SeqCst`, so either this emission is
    /// refused or shutdown waits for it.
    pub(crate) fn enter(core: &Arc<Core>) -> Option<Self> {
        if cfg!(fanfare_plant = "gate-before-count") && core.gate.is_closed() {
            return None;
        }
        let pass = Self::of_begun(core);
        (cfg!(fanfare_plant = "gate-before-count") || !core.gate.is_closed()).then_some(pass)
    }

    /// For what was let in before: an event from the buffer, an emission that suspends, with a version in hand. A closed gate drains those.
    pub(crate) fn of_begun(core: &Arc<Core>) -> Self {
        core.gate.inside.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(core))
    }

    /// For what a derived signal does outside of the emissions of the signals that it was derived from: their shutdown waits for it too. One that has ended waits for nothing,
    /// whoever asks it again.
    pub(crate) fn of_roots(core: &Core) -> Vec<Self> {
        let roots = core.roots().iter();
        let open = roots.filter(|root| !root.ended.has_fired());
        open.map(Self::of_begun).collect()
    }

    /// The id of the signal that it is inside.
    pub(crate) fn signal(&self) -> u64 {
        self.0.id
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        #[cfg(fanfare_plant = "leave-looks-first")]
        let closed = self.0.gate.is_closed();
        self.0.gate.inside.fetch_sub(1, Ordering::SeqCst);
        #[cfg(not(fanfare_plant = "leave-looks-first"))]
        let closed = self.0.gate.is_closed();
        if closed {
            self.0.home.quiet.notify_waiters();
        }
    }
}
