//! Events that come from a stream.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;
use tokio_util::sync::ReusableBoxFuture;

use crate::buffer::EnqueueError;
use crate::event::Event;
use crate::outcome::EmitError;
use crate::signal::Signal;

impl<E: Event> Signal<E> {
    /// A [`Sink`] that emits each item, and takes the next one when its listeners are done. See [`EmitSink`].
    pub fn sink(&self) -> EmitSink<E> {
        EmitSink {
            signal: self.clone(),
            sending: Sending::nothing(),
        }
    }

    /// A [`Sink`] that puts each item into the signal's bounded buffer, and takes the next one when there was room. See [`EnqueueSink`].
    pub fn enqueue_sink(&self) -> EnqueueSink<E> {
        EnqueueSink {
            signal: self.clone(),
            sending: Sending::nothing(),
        }
    }
}

/// A [`Sink`] whose items are emitted, one after the other. [`Signal::sink`](crate::Signal::sink) and [`Bus::sink`](crate::Bus::sink) make it.
///
/// An item is taken when the listeners of the one before are done; a flush waits for those of the last. An emission that did not go well is an
/// [`EmitError`] of the call that finds out, as is one on a signal that is shut down. Nothing else is lost by it: the sink can be used on, though
/// [`forward`](https://docs.rs/futures/latest/futures/stream/trait.StreamExt.html#method.forward) ends at the first error.
///
/// # Cancel safety
///
/// A sink that is dropped cancels the emission that is under way, as dropping [`Emit`](crate::Emit) does: flush it first.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::EmitError> {
/// use fanfare::Signal;
/// use futures::{SinkExt, StreamExt, stream};
///
/// let signal = Signal::<u32>::new();
/// signal.on(async |n| if n > 9 { Err("too large") } else { Ok(()) });
///
/// stream::iter([1, 2, 3]).map(Ok).forward(signal.sink()).await?;
///
/// let mut sink = signal.sink();
/// assert!(sink.send(12).await.is_err());
/// sink.send(4).await?; // used on
/// assert_eq!(signal.stats().emissions(), 5);
/// # Ok(()) }
/// ```
#[must_use = "a sink does nothing until it is given items"]
pub struct EmitSink<E: Event> {
    signal: Signal<E>,
    sending: Sending<EmitError>,
}

/// A [`Sink`] whose items go through the signal's bounded buffer. [`Signal::enqueue_sink`](crate::Signal::enqueue_sink) and [`Bus::enqueue_sink`](crate::Bus::enqueue_sink) make it.
///
/// An item is taken when the one before is in the buffer; a flush waits until the last one is. It is delivered from there whether or not the sink goes on. An item that is not taken
/// is given back by the [`EnqueueError`], and the sink can be used on.
///
/// # Cancel safety
///
/// A sink that is dropped before it was flushed may drop the one item that waits for room.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
/// use futures::{StreamExt, stream};
///
/// let signal = fanfare::Signal::<u32>::builder().buffer(2).build();
/// signal.on(async |n| println!("{n}"));
/// stream::iter(0..10).map(Ok).forward(signal.enqueue_sink()).await.unwrap();
/// assert!(signal.shutdown(Duration::from_secs(1)).await.is_clean()); // all ten were delivered
/// # }
/// ```
#[must_use = "a sink does nothing until it is given items"]
pub struct EnqueueSink<E: Event> {
    signal: Signal<E>,
    sending: Sending<EnqueueError<E>>,
}

/// What was last begun, in a box that the next one takes over.
struct Sending<Error> {
    course: ReusableBoxFuture<'static, Result<(), Error>>,
    under_way: bool,
}

impl<Error: Send + 'static> Sending<Error> {
    fn nothing() -> Self {
        Self {
            course: ReusableBoxFuture::new(ready(Ok(()))),
            under_way: false,
        }
    }

    fn begin(&mut self, course: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.course.set(course);
        self.under_way = true;
    }

    /// Ready when what was last begun has ended. Its error is told once.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.under_way {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(self.course.poll(cx));
        self.under_way = false;
        Poll::Ready(result)
    }
}

impl<E: Event> Sink<E> for EmitSink<E> {
    type Error = EmitError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), EmitError>> {
        self.sending.poll(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, event: E) -> Result<(), EmitError> {
        let signal = self.signal.clone();
        let course = async move { signal.emit(event).await.into_result().map(drop) };
        self.sending.begin(course);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), EmitError>> {
        self.sending.poll(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), EmitError>> {
        self.sending.poll(cx)
    }
}

impl<E: Event> Sink<E> for EnqueueSink<E> {
    type Error = EnqueueError<E>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sending.poll(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, event: E) -> Result<(), Self::Error> {
        let signal = self.signal.clone();
        self.sending
            .begin(async move { signal.enqueue(event).await });
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sending.poll(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sending.poll(cx)
    }
}

impl<E: Event> fmt::Debug for EmitSink<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitSink")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

impl<E: Event> fmt::Debug for EnqueueSink<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnqueueSink")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}
