//! The bounded buffer in front of a signal.
//!
//! # Failures
//!
//! - **Full**: what happens is the [`Overflow`] policy; a refused event is given back, a dropped one is counted and shown to the callback.
//! - **Under pressure** for long: who waits for that to end waits in a queue, first come, first served; whoever leaves it loses no place.
//! - **Closed**: events are given back, those who wait for room included.

mod error;
mod keyed;
mod marks;
mod overflow;
mod places;
mod queue;
mod shape;
mod store;

use std::sync::Arc;

pub use error::EnqueueError;
pub(crate) use keyed::{Drains, Due, Keyed, Queued};
pub(crate) use marks::{IsClosed, Marks};
pub use overflow::{DropReason, Overflow};
pub(crate) use places::Places;
pub(crate) use queue::{Pushed, Queue};
pub(crate) use shape::{Lanes, Shape};

/// What is kept for an event to come: nothing where each key has a line, since only the event says in which part of the buffer its place is.
pub(crate) type Reserved = Option<Places>;

/// The buffer of a signal: one line for all, or one for each key.
pub(crate) enum Buffer<E: Send + Sync + 'static> {
    Queue(Box<Queue<E>>),
    Keyed(Arc<Keyed<E>>),
}

impl<E: Send + Sync + 'static> Buffer<E> {
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Queue(queue) => queue.capacity(),
            Self::Keyed(keyed) => keyed.capacity(),
        }
    }

    /// How many events the fullest lane has, and can hold.
    #[cfg(feature = "metrics")]
    pub(crate) fn fullest_lane(&self) -> (usize, usize) {
        match self {
            Self::Queue(queue) => (queue.fullest(), queue.shape().capacity),
            Self::Keyed(keyed) => (keyed.len(), keyed.capacity()),
        }
    }

    pub(crate) fn overflow(&self) -> Overflow {
        match self {
            Self::Queue(queue) => queue.shape().overflow,
            Self::Keyed(keyed) => keyed.overflow(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Queue(queue) => queue.len(),
            Self::Keyed(keyed) => keyed.len(),
        }
    }

    /// Takes the event if it can without waiting.
    pub(crate) fn try_push(&self, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        match self {
            Self::Queue(queue) => queue.try_push(event),
            Self::Keyed(keyed) => keyed.try_push_or_drop(event),
        }
    }

    /// Waits for room, then takes the event.
    pub(crate) async fn push_when_free(&self, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        match self {
            Self::Queue(queue) => queue.push_when_free(event).await,
            Self::Keyed(keyed) => keyed.push_when_free(event).await,
        }
    }

    /// Reserves room for one event, as far as that can be, if it can without waiting and there is no pressure. `first`: before those who wait for it.
    pub(crate) fn try_reserve(&self, first: bool) -> Result<Option<Reserved>, IsClosed> {
        match self {
            Self::Queue(queue) => Ok(queue.try_reserve(first)?.map(Some)),
            Self::Keyed(keyed) => Ok(keyed.try_ready(first)?.then_some(None)),
        }
    }

    /// Waits for it.
    pub(crate) async fn reserve(&self) -> Result<Reserved, IsClosed> {
        match self {
            Self::Queue(queue) => queue.reserve().await.map(Some),
            Self::Keyed(keyed) => keyed.ready().await.map(|()| None),
        }
    }

    /// Takes the event into the room that was reserved for it, or else if there is some: who asked for room has no event dropped.
    pub(crate) fn push_reserved(
        &self,
        event: E,
        reserved: Reserved,
    ) -> Result<Pushed<E>, EnqueueError<E>> {
        match (self, reserved) {
            (Self::Queue(queue), Some(places)) => queue.push_reserved(event, places),
            (Self::Keyed(keyed), _) => keyed.try_push(event),
            (Self::Queue(queue), None) => queue.try_push(event),
        }
    }

    /// What is to be said of it beside its size and policy, for a person.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let marks = |marks: Marks| {
            let Marks { low, high } = marks;
            let text = format!("under pressure from {high} events on, until there are {low}");
            ("watermarks", text)
        };
        let shape = match self {
            Self::Queue(queue) => queue.shape(),
            Self::Keyed(keyed) => return vec![marks(keyed.marks())],
        };
        let mut words = vec![marks(shape.marks)];
        if let Some(Lanes { count, aging, .. }) = &shape.lanes {
            let text =
                format!("{count} lanes of the buffer's size, aged when passed over {aging} times");
            words.push(("priorities", text));
        }
        if shape.latest.is_some() {
            words.push(("latest", "one event of each key in the buffer".to_owned()));
        }
        words
    }

    pub(crate) fn is_under_pressure(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.is_under_pressure(),
            Self::Keyed(keyed) => keyed.is_under_pressure(),
        }
    }

    /// Counts a further drain, if there is work for one.
    pub(crate) fn begin_drain(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.begin_drain(),
            Self::Keyed(keyed) => keyed.begin_drain(),
        }
    }

    /// Counts a drain out that ended without emptying the buffer, and what it was at.
    pub(crate) fn end_drain(&self, what: Drains) {
        match self {
            Self::Queue(queue) => queue.end_drain(),
            Self::Keyed(keyed) => keyed.end_drain(what),
        }
    }

    /// Takes everything out.
    pub(crate) fn take_all(&self) -> Vec<E> {
        match self {
            Self::Queue(queue) => queue.take_all().into(),
            Self::Keyed(keyed) => keyed.take_all(),
        }
    }

    /// Refuses every event from now on, those who wait for room included.
    pub(crate) fn close(&self) {
        match self {
            Self::Queue(queue) => queue.close(),
            Self::Keyed(keyed) => keyed.close(),
        }
    }

    /// How many events wait, and how many drains work.
    pub(crate) fn load(&self) -> (usize, usize) {
        match self {
            Self::Queue(queue) => queue.load(),
            Self::Keyed(keyed) => keyed.load(),
        }
    }
}
