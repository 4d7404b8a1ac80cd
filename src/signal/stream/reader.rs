//! The reader's side.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_util::future::select;
use tokio_util::sync::ReusableBoxFuture;

use super::channel::Channel;
use super::{LagStream, Lagged};
use crate::dispatch::Alarm;
use crate::event::Event;
use crate::key::Key;
use crate::registry::{Listed, Metadata};
use crate::signal::{Derived, Subscription};
use crate::sync::Ordering;

/// The events of a signal as a [`Stream`], read at the reader's own pace. [`Signal::stream`](crate::Signal::stream), [`Bus::stream`](crate::Bus::stream) and
/// [`StreamBuilder`](crate::StreamBuilder) make it.
///
/// It holds every event that was emitted since it was made and has not been read, up to a bound; then its [`Overflow`](crate::Overflow) policy says what is missed, and
/// [`lagged`](Self::lagged) how much that was. It keeps its signal alive no more than any other listener does.
///
/// It ends when its signal is gone or its listener was removed (by key, by `clear`, by `times`, by a replacement), once the calls that run are done, and when a shutdown of the signal
/// has ended: after what it holds, in each case. A shutdown does not wait for whoever reads; an emission that waits for room is cancelled at its limit.
///
/// Dropping it removes its listener, lets emissions that wait for room go on, and counts what was not read as dropped.
///
/// # Cancel safety
///
/// Reading is cancel safe: an event is taken out when it is handed over, so that a `next()` that is dropped, in `select!` say, has taken none.
///
/// # Performance
///
/// An event costs one clone and two locks that only this stream's reader and its emitters share. A registration and its end cost what those of any listener do; a stream with a key looks
/// after itself whenever the list of listeners changes.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::Bus;
/// use futures::StreamExt;
///
/// #[derive(Clone)]
/// struct OrderPlaced { total: u64 }
///
/// let bus = Bus::new();
/// let totals = bus.stream::<OrderPlaced>().map(|order| order.total).take(2);
/// for total in [120, 80, 9] {
///     bus.emit(OrderPlaced { total }).await;
/// }
/// assert_eq!(totals.collect::<Vec<_>>().await, [120, 80]);
/// # }
/// ```
#[must_use = "a stream that is dropped is not listening any more"]
pub struct EventStream<E: Event> {
    pub(super) channel: Arc<Channel<E>>,
    /// Weak: the listener's end is the end of what it owns.
    listener: Weak<dyn Listed>,
    key: Option<Key>,
    /// Fire when the shutdowns have ended after which nothing comes any more.
    ended: Vec<Arc<Alarm>>,
    /// Waits for the end of a shutdown, from the first time on that there was nothing to read.
    until_ended: Option<ReusableBoxFuture<'static, ()>>,
    /// Nothing comes any more; what is in may not have been read.
    over: bool,
    terminated: bool,
    /// The derived signal that it reads, which nobody else may keep.
    _derived: Option<Derived<E>>,
}

impl<E: Event> EventStream<E> {
    pub(super) fn new(
        channel: Arc<Channel<E>>,
        subscription: &Subscription,
        ended: Vec<Arc<Alarm>>,
        derived: Option<Derived<E>>,
    ) -> Self {
        Self {
            channel,
            listener: Arc::downgrade(&subscription.listed),
            key: subscription.listed.record().key().cloned(),
            ended,
            until_ended: None,
            over: false,
            terminated: false,
            _derived: derived,
        }
    }

    /// The key of its listener, if it has one. See [`StreamBuilder`](crate::StreamBuilder).
    pub fn key(&self) -> Option<&str> {
        self.key.as_ref().map(Key::as_str)
    }

    /// How many events wait to be read. See [`StreamBuilder::buffer`](crate::StreamBuilder::buffer).
    pub fn len(&self) -> usize {
        self.channel.queue.len()
    }

    /// Whether no event waits to be read. See [`StreamBuilder::buffer`](crate::StreamBuilder::buffer).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events can wait to be read. See [`StreamBuilder::buffer`](crate::StreamBuilder::buffer).
    pub fn capacity(&self) -> usize {
        self.channel.queue.capacity()
    }

    /// How many events this stream has missed since it was made: dropped, refused, or offered by an emission that ended before there was room. Each attempt of a retry around
    /// the stream counts. See [`with_lag`](Self::with_lag).
    pub fn lagged(&self) -> u64 {
        self.channel.missed()
    }

    /// What is known about its listener; `None` once that is removed. See [`Metadata`].
    pub fn metadata(&self) -> Option<Metadata> {
        let listed = self.listener.upgrade()?;
        Some(Subscription::new(listed).metadata())
    }

