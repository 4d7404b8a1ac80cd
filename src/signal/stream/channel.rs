//! What a stream and its listener share.

use std::ops::Deref;
use std::panic::Location;
use std::sync::{Arc, Weak};

use futures_util::task::AtomicWaker;

use super::Lagged;
use super::place::Place;
use crate::buffer::{DropReason, EnqueueError, Pushed, Queue};
use crate::context::without_permit;
use crate::dispatch::Core;
use crate::event::Event;
use crate::key::Key;
use crate::outcome::{Cause, Rejection, Skip, Verdict};
use crate::signal::inner::{OnDropped, show_dropped};
use crate::sync::{AtomicBool, Mutex, Ordering};

pub(super) struct Channel<E: Event> {
    pub(super) queue: Queue<E>,
    /// Held over the steps of `queue` that do not wait, so that a gap is where it belongs.
    place: Mutex<Place>,
    pub(super) reader: AtomicWaker,
    /// The listener is gone and none of its calls is running: nothing comes any more.
    over: AtomicBool,
    /// Nobody is to be told of the first event that is missed: whoever cares has asked, or knows.
    pub(super) lag_is_told: AtomicBool,
    pub(super) told: Told<E>,
}

/// Who is told of events that are lost. The signal is not kept alive by it: one of its callbacks may have the stream.
pub(super) struct Told<E: Event> {
    pub(super) core: Weak<Core>,
    pub(super) on_dropped: Vec<OnDropped<E>>,
    pub(super) key: Option<Key>,
    pub(super) location: &'static Location<'static>,
}

impl<E: Event> Channel<E> {
    pub(super) fn new(queue: Queue<E>, told: Told<E>) -> Arc<Self> {
        Arc::new(Self {
            queue,
            place: Mutex::default(),
            reader: AtomicWaker::new(),
            over: AtomicBool::new(false),
            lag_is_told: AtomicBool::new(!told.on_dropped.is_empty()),
            told,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub(super) fn missed(&self) -> u64 {
        self.place.lock().missed()
    }

    /// What comes next: an event, or with `gaps` what is missing before it.
    pub(super) fn take(&self, gaps: bool) -> Option<Result<E, Lagged>> {
        let mut place = self.place.lock();
        let missed = place.reached();
        if gaps && missed > 0 {
            return Some(Err(Lagged { missed }));
        }
        let event = self.queue.pop()?;
        place.popped();
        Some(Ok(event))
    }

    /// Puts an event in, if that takes no waiting.
    pub(super) fn offer(&self, event: E) -> Verdict {
        match self.try_push(event) {
            Err(EnqueueError::Full(_)) => {
                self.missed_one();
                self.full()
            }
            result => verdict(&result),
        }
    }

    /// Puts an event in, and waits for room if there is none.
    pub(super) async fn offer_or_wait(&self, event: E) -> Verdict {
        let event = match self.try_push(event) {
            Err(EnqueueError::Full(event)) => event,
            result => return verdict(&result),
        };
        // Whoever reads may need the permit of this call.
        match without_permit(self.push_in_time(event)).await {
            Some(result) => verdict(&result),
            None => self.full(),
        }
    }

    fn try_push(&self, event: E) -> Result<(), EnqueueError<E>> {
        #[cfg(fanfare_plant = "stream-wakes-before-push")]
        self.reader.wake();
        // The user's code: not under the lock.
        let spot = self.queue.spot(&event);
        let mut place = self.place.lock();
        let pushed = self.queue.try_push_at(spot, event)?;
        let dropped = place.note(pushed);
        drop(place);
        self.taken(dropped);
        Ok(())
    }

    /// `None`: there was no room in time.
    async fn push_in_time(&self, event: E) -> Option<Result<(), EnqueueError<E>>> {
        let mut waiting = Waiting {
            channel: self,
            is_over: false,
        };
        let pushed = match self.queue.push_when_free(event).await {
            Err(EnqueueError::TimedOut(_)) => return None,
            pushed => pushed,
        };
        waiting.is_over = true;
        Some(pushed.map(|pushed| {
            let dropped = self.place.lock().note(pushed);
            self.taken(dropped);
        }))
    }

    /// An event was taken, at the cost of this one.
    fn taken(&self, dropped: Option<(E, DropReason)>) {
        #[cfg(not(fanfare_plant = "stream-wakes-before-push"))]
        self.reader.wake();
        if let Some((event, reason)) = dropped {
            self.dropped(event, reason);
            if !self.lag_is_told.swap(true, Ordering::Relaxed) {
                if let Some(core) = self.told.core.upgrade() {
                    let key = self.told.key.as_ref().map(Key::as_str);
                    core.warn_of_lag(key, self.told.location, self.queue.capacity());
                }
            }
        }
    }

    /// Counts an event that will not be read, and shows it to the callbacks.
    fn dropped(&self, event: E, reason: DropReason) {
        let core = self.told.core.upgrade();
        if let Some(core) = &core {
            core.counters.dropped[reason as usize].fetch_add(1, Ordering::Relaxed);
        }
        let signal = core.as_ref().map_or("", |core| &core.name);
        show_dropped(&self.told.on_dropped, event, reason, signal);
    }

    /// Takes nothing more, and drops what is in.
    pub(super) fn close(&self) {
        #[cfg(not(fanfare_plant = "stream-closes-late"))]
        self.queue.close();
        // In this order: what comes in between is refused.
        for event in self.queue.take_all() {
            self.dropped(event, DropReason::StreamDropped);
        }
        #[cfg(fanfare_plant = "stream-closes-late")]
        self.queue.close();
    }

    /// An event is not taken: the gap is behind all that are in.
    fn missed_one(&self) {
        self.place.lock().missed_behind();
        self.reader.wake();
    }

    fn full(&self) -> Verdict {
        let capacity = self.queue.capacity();
        Verdict::not(Cause::Rejected(Rejection::StreamFull { capacity }))
    }
}

impl Place {
    /// Notes what a push has done to the order, and hands on what it dropped.
    fn note<E>(&mut self, pushed: Pushed<E>) -> Option<(E, DropReason)> {
        match &pushed.dropped {
            None => self.pushed(),
            Some((_, DropReason::Newest)) => self.missed_behind(),
            Some((_, DropReason::Superseded)) => self.missed_next(),
            Some(_) => {
                self.pushed();
                self.missed_ahead();
            }
        }
        pushed.dropped
    }
}

fn verdict<E>(result: &Result<(), EnqueueError<E>>) -> Verdict {
    match result {
        Ok(()) => Verdict::done(),
        // The stream is dropped, and its listener removed.
        Err(_) => Verdict::not(Cause::Skipped(Skip::Removed)),
    }
}

/// An event waits for room. If its call is dropped before that is over, or the time is, it is missed.
struct Waiting<'a, E: Event> {
    channel: &'a Channel<E>,
    is_over: bool,
}

impl<E: Event> Drop for Waiting<'_, E> {
    fn drop(&mut self) {
        if !self.is_over {
            self.channel.missed_one();
        }
    }
}

/// The listener's share. When the last call has let go of it, nothing comes any more.
pub(super) struct Sender<E: Event>(Arc<Channel<E>>);

impl<E: Event> Sender<E> {
    pub(super) fn new(channel: &Arc<Channel<E>>) -> Self {
        Self(Arc::clone(channel))
    }
}

impl<E: Event> Deref for Sender<E> {
    type Target = Channel<E>;

    fn deref(&self) -> &Channel<E> {
        &self.0
    }
}

impl<E: Event> Drop for Sender<E> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.reader.wake();
    }
}
