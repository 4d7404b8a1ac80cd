//! The buffer of a signal whose events run in the order of their keys.
//!
//! An event whose key is free is due at once; one whose key is taken waits in the line of its key and is due when its turn comes. Events that are due are taken in that order by drains, each
//! on a lane: a permit of the pool that the signal's listeners run on. So a key with many events stands behind all others again after each of them.
//!
//! A drain whose emission has suspended may have given its lane back, for a retry that sleeps say. Therefore one drain more than there are lanes looks for a free one as long as events are due.

use std::collections::VecDeque;
use std::sync::Arc;

use super::marks::{IsClosed, Marks, Pressure, Relief};
use super::{DropReason, EnqueueError, Overflow, Pushed, Shape};
use crate::keyed::{EventKey, Fingerprint, Lines, Turn};
use crate::metrics::{Draw, Meters, Wait};
use crate::pool::Pool;
use crate::sync::{AtomicUsize, Mutex, Ordering, OwnedSemaphorePermit, Semaphore, timeout};

/// So many events that are due are no memory to give back.
const SHORT: usize = 1_024;

/// An event in the buffer, with its place there. It keeps the place until it is done.
pub(crate) struct Queued<E> {
    pub(crate) event: E,
    pub(crate) place: OwnedSemaphorePermit,
    /// If it was drawn to be timed.
    draw: Option<Draw>,
}

/// An event whose turn it is.
pub(crate) struct Due<E: Send + Sync + 'static> {
    pub(crate) turn: Turn<Queued<E>>,
    pub(crate) queued: Queued<E>,
}

/// A bounded buffer in which each key has a line.
pub(crate) struct Keyed<E: Send + Sync + 'static> {
    key: EventKey<E>,
    lines: Arc<Lines<Queued<E>>>,
    state: Mutex<State<E>>,
    /// The parts of the buffer: a key's events are in the one that its hash says, so that a key with many leaves room for those of the others.
    room: Box<[Arc<Semaphore>]>,
    capacity: usize,
    overflow: Overflow,
    marks: Marks,
    lanes: Pool,
    /// Where it is recorded how long events wait, if it is.
    meters: Option<Arc<Meters>>,
    /// Events that were taken and have not been handed to a drain or dropped.
    waiting: AtomicUsize,
    relief: Relief,
}

struct State<E: Send + Sync + 'static> {
    due: VecDeque<Due<E>>,
    drains: usize,
    /// Those of the drains that look for a lane,
    looking: usize,
    /// and those whose emission has suspended.
    suspended: usize,
    closed: bool,
    /// Looked at after each change of `waiting`, under the lock: the last look sees them all.
    pressure: Pressure,
    /// How many events it has taken.
    taken: u64,
}

/// What a drain does, for whoever counts it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drains {
    Looking,
    Emitting,
    Suspended,
}

/// What a drain finds that has a lane.
pub(crate) struct Found<E: Send + Sync + 'static> {
    /// `None` ends the drain: it is counted out already.
    pub(crate) due: Option<Due<E>>,
    /// A further drain is to be started; it is counted already.
    pub(crate) start_drain: bool,
}

impl<E: Send + Sync + 'static> State<E> {
    /// Counts a further drain, if one is wanted: there is work, nobody looks for a lane, and those who have work are fewer than the lanes but for the suspended, whose lanes may be free.
    fn begin_drain(&mut self, lanes: usize) -> bool {
        let busy = self.drains - self.suspended;
        let start = !self.due.is_empty() && self.looking == 0 && busy < lanes;
        if start {
            self.drains += 1;
            self.looking += 1;
        }
        start
    }
}

