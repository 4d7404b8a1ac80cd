//! Waiting for a buffer without pressure.

use std::fmt;

use super::Signal;
use crate::buffer::{EnqueueError, IsClosed, Reserved};
use crate::context::{is_within, without_permit};
use crate::event::Event;

/// # Backpressure
impl<E: Event> Signal<E> {
    /// Waits until the buffer has room and is not under pressure, and keeps that room: what [`Ready::enqueue`] is given then is taken, whatever others do meanwhile.
    ///
    /// Under pressure is the buffer from its high mark on, until it has fallen to the low one: see [`watermarks`](crate::SignalBuilder::watermarks). So a producer that is slowed down comes
    /// back when there is room for many events, not for one. Those who wait are served in the order in which they came. Any number of producers that only send with
    /// `signal.ready().await?.enqueue(event)` lose nothing, whatever the [`Overflow`](crate::Overflow) policy, but where events are keyed.
    ///
    /// Where there are [priorities](crate::SignalBuilder::priorities), a place is kept in each lane, since the event's is not known yet, and those not used are free again. Where events are
    /// [keyed](crate::SignalBuilder::keyed_by), none is kept, since the part of the buffer is not known: it waits for the marks alone, and an event whose part is full is given back by
    /// [`Ready::enqueue`], never dropped; `enqueue` waits for that part.
    ///
    /// # Performance
    ///
    /// Two locks when it does not wait. A listener with a permit of a pool holds none while it waits.
    ///
    /// # Errors
    ///
    /// See [`ReadyError`].
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, the room goes to whoever waits next.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use fanfare::{Overflow, Signal};
    ///
    /// let signal = Signal::<u32>::builder().buffer(8).overflow(Overflow::DropOldest).build();
    /// signal.on(async |_| {});
    /// for n in 0..1_000 {
    ///     signal.ready().await?.enqueue(n)?;
    /// }
    /// assert!(signal.shutdown(Duration::from_secs(1)).await.is_clean());
    /// assert_eq!((signal.stats().emissions(), signal.stats().dropped()), (1_000, 0));
    /// # Ok(()) }
    /// ```
    pub async fn ready(&self) -> Result<Ready<E>, ReadyError> {
        let inner = &self.inner;
        // A listener of this signal cannot wait for those who wait for it to end.
        let own = is_within(|call| call.signal == inner.core.id);
        // Where no room is kept, a producer may come back at once again and again.
        tokio::task::coop::consume_budget().await;
        let reserved = match inner.buffer.try_reserve(own)? {
            Some(reserved) => reserved,
            None if own => return Err(ReadyError::WouldDeadlock),
            None if !inner.deliver_pending() => return Err(ReadyError::NoRuntime),
            // Whoever makes room may need the permit of the listener that waits here.
            None => without_permit(inner.buffer.reserve()).await?,
        };
        Ok(Ready {
            signal: self.clone(),
            reserved,
        })
    }
}

/// Room for one event in the buffer of a signal. [`Signal::ready`] makes it.
///
/// Dropped, it gives the room back. Hold it no longer than it takes to make the event: others wait for the room.
#[must_use = "it keeps room in the buffer for an event"]
pub struct Ready<E: Event> {
    signal: Signal<E>,
    reserved: Reserved,
}

impl<E: Event> Ready<E> {
    /// Puts the event into the room that is kept for it. Does not wait, and never finds the buffer full. See [`Signal::ready`].
    ///
    /// # Errors
    ///
    /// Gives the event back: [`Closed`](EnqueueError::Closed) after shutdown. Where events are [keyed](crate::SignalBuilder::keyed_by), [`Full`](EnqueueError::Full) if the part of its key
    /// is, whatever the policy.
    pub fn enqueue(mut self, event: E) -> Result<(), EnqueueError<E>> {
        let signal = &self.signal;
        let pushed = signal
            .inner
            .buffer
            .push_reserved(event, self.reserved.take());
        signal.counted(pushed.map(|pushed| signal.inner.accept(pushed)))
    }
}

#[cfg(fanfare_plant = "reserved-place-lost")]
impl<E: Event> Drop for Ready<E> {
    fn drop(&mut self) {
        std::mem::forget(self.reserved.take());
    }
}

impl<E: Event> fmt::Debug for Ready<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("signal", &self.signal.name())
            .finish_non_exhaustive()
    }
}

/// Why there will be no room in a buffer for whoever asks. See [`Signal::ready`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadyError {
    /// The signal was shut down. Trying again cannot help.
    Closed,
    /// The buffer is full or under pressure, and the caller is a listener of the same signal: it would wait for itself. Emit the event in place, use `try_enqueue`, or give the signal a
    /// larger buffer.
    WouldDeadlock,
    /// The buffer is full or under pressure, and there is no tokio runtime to deliver what is in it. Call inside a runtime, or give the builder a handle with `runtime`.
    NoRuntime,
}

impl From<IsClosed> for ReadyError {
    fn from(_: IsClosed) -> Self {
        Self::Closed
    }
}

impl fmt::Display for ReadyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the signal is closed",
            Self::WouldDeadlock => {
                "the buffer is under pressure and a listener of its own would wait for room: emit in place or use `try_enqueue`"
            }
            Self::NoRuntime => {
                "no tokio runtime to deliver what is in the buffer: call inside one, or set `runtime`"
            }
        })
    }
}

impl std::error::Error for ReadyError {}
