//! What an emission pays before its first listener is called.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use crate::outcome::Cause;

/// Ready when it is the emission's turn. Dropped before, it gives the turn back.
pub(crate) type Waits = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A limit on how often a signal emits, or all signals of a bus.
pub(crate) trait Toll: Send + Sync {
    /// Takes a token for an emission of this event: at once, or after a wait; or why its listeners are not to be called. Runs user code: the key.
    fn pay(&self, event: &(dyn Any + Send + Sync)) -> Result<Option<Waits>, Cause>;

    /// The limit, in words.
    fn words(&self) -> String;
}
