//! Streams and sinks: events that are read at the reader's own pace, and events that come from a stream.
//!
//! A stream is a listener that puts each event into a bounded buffer of its own, from which the reader takes it: a slow reader slows nobody, unless its policy is to wait.
//!
//! # Failures
//!
//! - **The reader is too slow**: what happens is the [`Overflow`](crate::Overflow) policy of the stream. What it misses is counted ([`EventStream::lagged`]), a value in its place of the order
//!   ([`EventStream::with_lag`]), and a warning in the log where nobody has asked for either.
//! - **The signal ends**: it is gone, has been shut down, or the listener was removed. The stream yields what it holds, and then ends.
//! - **The stream is dropped**: its listener is removed, emissions that wait for room go on, and what was not read is counted as dropped.
//! - **An emission of a sink does not go well**: an error of the sink, which can be used on.

mod builder;
mod channel;
mod lag;
mod next;
mod place;
mod reader;
mod sink;

pub use builder::StreamBuilder;
pub(in crate::signal) use builder::built;
pub use lag::{LagStream, Lagged};
pub use next::Next;
pub use reader::EventStream;
pub use sink::{EmitSink, EnqueueSink};
