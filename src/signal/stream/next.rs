//! The next event.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedFuture, FusedStream as _, Stream as _};

use super::EventStream;
use super::builder::built;
use crate::event::Event;
use crate::signal::{ListenBuilder, OnceMeans, Signal};

/// The future of the next event that is wanted. [`Signal::next`](crate::Signal::next) and [`Bus::next`](crate::Bus::next) make it.
///
/// # Cancel safety
///
/// It listens from the call on that made it, whether or not it is polled; polled by reference, in `select!` say, it misses nothing. Dropping it removes its listener.
#[derive(Debug)]
#[must_use = "a future that is dropped is not listening any more"]
pub struct Next<E: Event> {
    stream: EventStream<E>,
}

impl<E: Event> Signal<E> {
    /// The next event that `wanted` says yes to, of those that are emitted from this call on. `None` if the signal is gone, or has been shut down, before one came.
    ///
    /// It is a listener of one call with a [`filter`](crate::ListenBuilder::filter), and registered here, not when it is first polled.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let numbers = fanfare::Signal::<u32>::new();
    /// let large = numbers.next(|n| *n > 9);
    /// numbers.emit(7).await;
    /// numbers.emit(12).await;
    /// assert_eq!(large.await, Some(12));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn next(&self, wanted: impl Fn(&E) -> bool + Send + Sync + 'static) -> Next<E> {
        Next::of(self.listen().filter(wanted))
    }
}

impl<E: Event> Next<E> {
    #[track_caller]
    pub(crate) fn of(listen: ListenBuilder<'_, E>) -> Self {
        // A retry that the signal gives its listeners has nothing to do here: there is room for the one event.
        let once = listen.once().once_means(OnceMeans::OneAttempt);
        Self {
            stream: built(once.stream().buffer(1)),
        }
    }
}

impl<E: Event> Future for Next<E> {
    type Output = Option<E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        Pin::new(&mut self.stream).poll_next(cx)
    }
}

impl<E: Event> FusedFuture for Next<E> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}
