//! The listener that leads from a signal to one that was derived from it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use super::source::{Consumer, Handed, Links, Sink, Source};
use crate::dispatch::Core;
use crate::event::Event;
use crate::listener::{Call, Callee, Kind, Slot, Step, Storage};
use crate::registry::{Later, Record, Wishes, entry};
use crate::signal::Signal;
use crate::sync::unique_id;

/// A signal that was not derived from another.
pub(super) struct Root<E: Event>(pub(super) Signal<E>);

impl<E: Event> Source<E> for Root<E> {
    fn connect(&self, consumer: Consumer<E>, to: Sink<'_>, links: &mut Links, later: &mut Later) {
        link(&self.0, consumer, to, links, later);
    }

    fn roots(&self, roots: &mut Vec<Arc<Core>>) {
        let core = &self.0.inner.core;
        if !roots.iter().any(|root| Arc::ptr_eq(root, core)) {
            roots.push(Arc::clone(core));
        }
    }
}

/// Registers a link.
pub(super) fn link<E: Event>(
    signal: &Signal<E>,
    consumer: Consumer<E>,
    to: Sink<'_>,
    links: &mut Links,
    later: &mut Later,
) {
    let wishes = Wishes::default();
    let registry = &signal.inner.registry;
    let home = Arc::clone(registry.home());
    let record = Record::new(unique_id(), to.location, home, Kind::Derived, wishes);
    let (entry, listed) = entry(record, Link(consumer), None, None);
    registry.link(entry, later);
    links.listeners.push(listed);
}

struct Link<E: Event>(Consumer<E>);

impl<E: Event> Callee<E> for Link<E> {
    fn kind(&self) -> Kind {
        Kind::Derived
    }

    fn storage(&self) -> Option<Storage> {
        Some(Storage::Boxed)
    }

    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step {
        match (self.0)(call.payload.lend(call.last)) {
            Handed::Now(verdict) => Step::from(verdict),
            Handed::Later(future) => slot.start(future, cx),
        }
    }
}