    /// Removes the listener: no emission that begins from here on is seen. What the stream holds can still be read, and what emissions that wait for room bring; then it ends.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use futures::StreamExt;
    ///
    /// let signal = fanfare::Signal::<u32>::new();
    /// let mut numbers = signal.stream();
    /// signal.emit(1).await;
    /// numbers.close();
    /// signal.emit(2).await;
    /// assert_eq!((numbers.next().await, numbers.next().await), (Some(1), None));
    /// # }
    /// ```
    pub fn close(&self) {
        if let Some(listed) = self.listener.upgrade() {
            Subscription::new(listed).remove();
        }
    }

    /// Yields what is missed as a value, [`Lagged`], in its place in the order: before the first event that came after the gap.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::Signal;
    /// use futures::StreamExt;
    ///
    /// let signal = Signal::<u32>::new();
    /// let mut last = signal.listen().stream().buffer(2).build()?.with_lag();
    /// for n in 1..=5 {
    ///     signal.emit(n).await;
    /// }
    /// assert_eq!(last.next().await.unwrap().unwrap_err().missed(), 3);
    /// assert_eq!((last.next().await, last.next().await), (Some(Ok(4)), Some(Ok(5))));
    /// # Ok(()) }
    /// ```
    pub fn with_lag(self) -> LagStream<E> {
        self.channel.lag_is_told.store(true, Ordering::Relaxed);
        LagStream::new(self)
    }

    /// What comes next, with or without what is missing before it.
    pub(super) fn poll_taken(
        &mut self,
        cx: &mut Context<'_>,
        gaps: bool,
    ) -> Poll<Option<Result<E, Lagged>>> {
        if self.terminated {
            return Poll::Ready(None);
        }
        // A reader that always finds something lets other tasks of its thread run too.
        let budget = ready!(tokio::task::coop::poll_proceed(cx));
        let taken = self.take_or_register(cx, gaps);
        if taken.is_ready() {
            budget.made_progress();
        }
        taken
    }

    fn take_or_register(
        &mut self,
        cx: &mut Context<'_>,
        gaps: bool,
    ) -> Poll<Option<Result<E, Lagged>>> {
        if let Some(taken) = self.channel.take(gaps) {
            return Poll::Ready(Some(taken));
        }
        if !cfg!(fanfare_plant = "stream-registers-late") {
            self.channel.reader.register(cx.waker());
        }
        // Before the second look: once it is over, that one sees all there is.
        #[cfg(not(fanfare_plant = "stream-ends-before-look"))]
        self.look_for_the_end(cx);
        if let Some(taken) = self.channel.take(gaps) {
            return Poll::Ready(Some(taken));
        }
        #[cfg(fanfare_plant = "stream-ends-before-look")]
        self.look_for_the_end(cx);
        // A model switches before it looks at the count.
        #[cfg(fanfare_plant = "stream-registers-late")]
        (
            self.channel.missed(),
            self.channel.reader.register(cx.waker()),
        );
        if self.over {
            self.terminated = true;
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    fn look_for_the_end(&mut self, cx: &mut Context<'_>) {
        if self.over || self.channel.is_over() {
            self.over = true;
            return;
        }
        let wait = self.until_ended.get_or_insert_with(|| {
            // By its key anybody may have a handle of the listener, which keeps what it owns: then its end is not the end of the registration.
            let listener = self.key.as_ref().and_then(|_| self.listener.upgrade());
            ReusableBoxFuture::new(ends(std::mem::take(&mut self.ended), listener))
        });
        if wait.poll(cx).is_ready() {
            self.over = true;
            self.until_ended = None;
        }
    }
}

/// Waits until all of these shutdowns have ended, or this listener is removed and none of its calls is running.
async fn ends(shutdowns: Vec<Arc<Alarm>>, listener: Option<Arc<dyn Listed>>) {
    let ended = pin!(async {
        for shutdown in &shutdowns {
            shutdown.fires().await;
        }
    });
    match listener.map(Subscription::new) {
        Some(subscription) => {
            let removed = pin!(subscription.removed());
            select(ended, removed).await;
        }
        None => ended.await,
    }
}

impl<E: Event> Stream for EventStream<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        let taken = ready!(self.poll_taken(cx, false));
        Poll::Ready(taken.and_then(Result::ok))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), None)
    }
}

impl<E: Event> FusedStream for EventStream<E> {
    fn is_terminated(&self) -> bool {
        self.terminated
    }
}

impl<E: Event> Drop for EventStream<E> {
    fn drop(&mut self) {
        self.close();
        self.channel.close();
    }
}

impl<E: Event> fmt::Debug for EventStream<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("key", &self.key())
            .field("len", &self.len())
            .field("lagged", &self.lagged())
            .finish_non_exhaustive()
    }
}
