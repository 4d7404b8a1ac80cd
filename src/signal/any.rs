//! A signal whose event type is not known.

use std::any::Any;
use std::sync::Arc;

use super::{Description, Inner, Subscription};
use crate::buffer::DropReason;
use crate::context::count_within;
use crate::dispatch::Core;
use crate::event::{Erased, Event};
use crate::listener::AnyEmission;
use crate::outcome::{Cancellation, Cause};
use crate::registry::{Host as _, Metadata};

/// What a bus can do with a signal of any event type.
pub(crate) trait AnySignal: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    fn core(&self) -> &Arc<Core>;
    /// Emits an event of the signal's type.
    fn emit_any(self: Arc<Self>, event: Erased) -> AnyEmission;
    fn len(&self) -> usize;
    fn metadata(&self) -> Vec<Metadata>;
    fn describe(&self) -> Description;
    fn clear(&self) -> usize;
    #[cfg(feature = "metrics")]
    fn buffered(&self) -> (usize, usize);
    /// How many events the fullest lane of the buffer has, and can hold.
    #[cfg(feature = "metrics")]
    fn fullest_lane(&self) -> (usize, usize);
    #[cfg(feature = "metrics")]
    fn is_under_pressure(&self) -> bool;
    /// Refuses new events. True if it took them so far.
    fn close(&self) -> bool;
    /// Sees to it that buffered events are delivered, and those that listeners hold and are to be called with.
    fn deliver_pending(self: Arc<Self>);
    /// Whether nothing is buffered and no emission is under way, but for those that the caller is a listener of.
    fn is_drained(&self) -> bool;
    /// Drops what is buffered, and says how much.
    fn drop_pending(&self) -> usize;
    /// Whether a listener holds events, or is called with some.
    fn may_hold(&self) -> bool;
    /// Drops what listeners hold, and says how much.
    fn drop_held(&self) -> usize;
    /// The handle of the listener with this key.
    fn subscription(&self, key: &str) -> Option<Subscription>;
}

impl<E: Event> AnySignal for Inner<E> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn emit_any(self: Arc<Self>, event: Erased) -> AnyEmission {
        let event = event.event.downcast::<E>();
        let event = *event.expect("it was looked up by its type");
        Box::pin(async move { self.emit(event).await })
    }

    fn len(&self) -> usize {
        self.registry.snapshot().entries.len()
    }

    fn metadata(&self) -> Vec<Metadata> {
        self.registry.settle();
        let snapshot = self.registry.snapshot();
        snapshot
            .entries
            .iter()
            .map(|entry| entry.metadata())
            .collect()
    }

    fn describe(&self) -> Description {
        Description::of(self)
    }

    fn clear(&self) -> usize {
        self.registry.clear()
    }

    #[cfg(feature = "metrics")]
    fn buffered(&self) -> (usize, usize) {
        (self.buffer.len(), self.buffer.capacity())
    }

    #[cfg(feature = "metrics")]
    fn fullest_lane(&self) -> (usize, usize) {
        self.buffer.fullest_lane()
    }

    #[cfg(feature = "metrics")]
    fn is_under_pressure(&self) -> bool {
        self.buffer.is_under_pressure()
    }

    fn close(&self) -> bool {
        let first = self.core.gate.close(self.registry.home());
        self.buffer.close();
        self.core.closing.fire();
        first
    }

    fn deliver_pending(self: Arc<Self>) {
        Self::deliver_pending(&self);
        for entry in &self.registry.snapshot().entries {
            entry.record().begin_what_is_due();
        }
    }

    fn is_drained(&self) -> bool {
        let own = count_within(|call| call.signal == self.core.id);
        let (queued, drains) = self.buffer.load();
        queued == 0 && drains <= own && self.core.gate.is_empty(self.core.id)
    }

    fn drop_pending(&self) -> usize {
        Self::drop_pending(self, DropReason::Shutdown)
    }

    fn may_hold(&self) -> bool {
        let snapshot = self.registry.snapshot();
        let mut entries = snapshot.entries.iter();
        entries.any(|entry| entry.record().is_switched())
    }

    fn drop_held(&self) -> usize {
        let shut_down = Cause::Cancelled(Cancellation::Shutdown);
        let snapshot = self.registry.snapshot();
        let entries = snapshot.entries.iter();
        entries
            .map(|entry| entry.record().drop_held(&shut_down))
            .sum()
    }

    fn subscription(&self, key: &str) -> Option<Subscription> {
        let snapshot = self.registry.snapshot();
        let entry = Arc::clone(snapshot.get(key)?);
        Some(Subscription::new(entry.listed()))
    }
}
