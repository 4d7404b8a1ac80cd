//! The events of a window.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::machine::Span;
use crate::clock::Instant;
use crate::event::Event;

/// The events of one window, oldest first: it derefs to a slice of them. Cheap to clone. [`Signal::window`](crate::Signal::window) makes it.
pub struct Windowed<E> {
    span: Arc<Span<E>>,
}

impl<E: Event> Windowed<E> {
    /// Clones those events that another window has too.
    pub(super) fn of(span: Span<Arc<E>>) -> Self {
        let items = span.items.into_iter();
        Self {
            span: Arc::new(Span {
                items: items.map(Arc::unwrap_or_clone).collect(),
                began: span.began,
                ended: span.ended,
                missed: span.missed,
            }),
        }
    }
}

impl<E> Windowed<E> {
    /// When the window began: for one by count, when its first event came; for one by time, its length before its end, or when the first event of all came if that is
    /// later. See [`Window`](crate::Window).
    pub fn began(&self) -> Instant {
        self.span.began
    }

    /// When the window ended: for one by count, when its last event came; for one by time, when its time was over; for one that a shutdown ended, then.
    /// See [`Window`](crate::Window).
    pub fn ended(&self) -> Instant {
        self.span.ended
    }

    /// How many events have fallen out for want of room since the window before: [`Window::at_most`](crate::Window::at_most) says how much there is.
    pub fn missed(&self) -> u64 {
        self.span.missed
    }
}

impl<E> Deref for Windowed<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.span.items
    }
}

impl<E> Clone for Windowed<E> {
    fn clone(&self) -> Self {
        Self {
            span: Arc::clone(&self.span),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Windowed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windowed")
            .field("events", &self.span.items)
            .field("missed", &self.span.missed)
            .finish_non_exhaustive()
    }
}
