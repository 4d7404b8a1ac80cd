//! The map from event types to signals.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::event::Event;
use crate::signal::{AnySignal, Inner, Signal};
use crate::sync::Mutex;

/// Signals by event type. Copied on write: reading takes no lock.
pub(super) struct Map {
    newest: ArcSwap<Signals>,
    /// Held by whoever adds a signal.
    changing: Mutex<()>,
}

type Signals = HashMap<TypeId, Arc<dyn AnySignal>>;

impl Map {
    pub(super) fn new() -> Self {
        Self {
            newest: ArcSwap::default(),
            changing: Mutex::new(()),
        }
    }

    pub(super) fn get<E: Event>(&self) -> Option<Arc<Inner<E>>> {
        let signal = Arc::clone(self.newest.load().get(&TypeId::of::<E>())?);
        Some(downcast(signal))
    }

    /// The signal of this type, made if there is none.
    pub(super) fn get_or_add<E: Event>(&self, make: impl FnOnce() -> Signal<E>) -> Arc<Inner<E>> {
        if let Some(signal) = self.get() {
            return signal;
        }
        let _changing = self.changing.lock();
        if let Some(signal) = self.get() {
            return signal;
        }
        let inner = make().inner;
        let mut signals = Signals::clone(&self.newest.load());
        signals.insert(TypeId::of::<E>(), Arc::clone(&inner) as Arc<dyn AnySignal>);
        self.newest.store(Arc::new(signals));
        inner
    }

    /// Every signal, by name.
    pub(super) fn all(&self) -> Vec<Arc<dyn AnySignal>> {
        let mut all: Vec<_> = self.newest.load().values().cloned().collect();
        all.sort_by(|a, b| a.core().name.cmp(&b.core().name));
        all
    }
}

fn downcast<E: Event>(signal: Arc<dyn AnySignal>) -> Arc<Inner<E>> {
    signal
        .as_any()
        .downcast()
        .expect("a signal is filed under its own event type")
}