impl<E: Send + Sync + 'static> Keyed<E> {
    /// At least one event to a part.
    pub(crate) fn new(key: EventKey<E>, shape: &Shape<E>, lanes: Pool) -> Arc<Self> {
        let capacity = shape.capacity;
        let parts = lanes.size().min(capacity);
        let part = |n| capacity / parts + usize::from(n < capacity % parts);
        Arc::new(Self {
            key,
            lines: Lines::new(),
            state: Mutex::new(State {
                due: VecDeque::new(),
                drains: 0,
                looking: 0,
                suspended: 0,
                closed: false,
                pressure: Pressure::new(shape.marks),
                taken: 0,
            }),
            room: (0..parts)
                .map(|n| Arc::new(Semaphore::new(part(n))))
                .collect(),
            capacity,
            overflow: shape.overflow,
            marks: shape.marks,
            lanes,
            meters: shape.meters.clone(),
            waiting: AtomicUsize::new(0),
            relief: Relief::new(),
        })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn overflow(&self) -> Overflow {
        self.overflow
    }

    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    pub(crate) fn lanes(&self) -> &Pool {
        &self.lanes
    }

    pub(crate) fn lines(&self) -> &Arc<Lines<Queued<E>>> {
        &self.lines
    }

    fn lane_count(&self) -> usize {
        if cfg!(fanfare_plant = "lanes-as-built") {
            return self.room.len();
        }
        self.lanes.size()
    }

    /// The key of an event. Runs user code.
    pub(crate) fn key_of(&self, event: &E) -> Fingerprint {
        self.key.find(event)
    }

    fn part(&self, key: Fingerprint) -> &Arc<Semaphore> {
        // The low half of the bits: the map of keys goes by the high ones.
        let low = key.bits() & u64::from(u32::MAX);
        let part = usize::try_from(low).unwrap_or_default() % self.room.len();
        &self.room[part]
    }

    /// Takes the event if there is room for it.
    pub(crate) fn try_push(self: &Arc<Self>, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        let key = self.key_of(&event);
        if self.state.lock().closed {
            return Err(EnqueueError::Closed(event));
        }
        match Arc::clone(self.part(key)).try_acquire_owned() {
            Ok(place) => self.push(key, event, place),
            Err(_) if self.state.lock().closed => Err(EnqueueError::Closed(event)),
            Err(_) => Err(EnqueueError::Full(event)),
        }
    }

    /// Takes the event if it can without waiting; if it is full, as the policy says.
    pub(crate) fn try_push_or_drop(
        self: &Arc<Self>,
        event: E,
    ) -> Result<Pushed<E>, EnqueueError<E>> {
        match self.try_push(event) {
            Err(EnqueueError::Full(event)) if self.overflow == Overflow::DropNewest => Ok(Pushed {
                dropped: Some((event, DropReason::Newest)),
                start_drain: false,
            }),
            pushed => pushed,
        }
    }

    /// Waits for room in the part of the event's key, for as long as the policy says, then takes it.
    pub(crate) async fn push_when_free(
        self: &Arc<Self>,
        event: E,
    ) -> Result<Pushed<E>, EnqueueError<E>> {
        let key = self.key_of(&event);
        let place = Arc::clone(self.part(key)).acquire_owned();
        let place = match self.overflow {
            Overflow::WaitUpTo(limit) => match timeout(limit, place).await {
                Ok(place) => place,
                Err(_) => return Err(EnqueueError::TimedOut(event)),
            },
            _ => place.await,
        };
        match place {
            Ok(place) => self.push(key, event, place),
            Err(_) => Err(EnqueueError::Closed(event)),
        }
    }

    fn push(
        self: &Arc<Self>,
        key: Fingerprint,
        event: E,
        place: OwnedSemaphorePermit,
    ) -> Result<Pushed<E>, EnqueueError<E>> {
        // Counted before the look at `closed`, and shutdown closes before it counts: either the event is refused or shutdown waits for it.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock();
        if state.closed {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(EnqueueError::Closed(event));
        }
        state.pressure.rise(self.len());
        let nth = state.taken;
        state.taken += 1;
        drop(state);
        let meters = self.meters.as_ref();
        let queued = Queued {
            draw: meters.and_then(|meters| meters.waits(nth)),
            event,
            place,
        };
        if let Some((turn, queued)) = self.lines.line_up(key, queued) {
            self.make_due(Due { turn, queued });
        }
        Ok(Pushed {
            dropped: None,
            start_drain: self.begin_drain(),
        })
    }

    /// Puts an event where the next drain finds it.
    pub(crate) fn make_due(&self, due: Due<E>) {
        self.state.lock().due.push_back(due);
    }

    /// Counts a further drain, if there is work for one. It looks for a lane first.
    pub(crate) fn begin_drain(&self) -> bool {
        self.state.lock().begin_drain(self.lane_count())
    }

    /// The next event for a drain that has found a lane.
    pub(crate) fn pop_or_end_drain(&self) -> Found<E> {
        let mut state = self.state.lock();
        state.looking -= 1;
        let due = state.due.pop_front();
        if due.is_some() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        } else {
            state.drains -= 1;
        }
        let relieved = state.pressure.fall(self.len());
        // Whatever made it so long has been taken out one by one since.
        if state.due.is_empty() && state.due.capacity() > SHORT {
            state.due = VecDeque::new();
        }
        let start_drain = due.is_some() && state.begin_drain(self.lane_count());
        drop(state);
        if relieved {
            self.relief.comes();
        }
        let draw = due.as_ref().and_then(|due| due.queued.draw);
        if let Some(meters) = &self.meters {
            meters.arrived(Wait::Buffer, draw);
        }
        Found { due, start_drain }
    }

    /// The emission of a drain has suspended. True if a further drain is to be started, which is counted already.
    pub(crate) fn suspended(&self) -> bool {
        let mut state = self.state.lock();
        state.suspended += 1;
        !cfg!(fanfare_plant = "no-drain-for-free-lanes") && state.begin_drain(self.lane_count())
    }

    pub(crate) fn resumed(&self) {
        self.state.lock().suspended -= 1;
    }

    /// Whether a drain whose emission has ended is to look for a lane again. Otherwise it is counted out in the same step. A second one that looks saves the start of another when the first
    /// has found one.
    pub(crate) fn look_again_or_end_drain(&self) -> bool {
        let mut state = self.state.lock();
        let again = !state.due.is_empty() && state.looking < 2;
        if again {
            state.looking += 1;
        } else {
            state.drains -= 1;
        }
        again
    }

    /// Counts a drain out that ended otherwise.
    pub(crate) fn end_drain(&self, what: Drains) {
        let mut state = self.state.lock();
        state.drains -= 1;
        match what {
            Drains::Looking => state.looking -= 1,
            Drains::Suspended => state.suspended -= 1,
            Drains::Emitting => {}
        }
    }

    /// Takes everything out.
    pub(crate) fn take_all(&self) -> Vec<E> {
        // Out of the lines first: the turns of those that were due find nobody to go to.
        let in_line = self.lines.take_items();
        let due = std::mem::take(&mut self.state.lock().due);
        let due = due.into_iter().map(|due| due.queued);
        let all: Vec<_> = due.chain(in_line).collect();
        self.waiting.fetch_sub(all.len(), Ordering::SeqCst);
        if self.state.lock().pressure.fall(self.len()) {
            self.relief.comes();
        }
        all.into_iter().map(|queued| queued.event).collect()
    }

    /// Refuses every event from now on, those who wait for room included.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        for part in &self.room {
            part.close();
        }
        self.relief.close();
    }

    /// Whether there is no pressure, and nobody waits for that, or this one is `first`.
    pub(crate) fn try_ready(&self, first: bool) -> Result<bool, IsClosed> {
        let turn = self.relief.turn.try_acquire();
        let pressed = self.look_at_pressure()?;
        Ok(!pressed && (turn.is_ok() || first))
    }

    /// Waits until there is no pressure.
    pub(crate) async fn ready(&self) -> Result<(), IsClosed> {
        let turn = self.relief.turn.acquire().await;
        turn.as_ref().map_err(|_| IsClosed)?;
        self.relief.wait(|| self.look_at_pressure()).await
    }

    fn look_at_pressure(&self) -> Result<bool, IsClosed> {
        let state = self.state.lock();
        if state.closed {
            return Err(IsClosed);
        }
        Ok(state.pressure.is_on())
    }

    pub(crate) fn is_under_pressure(&self) -> bool {
        self.state.lock().pressure.is_on()
    }

    /// How many events wait for their turn or a lane.
    pub(crate) fn len(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// How many events wait, and how many drains work.
    pub(crate) fn load(&self) -> (usize, usize) {
        // In this order: an event is handed to a drain that is counted.
        let waiting = self.len();
        (waiting, self.state.lock().drains)
    }
}
