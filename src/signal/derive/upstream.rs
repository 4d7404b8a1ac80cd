//! What can be derived from.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::Derived;
use super::link::Root;
use super::node::{Making, Node};
use super::source::{OfNode, Source};
use crate::dispatch::Core;
use crate::event::Event;
use crate::signal::Signal;
use crate::sync::AtomicU64;

/// A signal to derive from: a [`Signal`] or a [`Derived`]. What [`merge`](Signal::merge) takes; both turn into it, by value or by reference.
pub struct Upstream<E: Event> {
    pub(super) source: Arc<dyn Source<E>>,
    pub(super) core: Arc<Core>,
}

impl<E: Event> Upstream<E> {
    /// A derived signal whose events come from this source.
    pub(super) fn derive<T: Event>(
        &self,
        what: &str,
        location: &'static Location<'static>,
        source: Arc<dyn Source<T>>,
    ) -> Derived<T> {
        self.node(what, location, source, false, Arc::default())
    }

    /// One that remembers.
    pub(super) fn derive_state<T: Event>(
        &self,
        what: &str,
        location: &'static Location<'static>,
        source: Arc<dyn Source<T>>,
        held_back: Arc<AtomicU64>,
    ) -> Derived<T> {
        self.node(what, location, source, true, held_back)
    }

    fn node<T: Event>(
        &self,
        what: &str,
        location: &'static Location<'static>,
        source: Arc<dyn Source<T>>,
        remembers: bool,
        held_back: Arc<AtomicU64>,
    ) -> Derived<T> {
        let making = Making {
            name: format!("{}.{what}", self.core.name),
            like: &self.core,
            remembers,
            held_back,
            location,
        };
        Derived {
            node: Node::new(source, making),
        }
    }
}

impl<E: Event> From<&Signal<E>> for Upstream<E> {
    fn from(signal: &Signal<E>) -> Self {
        Self {
            core: Arc::clone(&signal.inner.core),
            source: Arc::new(Root(signal.clone())),
        }
    }
}

impl<E: Event> From<Signal<E>> for Upstream<E> {
    fn from(signal: Signal<E>) -> Self {
        Self::from(&signal)
    }
}

impl<E: Event> From<&Derived<E>> for Upstream<E> {
    fn from(derived: &Derived<E>) -> Self {
        let node = &derived.node;
        Self {
            core: Arc::clone(&node.signal.inner.core),
            source: if node.remembers {
                Arc::new(OfNode(Arc::clone(node)))
            } else {
                Arc::clone(&node.source)
            },
        }
    }
}

impl<E: Event> From<Derived<E>> for Upstream<E> {
    fn from(derived: Derived<E>) -> Self {
        Self::from(&derived)
    }
}

impl<E: Event> fmt::Debug for Upstream<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.core.name)
            .finish_non_exhaustive()
    }
}
