//! The handle.

use std::fmt;
use std::sync::{Arc, Weak};

use super::{Inner, SignalBuilder};
use crate::dispatch::Options;
use crate::event::Event;
use crate::layer::Layers;

/// The fan-out point of one event type: its listeners, options and counts. Cheap to clone; clones are the same signal.
///
/// A signal works by itself, or as one of a [`Bus`](crate::Bus), which [`signal`](crate::Bus::signal) hands out: a handle saves the bus's look-up on
/// every emission.
///
/// # Performance
///
/// `emit` takes no lock and looks nothing up. Registration copies the list of listeners: O(n), under a lock that only other registrations wait
/// for; [`batch`](Self::batch) registers many in one copy.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::EmitError> {
/// use fanfare::Signal;
///
/// #[derive(Clone)]
/// struct OrderPlaced { id: u64 }
///
/// let placed = Signal::<OrderPlaced>::new();
/// placed.on(async |order| println!("order {}", order.id));
/// let report = placed.emit(OrderPlaced { id: 7 }).await.into_result()?;
/// assert_eq!(report.delivered(), 1);
/// # Ok(()) }
/// ```
pub struct Signal<E: Event> {
    pub(crate) inner: Arc<Inner<E>>,
}

impl<E: Event> Signal<E> {
    /// Makes a signal with the default options. Works outside a runtime. See [`Signal`](crate::Signal).
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Starts a signal with options.
    ///
    /// ```
    /// use fanfare::{Dispatch, OnError, Signal};
    ///
    /// let signal = Signal::<u32>::builder()
    ///     .name("temperatures")
    ///     .dispatch(Dispatch::Sequential)
    ///     .on_error(OnError::Stop)
    ///     .build();
    /// assert_eq!(signal.name(), "temperatures");
    /// ```
    pub fn builder() -> SignalBuilder<E> {
        SignalBuilder::default()
    }
}

impl<E: Event> Signal<E> {
    /// A signal with the options of a bus, which has checked them.
    pub(crate) fn with_checked(options: Options, layers: Layers) -> Self {
        let shape = options.shape();
        Self {
            inner: Inner::new(
                std::any::type_name::<E>().into(),
                options,
                layers,
                Vec::new(),
                None,
                shape,
            ),
        }
    }
}

impl<E: Event> Signal<E> {
    /// A handle that does not keep the signal alive. [`Bus::downgrade`](crate::Bus::downgrade) says what for.
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::new();
    /// let weak = signal.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(signal);
    /// assert!(weak.upgrade().is_none());
    /// ```
    pub fn downgrade(&self) -> WeakSignal<E> {
        WeakSignal {
            inner: Arc::downgrade(&self.inner),
        }
    }
}

/// A handle that does not keep its signal alive. [`Signal::downgrade`] makes it.
pub struct WeakSignal<E: Event> {
    inner: Weak<Inner<E>>,
}

impl<E: Event> WeakSignal<E> {
    /// The signal, if a [`Signal`] handle or its bus still lives.
    pub fn upgrade(&self) -> Option<Signal<E>> {
        let inner = self.inner.upgrade()?;
        Some(Signal { inner })
    }
}

impl<E: Event> Clone for WeakSignal<E> {
    fn clone(&self) -> Self {
        Self {
            inner: Weak::clone(&self.inner),
        }
    }
}

impl<E: Event> fmt::Debug for WeakSignal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSignal").finish_non_exhaustive()
    }
}

impl<E: Event> Clone for Signal<E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<E: Event> Default for Signal<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Event> fmt::Debug for Signal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("name", &self.name())
            .field("listeners", &self.len())
            .finish_non_exhaustive()
    }
}
