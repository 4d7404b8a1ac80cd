//! Who is inside: the emissions of a signal that have begun and not ended, and whether more may begin.

use std::sync::Arc;

use tokio::sync::Notify;

use super::Core;
use crate::sync::{AtomicBool, AtomicUsize, Ordering};

#[derive(Default)]
pub(crate) struct Gate {
    inside: AtomicUsize,
    closed: AtomicBool,
    /// Woken when an emission or a drain ends after the gate was closed.
    pub(crate) left: Notify,
}

impl Gate {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
        if self.is_closed() {
            self.left.notify_waiters();
        }
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
        let pass = Self::of_queued(core);
        (!core.gate.is_closed()).then_some(pass)
    }

    /// For an event that was accepted before: a closed gate drains those.
    pub(crate) fn of_queued(core: &Arc<Core>) -> Self {
        core.gate.inside.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(core))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.gate.leave();
    }
}
