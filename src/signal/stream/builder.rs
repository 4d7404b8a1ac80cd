//! How a stream is made.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use super::EventStream;
use super::channel::{Channel, Sender, Told};
use crate::buffer::{DropReason, Overflow, Queue, Shape};
use crate::error::{OptionError, check_count};
use crate::event::Event;
use crate::key::Key;
use crate::registry::RegisterError;
use crate::signal::buffering::Buffering;
use crate::signal::inner::OnDropped;
use crate::signal::listen::Target;
use crate::signal::{ListenBuilder, Signal};

/// Options of a stream. Each has a default and a limit; what makes no sense is refused by name in [`build`](Self::build). [`ListenBuilder::stream`] makes it, and everything that stands before it
/// there is the stream's too: key, filter, priority, stage, `times`, rollout, layers.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::{Overflow, Signal};
/// use futures::StreamExt;
///
/// let temperatures = Signal::<i32>::new();
/// let mut frost = temperatures
///     .listen()
///     .key("frost")
///     .filter(|degrees| *degrees < 0)
///     .stream()
///     .buffer(2)
///     .overflow(Overflow::DropOldest)
///     .build()?;
/// for degrees in [4, -1, -2, -3] {
///     temperatures.emit(degrees).await;
/// }
/// assert_eq!((frost.next().await, frost.next().await), (Some(-2), Some(-3)));
/// assert_eq!(frost.lagged(), 1);
/// # Ok(()) }
/// ```
#[must_use = "nothing is registered until `build` is called"]
pub struct StreamBuilder<'a, E: Event> {
    listen: ListenBuilder<'a, E>,
    buffer: usize,
    overflow: Overflow,
    buffering: Buffering<E>,
    on_dropped: Vec<OnDropped<E>>,
}

impl<'a, E: Event> ListenBuilder<'a, E> {
    /// Registers a stream instead of a listener: events are read from it at the reader's own pace. See [`StreamBuilder`].
    pub fn stream(self) -> StreamBuilder<'a, E> {
        StreamBuilder {
            listen: self,
            buffer: 1_024,
            overflow: Overflow::DropOldest,
            buffering: Buffering::default(),
            on_dropped: Vec::new(),
        }
    }
}

impl<E: Event> Signal<E> {
    /// The events that are emitted from now on, as a [`Stream`](futures_core::Stream), with the default options: 1,024 events are buffered, and the oldest makes room when they are not read.
    /// [`ListenBuilder::stream`] has options.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use futures::StreamExt;
    ///
    /// let signal = fanfare::Signal::<u32>::new();
    /// let mut numbers = signal.stream();
    /// signal.emit(7).await;
    /// assert_eq!(numbers.next().await, Some(7));
    /// drop(signal);
    /// assert_eq!(numbers.next().await, None);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn stream(&self) -> EventStream<E> {
        built(self.listen().stream())
    }
}

/// A stream without options fails where a listener without options does.
#[track_caller]
pub(in crate::signal) fn built<E: Event>(builder: StreamBuilder<'_, E>) -> EventStream<E> {
    match builder.build() {
        Ok(stream) => stream,
        Err(error) => panic!("{error}"),
    }
}

