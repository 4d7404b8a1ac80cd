//! The map from event types to signals.

use std::any::TypeId;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};
use std::sync::{Arc, OnceLock};

use crate::event::Event;
use crate::signal::{AnySignal, Inner, Signal};
use crate::sync::Mutex;

/// How many chains there are. A bus has some tens of types, seldom some hundreds.
const CHAINS: usize = 64;

/// Signals by event type. Types are added and never taken out, so a signal that was found can be borrowed for as long as the bus: no lock, no guard and no count. Each chain is a
/// list whose end is set once.
pub(super) struct Map {
    chains: Box<[OnceLock<Box<Node>>]>,
    /// Held by whoever adds a signal.
    adding: Mutex<()>,
}

struct Node {
    event: TypeId,
    signal: Arc<dyn AnySignal>,
    next: OnceLock<Box<Node>>,
}

impl Map {
    pub(super) fn new() -> Self {
        Self {
            chains: (0..CHAINS).map(|_| OnceLock::new()).collect(),
            adding: Mutex::new(()),
        }
    }

    /// The signal of this type, borrowed.
    #[inline]
    pub(super) fn find<E: Event>(&self) -> Option<&Inner<E>> {
        let node = self.node(TypeId::of::<E>()).ok()?;
        node.signal.as_any().downcast_ref()
    }

    pub(super) fn get<E: Event>(&self) -> Option<Arc<Inner<E>>> {
        Some(downcast(self.get_any(TypeId::of::<E>())?))
    }

    /// The signal of events of this type.
    pub(super) fn get_any(&self, event: TypeId) -> Option<Arc<dyn AnySignal>> {
        let node = self.node(event).ok()?;
        Some(Arc::clone(&node.signal))
    }

    /// The node of this type, or the place where it is to be added.
    #[inline]
    fn node(&self, event: TypeId) -> Result<&Node, &OnceLock<Box<Node>>> {
        let hash = BuildHasherDefault::<Folded>::default().hash_one(event);
        let chain = usize::try_from(hash % CHAINS as u64).expect("less than a usize");
        let mut place = &self.chains[chain];
        while let Some(node) = place.get() {
            if node.event == event {
                return Ok(node);
            }
            place = &node.next;
        }
        Err(place)
    }

    /// The signal of this type, made if there is none.
    pub(super) fn get_or_add<E: Event>(&self, make: impl FnOnce() -> Signal<E>) -> Arc<Inner<E>> {
        if let Some(signal) = self.get() {
            return signal;
        }
        let _adding = self.adding.lock();
        match self.node(TypeId::of::<E>()) {
            Ok(node) => downcast(Arc::clone(&node.signal)),
            Err(place) => {
                let signal = make().inner;
                let node = Node {
                    event: TypeId::of::<E>(),
                    signal: Arc::clone(&signal) as Arc<dyn AnySignal>,
                    next: OnceLock::new(),
                };
                // Nobody else adds: this is the end of the chain still.
                let _ = place.set(Box::new(node));
                signal
            }
        }
    }

    /// Every signal, by name.
    pub(super) fn all(&self) -> Vec<Arc<dyn AnySignal>> {
        let mut all = Vec::new();
        for chain in &self.chains {
            let mut place = chain;
            while let Some(node) = place.get() {
                all.push(Arc::clone(&node.signal));
                place = &node.next;
            }
        }
        all.sort_by(|a, b| a.core().name.cmp(&b.core().name));
        all
    }
}

fn downcast<E: Event>(signal: Arc<dyn AnySignal>) -> Arc<Inner<E>> {
    signal
        .into_any()
        .downcast()
        .expect("a signal is filed under its own event type")
}

/// A type's id is a hash already.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 ^= id;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
