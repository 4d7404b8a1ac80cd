//! [`Signal`]: the fan-out point of one event type.
//!
//! # Failures
//!
//! - **A listener cannot be registered**: [`RegisterError`](crate::RegisterError) from the builder; the short forms cannot fail for a type that may be emitted.
//! - **The buffer is full, or the signal closed**: [`EnqueueError`](crate::EnqueueError) gives the event back.
//! - **The runtime that delivered buffered events ends**: the events are reported as dropped, and the next call starts anew.

mod any;
mod batch;
mod batches;
mod buffering;
mod builder;
mod change;
mod dead_letter;
mod derive;
mod describe;
mod drain;
mod enter;
mod follow;
mod handle;
mod history;
mod inner;
mod introspect;
mod keyed;
mod late;
mod listen;
mod on;
mod pause;
mod ready;
mod register;
mod send;
mod shutdown;
mod stream;
mod subscription;
mod switch;
mod with_delivery;

pub(crate) use any::AnySignal;
pub use batch::Batch;
pub use batches::{BatchOutcome, Batches, IntoBatchOutcome};
pub use builder::SignalBuilder;
pub(crate) use change::{observe, resize};
pub use derive::{
    Derived, Measure, OneOf, OneOf2, OneOf3, OneOf4, OneOf5, OneOf6, Upstream, Window, Windowed,
};
pub use describe::Description;
pub use handle::{Signal, WeakSignal};
pub(crate) use inner::Inner;
pub use listen::{EventOnly, ListenBuilder, OnceMeans, WithDelivery};
pub use pause::Pause;
pub use ready::{Ready, ReadyError};
pub use shutdown::{Shutdown, Undelivered, Unfinished};
pub(crate) use shutdown::{Teller, shutdown, tell_of_begin, tell_of_end};
pub use stream::{EmitSink, EnqueueSink, EventStream, LagStream, Lagged, Next, StreamBuilder};
pub use subscription::{Scoped, Subscription};
pub use switch::SwitchError;
