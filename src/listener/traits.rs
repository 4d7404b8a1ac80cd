//! The trait for listeners that are more than a closure.

use std::future::Future;

use crate::event::Event;
use crate::outcome::IntoOutcome;

/// A listener with state that is not `Clone`: one value, shared by all calls.
///
/// A closure is simpler wherever it does: it is cloned a call, so what it captures is `Clone` (an `Arc` of the state). Implement `handle` as an
/// `async fn`.
///
/// # Cancel safety
///
/// `handle` is dropped at an await point when its emission is cancelled, dropped or timed out: what must not be torn apart belongs in one step.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use fanfare::{Bus, Listener};
///
/// #[derive(Default)]
/// struct Total(AtomicU64); // not Clone
///
/// impl Listener<u64> for Total {
///     type Output = ();
///
///     async fn handle(&self, amount: u64) {
///         self.0.fetch_add(amount, Ordering::Relaxed);
///     }
/// }
///
/// let bus = Bus::new();
/// bus.listener(Total::default());
/// assert_eq!(bus.emit(7_u64).await.delivered(), 1);
/// # }
/// ```
pub trait Listener<E: Event>: Send + Sync + 'static {
    /// What `handle` returns: `()`, `Result<(), BoxError>`, or whatever else [`IntoOutcome`] takes.
    type Output: IntoOutcome;

    /// Handles one event. Calls may overlap: of several emissions, and on several threads.
    fn handle(&self, event: E) -> impl Future<Output = Self::Output> + Send;
}
