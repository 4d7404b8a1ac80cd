//! Why an event was not taken.

use std::fmt;

/// Why an event was not taken into the buffer, or not detached. Gives the event back: nothing is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnqueueError<E> {
    /// There is no room now. Trying again later can help.
    Full(E),
    /// There was no room in time: [`Overflow::WaitUpTo`](crate::Overflow::WaitUpTo). Trying again later can help.
    TimedOut(E),
    /// The signal was shut down. Trying again cannot help.
    Closed(E),
    /// The buffer is full, and the caller is a listener of the same signal: waiting for room would wait for itself. Emit the event in place,
    /// use `try_enqueue`, or give the signal a larger buffer.
    WouldDeadlock(E),
    /// The work has no tokio runtime to run on. Call inside a runtime, or give the builder a handle with `runtime`.
    NoRuntime(E),
}

impl<E> EnqueueError<E> {
    /// The event. See [`Signal::try_enqueue`](crate::Signal::try_enqueue).
    pub fn into_event(self) -> E {
        match self {
            Self::Full(event)
            | Self::TimedOut(event)
            | Self::Closed(event)
            | Self::WouldDeadlock(event)
            | Self::NoRuntime(event) => event,
        }
    }

    /// Whether there was no room, at once or in time. See [`Signal::try_enqueue`](crate::Signal::try_enqueue).
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_) | Self::TimedOut(_))
    }

    /// Whether the signal was shut down. See [`Signal::try_enqueue`](crate::Signal::try_enqueue).
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<E> fmt::Debug for EnqueueError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::TimedOut(_) => "TimedOut(..)",
            Self::Closed(_) => "Closed(..)",
            Self::WouldDeadlock(_) => "WouldDeadlock(..)",
            Self::NoRuntime(_) => "NoRuntime(..)",
        })
    }
}

impl<E> fmt::Display for EnqueueError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = std::any::type_name::<E>();
        match self {
            Self::Full(_) => write!(f, "the buffer of `{name}` is full"),
            Self::TimedOut(_) => write!(f, "the buffer of `{name}` stayed full"),
            Self::Closed(_) => write!(f, "the signal of `{name}` is closed"),
            Self::WouldDeadlock(_) => write!(
                f,
                "the buffer of `{name}` is full and one of its own listeners would wait for room: emit in place or use `try_enqueue`"
            ),
            Self::NoRuntime(_) => write!(
                f,
                "no tokio runtime to deliver `{name}` on: call inside one, or set `runtime`"
            ),
        }
    }
}

impl<E> std::error::Error for EnqueueError<E> {}
