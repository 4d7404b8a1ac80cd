//! The queue itself.

use std::collections::VecDeque;

use super::{DropReason, EnqueueError, Overflow, Shape};
use crate::sync::{Mutex, Semaphore};

/// A bounded first-in first-out queue that knows how many workers drain it.
pub(crate) struct Queue<E> {
    state: Mutex<State<E>>,
    /// One permit for each free place; its queue is the queue of those who wait for room.
    room: Semaphore,
    shape: Shape,
    most_drains: usize,
}

struct State<E> {
    queue: VecDeque<E>,
    drains: usize,
    closed: bool,
}

/// An event was taken.
pub(crate) struct Pushed<E> {
    /// What overflow dropped.
    pub(crate) dropped: Option<(E, DropReason)>,
    /// Whether a further drain is to be started; it is counted already.
    pub(crate) start_drain: bool,
}

impl<E> Queue<E> {
    pub(crate) fn new(shape: Shape, most_drains: usize) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                drains: 0,
                closed: false,
            }),
            room: Semaphore::new(shape.capacity),
            shape,
            most_drains,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.shape.capacity
    }

    pub(crate) fn overflow(&self) -> Overflow {
        self.shape.overflow
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Takes the event if it can without waiting.
    ///
    /// The place is taken under the lock, so that for every policy but `Wait`, whose waiters take theirs outside, free places and queued events
    /// always add up to the capacity.
    pub(crate) fn try_push(&self, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(EnqueueError::Closed(event));
        }
        if let Ok(place) = self.room.try_acquire() {
            place.forget();
            return Ok(self.push(&mut state, event, None));
        }
        match self.shape.overflow {
            Overflow::Wait | Overflow::WaitUpTo(_) | Overflow::Reject => {
                Err(EnqueueError::Full(event))
            }
            Overflow::DropNewest => Ok(Pushed {
                dropped: Some((event, DropReason::Newest)),
                start_drain: false,
            }),
            Overflow::DropOldest => {
                let oldest = state.queue.pop_front();
                let oldest = oldest.expect("a buffer has at least one place, and it is taken");
                Ok(self.push(&mut state, event, Some((oldest, DropReason::Oldest))))
            }
        }
    }

    /// Waits for room, then takes the event.
    pub(crate) async fn push_when_free(&self, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        let Ok(place) = self.room.acquire().await else {
            return Err(EnqueueError::Closed(event));
        };
        let mut state = self.state.lock();
        if state.closed && !cfg!(fanfare_plant = "closed-not-looked-at") {
            return Err(EnqueueError::Closed(event));
        }
        place.forget();
        Ok(self.push(&mut state, event, None))
    }

    fn push(&self, state: &mut State<E>, event: E, dropped: Option<(E, DropReason)>) -> Pushed<E> {
        state.queue.push_back(event);
        let start_drain = state.drains < self.most_drains;
        if start_drain {
            state.drains += 1;
        }
        Pushed {
            dropped,
            start_drain,
        }
    }

    /// Counts a further drain, if there is work for one.
    pub(crate) fn begin_drain(&self) -> bool {
        let mut state = self.state.lock();
        let start = !state.queue.is_empty() && state.drains < self.most_drains;
        if start {
            state.drains += 1;
        }
        start
    }

    /// The next event for a drain. `None` ends the drain: it is counted out in the same step, so that no event is left without one.
    pub(crate) fn pop_or_end_drain(&self) -> Option<E> {
        let mut state = self.state.lock();
        let event = state.queue.pop_front();
        if event.is_some() {
            self.free_places(1);
        } else {
            #[cfg(fanfare_plant = "drain-ends-late")]
            (drop(state), state = self.state.lock());
            state.drains -= 1;
        }
        event
    }

    /// The next event, for whoever drains by hand: it is counted neither in nor out.
    pub(crate) fn pop(&self) -> Option<E> {
        let mut state = self.state.lock();
        let event = state.queue.pop_front();
        if event.is_some() {
            self.free_places(1);
        }
        event
    }

    /// Counts a drain out that ended without emptying the queue.
    pub(crate) fn end_drain(&self) {
        self.state.lock().drains -= 1;
    }

    /// Takes everything out.
    pub(crate) fn take_all(&self) -> VecDeque<E> {
        let mut state = self.state.lock();
        let all = std::mem::take(&mut state.queue);
        self.free_places(all.len());
        all
    }

    /// Refuses every event from now on, those who wait for room included.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.room.close();
    }

    /// How many events wait, and how many drains work.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.queue.len(), state.drains)
    }

    /// Called under the lock, as `try_push` says. Waking a task there is a push on the runtime's own queue.
    fn free_places(&self, places: usize) {
        self.room.add_permits(places);
    }
}
