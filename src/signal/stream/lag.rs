//! Lag as a value.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use super::EventStream;
use crate::event::Event;

/// Events are missing here: the stream was read too slowly. It is no end; the next item is the first event after the gap. [`EventStream::with_lag`] has an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    pub(super) missed: u64,
}

impl Lagged {
    /// How many events are missing. See [`EventStream::with_lag`](crate::EventStream::with_lag).
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stream lagged and missed {} events", self.missed)
    }
}

impl Error for Lagged {}

/// A stream that yields what it has missed as a value. [`EventStream::with_lag`] makes it.
///
/// # Cancel safety
///
/// As the stream that it is made of: a `next()` that is dropped has taken neither an event nor a gap.
#[derive(Debug)]
#[must_use = "a stream that is dropped is not listening any more"]
pub struct LagStream<E: Event> {
    stream: EventStream<E>,
}

impl<E: Event> LagStream<E> {
    pub(super) fn new(stream: EventStream<E>) -> Self {
        Self { stream }
    }

    /// The stream that it is made of, for its counts and its key. See [`EventStream`](crate::EventStream).
    pub fn stream(&self) -> &EventStream<E> {
        &self.stream
    }
}

impl<E: Event> Stream for LagStream<E> {
    type Item = Result<E, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_taken(cx, true)
    }
}

impl<E: Event> FusedStream for LagStream<E> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}
