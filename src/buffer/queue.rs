//! The queue itself.

use std::collections::VecDeque;
use std::sync::Arc;

use super::marks::{IsClosed, Pressure, Relief};
use super::shape::{Shape, Spot};
use super::store::Store;
use super::{DropReason, EnqueueError, Overflow, Places};
use crate::metrics::Wait;
use crate::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore, timeout};

/// A bounded queue that knows how many workers drain it.
pub(crate) struct Queue<E> {
    state: Mutex<State<E>>,
    /// One permit for each free place of a lane; its queue is the queue of those who wait for room there.
    rooms: Box<[Arc<Semaphore>]>,
    relief: Relief,
    shape: Shape<E>,
    most_drains: usize,
}

struct State<E> {
    store: Store<E>,
    drains: usize,
    closed: bool,
    pressure: Pressure,
    /// How many events it has taken.
    taken: u64,
}

/// An event was taken.
pub(crate) struct Pushed<E> {
    /// What was dropped for it, or itself.
    pub(crate) dropped: Option<(E, DropReason)>,
    /// Whether a further drain is to be started; it is counted already.
    pub(crate) start_drain: bool,
}

impl<E: 'static> Queue<E> {
    pub(crate) fn new(shape: Shape<E>, most_drains: usize) -> Self {
        let lanes = shape.lane_count();
        Self {
            state: Mutex::new(State {
                store: Store::new(lanes, shape.aging(), shape.latest.is_some()),
                drains: 0,
                closed: false,
                pressure: Pressure::new(shape.marks),
                taken: 0,
            }),
            rooms: (0..lanes)
                .map(|_| Arc::new(Semaphore::new(shape.capacity)))
                .collect(),
            relief: Relief::new(),
            shape,
            most_drains,
        }
    }

    /// Of all lanes together.
    pub(crate) fn capacity(&self) -> usize {
        self.shape.capacity * self.rooms.len()
    }

    pub(crate) fn shape(&self) -> &Shape<E> {
        &self.shape
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().store.len()
    }

    /// How many events are in the lane that has the most.
    #[cfg(feature = "metrics")]
    pub(crate) fn fullest(&self) -> usize {
        self.state.lock().store.fullest()
    }

    pub(crate) fn is_under_pressure(&self) -> bool {
        self.state.lock().pressure.is_on()
    }

    /// Takes the event if it can without waiting.
    ///
    /// The place is taken under the lock, so that for every policy that does not wait, whose waiters take theirs outside, places that are free, taken or reserved always add up to the
    /// capacity.
    pub(crate) fn try_push(&self, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        let spot = self.spot(&event);
        self.try_push_at(spot, event)
    }

    /// Where the event belongs. Runs user code.
    pub(crate) fn spot(&self, event: &E) -> Spot {
        self.shape.spot(event)
    }

    /// Takes an event of this spot if it can without waiting.
    pub(crate) fn try_push_at(&self, spot: Spot, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(EnqueueError::Closed(event));
        }
        let event = match state.store.replace(spot, event) {
            Ok(older) => return Ok(self.superseded(&mut state, older)),
            Err(event) => event,
        };
        if let Ok(place) = self.rooms[spot.lane].try_acquire() {
            place.forget();
            return Ok(self.push(&mut state, spot, event, None));
        }
        match self.shape.overflow {
            Overflow::Wait | Overflow::WaitUpTo(_) | Overflow::Reject => {
                Err(EnqueueError::Full(event))
            }
            Overflow::DropNewest => Ok(Pushed {
                dropped: Some((event, DropReason::Newest)),
                start_drain: false,
            }),
            Overflow::DropOldest => match state.store.pop_of(spot.lane) {
                Some(oldest) => {
                    let _ = state.store.take_draw(spot.lane);
                    let oldest = Some((oldest, DropReason::Oldest));
                    Ok(self.push(&mut state, spot, event, oldest))
                }
                // Every place is reserved by somebody who is `ready`.
                None => Err(EnqueueError::Full(event)),
            },
        }
    }

    /// Waits for room, for as long as the policy says, then takes the event.
    pub(crate) async fn push_when_free(&self, event: E) -> Result<Pushed<E>, EnqueueError<E>> {
        let spot = self.shape.spot(&event);
        let place = Arc::clone(&self.rooms[spot.lane]).acquire_owned();
        let place = match self.shape.overflow {
            Overflow::WaitUpTo(limit) => match timeout(limit, place).await {
                Ok(place) => place,
                Err(_) => return Err(EnqueueError::TimedOut(event)),
            },
            _ => place.await,
        };
        match place {
            Ok(place) => self.push_at(spot, event, place),
            Err(_) => Err(EnqueueError::Closed(event)),
        }
    }

    /// Takes the event into a place that is one of those reserved. The others are free again.
    pub(crate) fn push_reserved(
        &self,
        event: E,
        places: Places,
    ) -> Result<Pushed<E>, EnqueueError<E>> {
        let spot = self.shape.spot(&event);
        self.push_at(spot, event, places.into_lane(spot.lane))
    }

    /// Takes the event into a place that was got outside of the lock. An event of its key may have come to wait meanwhile: then the place is free again.
    fn push_at(
        &self,
        spot: Spot,
        event: E,
        place: OwnedSemaphorePermit,
    ) -> Result<Pushed<E>, EnqueueError<E>> {
        let mut state = self.state.lock();
        if state.closed && !cfg!(fanfare_plant = "closed-not-looked-at") {
            return Err(EnqueueError::Closed(event));
        }
        match state.store.replace(spot, event) {
            Ok(older) => {
                let pushed = self.superseded(&mut state, older);
                drop(state);
                if cfg!(fanfare_plant = "room-not-given-back") {
                    place.forget();
                }
                Ok(pushed)
            }
            Err(event) => {
                place.forget();
                Ok(self.push(&mut state, spot, event, None))
            }
        }
    }

    fn superseded(&self, state: &mut State<E>, older: E) -> Pushed<E> {
        let older = (older, DropReason::Superseded);
        Pushed {
            dropped: (!cfg!(fanfare_plant = "superseded-uncounted")).then_some(older),
            start_drain: self.wants_drain(state),
        }
    }

    fn push(
        &self,
        state: &mut State<E>,
        spot: Spot,
        event: E,
        dropped: Option<(E, DropReason)>,
    ) -> Pushed<E> {
        state.store.push(spot, event);
        if let Some(meters) = &self.shape.meters {
            if let Some(draw) = meters.waits(state.taken) {
                state.store.note_draw(spot.lane, draw);
            }
            state.taken += 1;
        }
        let events = state.store.lane_len(spot.lane);
        state.pressure.rise(events);
        Pushed {
            dropped,
            start_drain: self.wants_drain(state),
        }
    }

    /// Counts a further drain, if there may be one.
    fn wants_drain(&self, state: &mut State<E>) -> bool {
        let start = state.drains < self.most_drains;
        if start {
            state.drains += 1;
        }
        start
    }

    /// Counts a further drain, if there is work for one.
    pub(crate) fn begin_drain(&self) -> bool {
        let mut state = self.state.lock();
        !state.store.is_empty() && self.wants_drain(&mut state)
    }

    /// The next event for a drain. `None` ends the drain: it is counted out in the same step, so that no event is left without one.
    pub(crate) fn pop_or_end_drain(&self) -> Option<E> {
        let mut state = self.state.lock();
        if let Some((lane, event)) = state.store.pop() {
            let draw = state.store.take_draw(lane);
            self.rooms[lane].add_permits(1);
            self.let_go(state);
            if let Some(meters) = &self.shape.meters {
                meters.arrived(Wait::Buffer, draw);
            }
            return Some(event);
        }
        #[cfg(fanfare_plant = "drain-ends-late")]
        (drop(state), state = self.state.lock());
        state.drains -= 1;
        None
    }

    /// The next event, for whoever drains by hand: it is counted neither in nor out.
    pub(crate) fn pop(&self) -> Option<E> {
        let mut state = self.state.lock();
        let (lane, event) = state.store.pop()?;
        let _ = state.store.take_draw(lane);
        self.rooms[lane].add_permits(1);
        self.let_go(state);
        Some(event)
    }

    /// Counts a drain out that ended without emptying the queue.
    pub(crate) fn end_drain(&self) {
        self.state.lock().drains -= 1;
    }

    /// Takes everything out.
    pub(crate) fn take_all(&self) -> VecDeque<E> {
        let mut state = self.state.lock();
        for (lane, room) in self.rooms.iter().enumerate() {
            room.add_permits(state.store.lane_len(lane));
        }
        let all = state.store.take_all();
        self.let_go(state);
        all
    }

    /// Ends the step that took events out, and tells who waits for the pressure to end if it has.
    ///
    /// Their places were freed under the lock, as `try_push` says. Waking a task there is a push on the runtime's own queue.
    fn let_go(&self, mut state: MutexGuard<'_, State<E>>) {
        let State {
            store, pressure, ..
        } = &mut *state;
        let relieved = pressure.is_on() && pressure.fall(store.fullest());
        drop(state);
        if relieved {
            self.relief.comes();
        }
    }

    /// Reserves a place in each lane if that is possible without waiting, and without pressure. `first`: before those who wait for it.
    pub(crate) fn try_reserve(&self, first: bool) -> Result<Option<Places>, IsClosed> {
        let turn = self.relief.turn.try_acquire();
        let state = self.state.lock();
        if state.closed {
            return Err(IsClosed);
        }
        if state.pressure.is_on() || (turn.is_err() && !first) {
            return Ok(None);
        }
        let places = Places::try_collect(&self.rooms);
        drop(state);
        Ok(places)
    }

    /// Waits for it.
    pub(crate) async fn reserve(&self) -> Result<Places, IsClosed> {
        let turn = self.relief.turn.acquire().await;
        turn.as_ref().map_err(|_| IsClosed)?;
        loop {
            self.relief.wait(|| self.look_at_pressure()).await?;
            let places = Places::collect(&self.rooms).await?;
            // While it waited for room, the high mark may have been reached.
            if !self.look_at_pressure()? {
                return Ok(places);
            }
        }
    }

    fn look_at_pressure(&self) -> Result<bool, IsClosed> {
        let state = self.state.lock();
        if state.closed {
            return Err(IsClosed);
        }
        Ok(state.pressure.is_on())
    }

    /// Refuses every event from now on, those who wait for room included.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        for room in &self.rooms {
            room.close();
        }
        self.relief.close();
    }

    /// How many events wait, and how many drains work.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.store.len(), state.drains)
    }
}
