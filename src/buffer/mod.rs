//! The bounded buffer in front of a signal.
//!
//! # Failures
//!
//! - **Full**: what happens is the [`Overflow`] policy; a refused event is given back, a dropped one is counted and shown to the callback.
//! - **Closed**: events are given back, those who wait for room included.

mod error;
mod keyed;
mod overflow;
mod queue;
mod shape;

use std::sync::Arc;

pub use error::EnqueueError;
pub(crate) use keyed::{Drains, Due, Keyed, Queued};
pub use overflow::{DropReason, Overflow};
pub(crate) use queue::{Pushed, Queue};
pub(crate) use shape::Shape;

/// The buffer of a signal: one line for all, or one for each key.
pub(crate) enum Buffer<E: Send + Sync + 'static> {
    Queue(Queue<E>),
    Keyed(Arc<Keyed<E>>),
}

impl<E: Send + Sync + 'static> Buffer<E> {
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Queue(queue) => queue.capacity(),
            Self::Keyed(keyed) => keyed.capacity(),
        }
    }

    pub(crate) fn overflow(&self) -> Overflow {
        match self {
            Self::Queue(queue) => queue.overflow(),
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
            Self::Keyed(keyed) => keyed.try_push(event),
        }
    }

    /// Waits for room, then takes the event.
    pub(crate) async fn push_when_free(&self, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        match self {
            Self::Queue(queue) => queue.push_when_free(event).await,
            Self::Keyed(keyed) => keyed.push_when_free(event).await,
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
