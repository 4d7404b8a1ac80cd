//! Events and how they travel: [`Event`] is what may be emitted, [`Delivery`] is one event on its way to one listener.

mod addressee;
mod call;
mod delivery;
mod envelope;
mod follow;
mod headers;
mod traceparent;

pub(crate) use addressee::{Addressee, Ledger};
pub(crate) use call::Call;
pub use delivery::Delivery;
pub(crate) use envelope::{Envelope, Held, Traced, Turning};
pub(crate) use follow::Erased;
pub use follow::{Events, IntoEvents, IntoFollowUps, One};
pub use headers::Headers;
pub(crate) use headers::TRACEPARENT;
#[cfg(feature = "otel")]
pub(crate) use headers::TRACESTATE;
pub use traceparent::{TraceParent, TraceParentError};

/// What may be emitted: any `Clone + Send + Sync + 'static` value. Nothing has to be derived or implemented for it.
///
/// A listener owns the event it is given, so an emission with `n` listeners that take it by value clones it at most `n - 1` times.
/// Events that are dear to clone go through `on_shared` or `on_sync`, which do not clone.
///
/// ```
/// #[derive(Clone)]
/// struct OrderPlaced { id: u64 }
///
/// fn is_event<E: fanfare::Event>() {}
/// is_event::<OrderPlaced>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be emitted: an event is `Clone + Send + Sync + 'static`",
    label = "not an event",
    note = "add `#[derive(Clone)]` to the event",
    note = "if it is `Clone` already, a field of it is not `Send` or `Sync`: replace `Rc` by `Arc`, `RefCell` by `Mutex`"
)]
pub trait Event: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Event for T {}
