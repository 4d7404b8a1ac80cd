//! What happens when a buffer is full.

use std::fmt;
use std::time::Duration;

use crate::error::OptionError;

/// What happens to an event when the buffer of its signal is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// `enqueue` waits for room, first come, first served; `try_enqueue` gives the event back.
    #[default]
    Wait,
    /// As `Wait`, and after so long the event is given back: [`EnqueueError::TimedOut`](crate::EnqueueError::TimedOut). Above zero. Needs tokio's timer.
    WaitUpTo(Duration),
    /// Both give the event back at once.
    Reject,
    /// The event that has been in the buffer for longest makes room, of those in its lane where there are [priorities](crate::SignalBuilder::priorities). If every place is kept for somebody
    /// who is [`ready`](crate::Signal::ready), there is none, and the event is given back.
    DropOldest,
    /// The event that comes is dropped.
    DropNewest,
}

/// Why an event that was accepted, or offered, is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// [`Overflow::DropOldest`] made room.
    Oldest,
    /// [`Overflow::DropNewest`] kept the buffer as it was.
    Newest,
    /// A newer event of the same key took its place: [`latest_by`](crate::SignalBuilder::latest_by).
    Superseded,
    /// The stream that held it was dropped before the event was read.
    StreamDropped,
    /// Its signal was dropped before there was a runtime to deliver it on; or it was held by a derived signal that was released, or whose last listener went.
    Released,
    /// The runtime that delivered the events ended.
    RuntimeEnded,
    /// Shutdown reached its deadline before the event's turn came.
    Shutdown,
}

impl DropReason {
    /// The name, as labels of metrics have it: `oldest`, `newest`, `superseded`, `stream_dropped`, `released`, `runtime_ended`, `shutdown`. See [`DropReason`](crate::DropReason).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Newest => "newest",
            Self::Superseded => "superseded",
            Self::StreamDropped => "stream_dropped",
            Self::Released => "released",
            Self::RuntimeEnded => "runtime_ended",
            Self::Shutdown => "shutdown",
        }
    }

    /// Every reason. See [`DropReason`](crate::DropReason).
    pub const ALL: [Self; 7] = [
        Self::Oldest,
        Self::Newest,
        Self::Superseded,
        Self::StreamDropped,
        Self::Released,
        Self::RuntimeEnded,
        Self::Shutdown,
    ];
}

impl Overflow {
    /// Whether `enqueue` waits for room.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Wait | Self::WaitUpTo(_))
    }

    pub(crate) fn check(self) -> Result<(), OptionError> {
        if self == Self::WaitUpTo(Duration::ZERO) {
            return Err(OptionError::new(
                "overflow",
                "WaitUpTo(0ns)",
                "it takes a wait above zero, or `Reject`",
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Overflow {
    /// "wait", "wait up to 5s", "reject", "drop oldest", "drop newest"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait => f.write_str("wait"),
            Self::WaitUpTo(limit) => write!(f, "wait up to {limit:?}"),
            Self::Reject => f.write_str("reject"),
            Self::DropOldest => f.write_str("drop oldest"),
            Self::DropNewest => f.write_str("drop newest"),
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oldest => "made room for a newer one",
            Self::Newest => "the buffer was full",
            Self::Superseded => "a newer one of its key came",
            Self::StreamDropped => "its stream was dropped",
            Self::Released => "its signal was released",
            Self::RuntimeEnded => "the runtime ended",
            Self::Shutdown => "shutdown reached its deadline",
        })
    }
}
