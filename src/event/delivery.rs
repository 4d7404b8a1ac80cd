//! One event on its way to one listener.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::key::Identity;

/// One event on its way to one listener: the request type of every `tower` service and layer.
///
/// The event is type-erased and shared, so that one service serves any event type; [`event`](Self::event) gives it back.
/// Cloning costs two reference counts.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Bus, BoxError, Delivery};
///
/// let bus = Bus::new();
/// bus.service::<u32, _>(tower::service_fn(async |d: Delivery| -> Result<(), BoxError> {
///     assert_eq!(d.event::<u32>(), Some(&7));
///     assert_eq!(d.attempt(), 1);
///     Ok(())
/// }));
/// assert_eq!(bus.emit(7_u32).await.delivered(), 1);
/// # }
/// ```
#[derive(Clone)]
pub struct Delivery {
    event: Arc<dyn Any + Send + Sync>,
    event_type: &'static str,
    emission: u64,
    attempt: u32,
    listener: Arc<Identity>,
}

impl Delivery {
    pub(crate) fn first<E: Any + Send + Sync>(
        event: Arc<E>,
        emission: u64,
        listener: Arc<Identity>,
    ) -> Self {
        Self {
            event,
            event_type: std::any::type_name::<E>(),
            emission,
            attempt: 1,
            listener,
        }
    }

    /// The event, if it is an `E`. See [`Delivery`](crate::Delivery).
    pub fn event<E: Any>(&self) -> Option<&E> {
        self.event.downcast_ref()
    }

    /// The event type's name, as `std::any::type_name` writes it. See [`Delivery`](crate::Delivery).
    pub fn event_type(&self) -> &'static str {
        self.event_type
    }

    /// The name of the signal that emits. See [`Delivery`](crate::Delivery).
    pub fn signal(&self) -> &str {
        &self.listener.signal
    }

    /// The key of the listener that is called, if it has one. See [`Delivery`](crate::Delivery).
    pub fn listener_key(&self) -> Option<&str> {
        self.listener.key.as_ref().map(crate::key::Key::as_str)
    }

    /// A number that all deliveries of one emission share, and no other emission of the process has. See [`Delivery`](crate::Delivery).
    pub fn emission_id(&self) -> u64 {
        self.emission
    }

    /// Which attempt this is; the first is 1. See [`Delivery`](crate::Delivery).
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("event_type", &self.event_type)
            .field("signal", &self.signal())
            .field("listener_key", &self.listener_key())
            .field("emission_id", &self.emission)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
