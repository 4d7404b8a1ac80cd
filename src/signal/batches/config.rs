//! When a batch is delivered.

use std::time::Duration;

use crate::error::{OptionError, check_count};

/// How many events a listener is called with at once, and how long they may wait for each other: [`ListenBuilder::on_batch`](crate::ListenBuilder::on_batch).
///
/// A batch is due when it is full, when its first event has waited for [`within`](Self::within), or when a shutdown begins. Batches are delivered one after another, in the order of
/// their events, unless [`at_once`](Self::at_once) says otherwise. One that is due and not full takes events until it is its turn: the longer a delivery takes, the larger the next batch.
///
/// Each event waits for its batch, and has an outcome of its own: an emission that is awaited reports what became of its event. While an event waits, its call holds no permit of a pool. Layers are around the single event: a
/// retry puts it into a later batch, a timeout or deadline that ends its wait takes it out of the batch that it waits in. An event that nobody awaits (from the buffer, detached, or held for the listener) goes on
/// in the background as soon as it is in its batch, with the outcome [`Deferred`](crate::Outcome::Deferred), so that the next one can join it; of those there are at most
/// [`max_background`](crate::SignalBuilder::max_background), and the others wait where they are.
///
/// An event that comes by way of a [derived signal](crate::Derived) is always awaited, by the emission of the source or by the task of a window, whether or not anybody awaits those: it holds up whatever comes after it in the
/// buffer of the source until its batch is done. With one delivery of the buffer at a time, each waits for [`within`](Self::within), alone.
///
/// # Failures
///
/// - **The listener fails as a whole**: each event of the batch has failed with that error.
/// - **It panics**: each event of the batch has panicked.
/// - **It returns too few outcomes, or too many**: each event of the batch has failed, with an error that says so.
/// - **A call is dropped before its batch is delivered**: its event is taken out. Later, the batch goes on with it; one of which all calls are dropped is cancelled.
/// - **The listener awaits an emission that its own batches are to have**: the event would wait for the batch that waits for it, and is rejected,
///   [`Rejection::WouldDeadlock`](crate::Rejection::WouldDeadlock).
/// - **Fewer events than a batch takes can come together** (a [`Concurrency`](crate::layer::Concurrency) of fewer around the listener, `Sequential` emissions that are each awaited, a signal with
///   [keys](crate::SignalBuilder::keyed_by)): each batch waits until its time is up. An event that waits for its batch has the turn of its key for so long, in the background too, so no batch has two events of one key.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fanfare::{Batches, Signal};
///
/// let rows = Signal::<String>::new();
/// rows.on_batch(Batches::of(500).within(Duration::from_millis(20)), async |rows: Vec<String>| {
///     println!("insert {} rows", rows.len());
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until it is given to `on_batch`"]
pub struct Batches {
    pub(super) size: usize,
    pub(super) within: Duration,
    pub(super) at_once: usize,
}

impl Batches {
    /// Batches of up to so many events, from 1 to 65,536. See [`Batches`](crate::Batches).
    pub fn of(events: usize) -> Self {
        Self {
            size: events,
            within: Duration::from_millis(100),
            at_once: 1,
        }
    }

    /// The longest that the first event of a batch waits for others. Default: 100 ms; above zero. Needs tokio's timer. See [`Batches`](crate::Batches).
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// How many batches may be delivered at once; they begin in order, each once the listener was called with the one before. Default: 1; from 1 to 65,536. See [`Batches`](crate::Batches).
    pub fn at_once(mut self, batches: usize) -> Self {
        self.at_once = batches;
        self
    }

    pub(super) fn check(&self) -> Result<(), OptionError> {
        const MOST: usize = 1 << 16;
        check_count("of", self.size, MOST, "it takes 1 to 65,536 events")?;
        check_count(
            "at_once",
            self.at_once,
            MOST,
            "it takes 1 to 65,536 batches",
        )?;
        if self.within.is_zero() {
            return Err(OptionError::new(
                "within",
                "0ns",
                "it takes a time above zero",
            ));
        }
        Ok(())
    }
}
