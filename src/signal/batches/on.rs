//! Registering a listener of batches.

use std::sync::Arc;

use super::call::call;
use super::gather::Gather;
use super::{Batches, IntoBatchOutcome};
use crate::event::{Delivery, Event};
use crate::layer::{event_of, leaf};
use crate::registry::RegisterError;
use crate::signal::register::registered;
use crate::signal::{ListenBuilder, Signal, Subscription};

/// # Batches
impl<E: Event> ListenBuilder<'_, E> {
    /// Registers an async closure of many events at once. See [`Signal::on_batch`](crate::Signal::on_batch).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::layer::Retry;
    /// use fanfare::{Batches, Signal};
    ///
    /// let rows = Signal::<u32>::new();
    /// rows.listen()
    ///     .key("insert")
    ///     .retry(Retry::exponential().max_attempts(3)) // a row that fails is in a later batch
    ///     .on_batch(Batches::of(100), async |rows: Vec<u32>| println!("{} rows", rows.len()))?;
    /// assert!(rows.emit(7).await.is_ok()); // after 100 ms: nothing else came
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on); and an option of the batches that makes no sense.
    pub fn on_batch<F, Fut>(
        self,
        batches: Batches,
        listener: F,
    ) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(Vec<E>) -> Fut + Clone + Send + Sync + 'static, // fix: a `Vec` of the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoBatchOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        batches.check()?;
        self.register_layered(false, |keeper| {
            let gather = Arc::new(Gather::new(batches, listener, keeper));
            leaf(move |d: &Delivery| call(Arc::clone(&gather), d, event_of::<E>(d).clone()))
        })
    }
}

/// # Batches
impl<E: Event> Signal<E> {
    /// Registers an async closure of many events at once: it is called when so many have come, or the first has waited for so long. Each event has an outcome of its own.
    ///
    /// It returns `()`, a `Result` for the batch, or a `Vec` with a `Result` for each event in order: [`IntoBatchOutcome`]. [`Batches`] says how events come together, and what becomes of
    /// them.
    ///
    /// # Performance
    ///
    /// That of a listener with a layer; an event is cloned into its batch, and each batch makes a `Vec`, a box and a timer.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// use fanfare::{Batches, Signal};
    ///
    /// let rows = Signal::<u32>::new();
    /// rows.on_batch(Batches::of(3).within(Duration::from_millis(50)), async |rows: Vec<u32>| {
    ///     assert_eq!(rows, [1, 2, 3]);
    /// });
    /// let (a, b, c) = tokio::join!(rows.emit(1), rows.emit(2), rows.emit(3));
    /// assert!(a.is_ok() && b.is_ok() && c.is_ok());
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If an option of the batches makes no sense; or as [`on`](Self::on).
    #[track_caller]
    pub fn on_batch<F, Fut>(&self, batches: Batches, listener: F) -> Subscription
    where
        F: FnOnce(Vec<E>) -> Fut + Clone + Send + Sync + 'static, // fix: a `Vec` of the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoBatchOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        registered(self.listen().on_batch(batches, listener))
    }
}