impl<E: Event> StreamBuilder<'_, E> {
    /// How many events may wait to be read. Default: 1,024; from 1 to 16,777,216. See [`StreamBuilder`](crate::StreamBuilder).
    pub fn buffer(mut self, events: usize) -> Self {
        self.buffer = events;
        self
    }

    /// What happens to an event when as many wait to be read. Default: [`Overflow::DropOldest`].
    ///
    /// | policy | the emission | the event |
    /// |---|---|---|
    /// | `DropOldest`, `DropNewest` | goes on; `Done` | one is missed, counted in [`Stats::dropped`](crate::Stats::dropped) and shown to [`on_dropped`](Self::on_dropped) |
    /// | `Reject` | goes on; [`Rejection::StreamFull`](crate::Rejection::StreamFull) | is missed |
    /// | `Wait` | waits for room, for as long as it takes | is missed only if the emission ends before that |
    /// | `WaitUpTo` | waits so long, then as `Reject` | is missed then |
    ///
    /// Whoever waits holds no permit of a pool. A reader that is itself a listener which the emission waits for would never make room: let it read in a task of its own.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Keeps only the latest event of each key, as [`SignalBuilder::latest_by`](crate::SignalBuilder::latest_by) does in the buffer of a signal: a reader that is slow sees the last state of each,
    /// and what was superseded counts as missed. `key` runs in the emitter's task. Default: every event is kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use futures::StreamExt;
    ///
    /// let prices = fanfare::Signal::<(&str, u32)>::new();
    /// let mut latest = prices.listen().stream().latest_by(|price: &(&str, u32)| price.0).build()?;
    /// for price in [("a", 10), ("b", 70), ("a", 11)] {
    ///     prices.emit(price).await;
    /// }
    /// assert_eq!((latest.next().await, latest.next().await), (Some(("a", 11)), Some(("b", 70))));
    /// assert_eq!(latest.lagged(), 1);
    /// # Ok(()) }
    /// ```
    pub fn latest_by<K: Hash>(mut self, key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        self.buffering = self.buffering.latest_by(key);
        self
    }

    /// Gives the stream lanes by priority, as [`SignalBuilder::priorities`](crate::SignalBuilder::priorities) does a signal: what is urgent is read first. Each lane has
    /// [`buffer`](Self::buffer) places of its own. Default: one lane; from 2 to 16. See [`latest_by`](Self::latest_by).
    pub fn priorities(
        mut self,
        lanes: usize,
        lane: impl Fn(&E) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.buffering = self.buffering.priorities(lanes, lane);
        self
    }

    /// How often the oldest event of a lane is passed over before its turn comes. Default: 16; from 1 to 16,777,216. See [`SignalBuilder::aging`](crate::SignalBuilder::aging).
    pub fn aging(mut self, events: usize) -> Self {
        self.buffering = self.buffering.aging(events);
        self
    }

    /// Adds a callback that is given every event that the stream drops, and why: by overflow, or unread when the stream is dropped. All callbacks are called, in order; they run in the
    /// emitter's task and should be quick. Default: none; drops are counted in any case.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::{DropReason, Signal};
    ///
    /// let signal = Signal::<u32>::new();
    /// let stream = signal.listen().stream().buffer(1).on_dropped(|n, why| assert_eq!((n, why), (1, DropReason::Oldest))).build()?;
    /// signal.emit(1).await;
    /// signal.emit(2).await;
    /// assert_eq!((stream.len(), stream.capacity()), (1, 1));
    /// # std::mem::forget(stream);
    /// # Ok(()) }
    /// ```
    pub fn on_dropped(mut self, callback: impl Fn(E, DropReason) + Send + Sync + 'static) -> Self {
        self.on_dropped.push(Arc::new(callback));
        self
    }

    /// Registers the stream: it is given every event that is emitted from here on.
    ///
    /// # Errors
    ///
    /// [`RegisterError`], if the key is taken or an option makes no sense.
    pub fn build(self) -> Result<EventStream<E>, RegisterError> {
        let shape = self.shape()?;
        let waits = matches!(self.overflow, Overflow::Wait | Overflow::WaitUpTo(_));
        let core = Arc::clone(&self.listen.signal().inner.core);
        let told = Told {
            core: Arc::downgrade(&core),
            on_dropped: self.on_dropped,
            key: self.listen.key.as_deref().and_then(Key::parse),
            location: self.listen.location,
        };
        let derived = match &self.listen.target {
            Target::Derived(derived) => Some(derived.clone()),
            _ => None,
        };
        // Nobody but the reader drains it.
        let channel = Channel::new(Queue::new(shape, 0), told);
        let sender = Sender::new(&channel);
        let subscription = if waits {
            let sender = Arc::new(sender);
            let offer = async move |event| sender.offer_or_wait(event).await;
            self.listen.on(offer)?
        } else {
            let offer = move |event: &E| sender.offer(event.clone());
            self.listen.on_sync(offer)?
        };
        Ok(EventStream::new(
            channel,
            &subscription,
            core.ends(),
            derived,
        ))
    }

    /// What the buffer is like.
    fn shape(&self) -> Result<Shape<E>, OptionError> {
        let most = 1 << 24;
        check_count(
            "buffer",
            self.buffer,
            most,
            "it takes 1 to 16,777,216 events",
        )?;
        self.overflow.check()?;
        self.buffering.check(false)?;
        let shape = Shape::new(self.buffer, self.overflow);
        Ok(self.buffering.clone().shape(shape))
    }
}

impl<E: Event> fmt::Debug for StreamBuilder<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBuilder")
            .field("listen", &self.listen)
            .field("buffer", &self.buffer)
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}
