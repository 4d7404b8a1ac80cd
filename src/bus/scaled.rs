//! What becomes of the size of a bus's pool is told to the observers of the bus, and is an event of it.

use std::sync::Weak;

use super::handle::Shared;
use super::{Bus, WeakBus};
use crate::pool::{Pool, Scaled};
use crate::signal::observe;

impl Bus {
    /// Tells this bus of its pool's size for as long as it lives.
    pub(super) fn follow_pool(&self, pool: &Pool) {
        observe(pool, self.home());
        let bus = self.downgrade();
        let alive: Weak<Shared> = bus.inner.clone();
        pool.observe(alive, move |scaled| emit(&bus, scaled));
    }
}

/// Emits in the background; nothing is made while nobody listens.
fn emit(bus: &WeakBus, scaled: &Scaled) {
    let signal = bus.upgrade().and_then(|bus| bus.signal_if_any());
    let Some(signal) = signal.filter(|signal| !signal.is_empty()) else {
        return;
    };
    if let Err(refused) = signal.emit_detached(scaled.clone()) {
        tracing::warn!(%refused, "a pool's size was changed, and that could not be emitted");
    }
}
