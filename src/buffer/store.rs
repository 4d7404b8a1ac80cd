//! What a buffer stores, and in which order it comes out. No lock, no clock, nothing that waits.

use std::collections::VecDeque;

use super::shape::Spot;
use crate::keyed::{ByFingerprint, Fingerprint};
use crate::metrics::Draw;

/// The events of a buffer: lanes, each first in, first out.
///
/// The next event is that of the most urgent lane that has one, unless others have been passed over `aging` times or more: then it is that of the one which was passed over most often, and of
/// those the most urgent. So among n lanes none is passed over more than `aging` + n - 2 times on end: once it has been so `aging` times, each of the others but the one just served can come
/// before it once.
pub(super) struct Store<E> {
    lanes: Box<[Lane<E>]>,
    aging: usize,
    /// Where the event of each key waits, if a newer one takes its place.
    places: Option<ByFingerprint<Place>>,
}

struct Lane<E> {
    events: VecDeque<E>,
    /// The keys of these events, if there are keys.
    keys: VecDeque<Fingerprint>,
    /// Those of these events that were drawn to be timed, by how many will have left the lane before each.
    drawn: VecDeque<(u64, Draw)>,
    /// How many events have left the lane at its front.
    left: u64,
    /// How often another lane was served since this one has had events or was served.
    passed_over: usize,
}

#[derive(Clone, Copy)]
struct Place {
    lane: usize,
    /// How many events will have left the lane when it is this one's turn.
    number: u64,
}

impl<E> Lane<E> {
    fn new() -> Self {
        Self {
            events: VecDeque::new(),
            keys: VecDeque::new(),
            drawn: VecDeque::new(),
            left: 0,
            passed_over: 0,
        }
    }
}

impl<E> Store<E> {
    pub(super) fn new(lanes: usize, aging: usize, by_key: bool) -> Self {
        Self {
            lanes: (0..lanes).map(|_| Lane::new()).collect(),
            aging,
            places: by_key.then(ByFingerprint::default),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.events.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.events.is_empty())
    }

    pub(super) fn lane_len(&self, lane: usize) -> usize {
        self.lanes[lane].events.len()
    }

    /// How many events are in the lane that has the most.
    pub(super) fn fullest(&self) -> usize {
        let lens = self.lanes.iter().map(|lane| lane.events.len());
        lens.max().unwrap_or_default()
    }

    /// Puts the event in the place of the one of its key, which comes out. Gives the event back if none waits.
    pub(super) fn replace(&mut self, spot: Spot, event: E) -> Result<E, E> {
        let (Some(places), Some(key)) = (&self.places, spot.key) else {
            return Err(event);
        };
        let Some(place) = places.get(&key) else {
            return Err(event);
        };
        let lane = &mut self.lanes[place.lane];
        let at = usize::try_from(place.number - lane.left).expect("no more than its capacity");
        Ok(std::mem::replace(&mut lane.events[at], event))
    }

    /// Adds an event whose key does not wait.
    pub(super) fn push(&mut self, spot: Spot, event: E) {
        let lane = &mut self.lanes[spot.lane];
        if let (Some(places), Some(key)) = (&mut self.places, spot.key) {
            let place = Place {
                lane: spot.lane,
                number: lane.left + lane.events.len() as u64,
            };
            places.insert(key, place);
            lane.keys.push_back(key);
        }
        lane.events.push_back(event);
    }

    /// The event that is the last of its lane was drawn to be timed.
    pub(super) fn note_draw(&mut self, lane: usize, draw: Draw) {
        let lane = &mut self.lanes[lane];
        let number = lane.left + lane.events.len() as u64 - 1;
        lane.drawn.push_back((number, draw));
    }

    /// The draw of the event that has just left this lane, if it was drawn. Those of events that were dropped before it go too.
    pub(super) fn take_draw(&mut self, lane: usize) -> Option<Draw> {
        let lane = &mut self.lanes[lane];
        loop {
            let (number, draw) = *lane.drawn.front()?;
            if number >= lane.left {
                return None;
            }
            lane.drawn.pop_front();
            if number + 1 == lane.left {
                return Some(draw);
            }
        }
    }

    /// Takes the next event, and says of which lane it was.
    pub(super) fn pop(&mut self) -> Option<(usize, E)> {
        let next = self.next_lane()?;
        for (n, lane) in self.lanes.iter_mut().enumerate() {
            if n == next || lane.events.is_empty() {
                lane.passed_over = 0;
            } else {
                lane.passed_over += 1;
            }
        }
        Some((next, self.pop_of(next)?))
    }

    /// Takes the oldest event of a lane. It has not been served.
    pub(super) fn pop_of(&mut self, lane: usize) -> Option<E> {
        let lane = &mut self.lanes[lane];
        let event = lane.events.pop_front()?;
        lane.left += 1;
        if let (Some(places), Some(key)) = (&mut self.places, lane.keys.pop_front()) {
            places.remove(&key);
        }
        Some(event)
    }

    /// Takes everything, lane by lane.
    pub(super) fn take_all(&mut self) -> VecDeque<E> {
        let mut all = VecDeque::new();
        for lane in &mut self.lanes {
            all.append(&mut lane.events);
            *lane = Lane::new();
        }
        if let Some(places) = &mut self.places {
            places.clear();
        }
        all
    }

    fn next_lane(&self) -> Option<usize> {
        let with_events = || {
            let lanes = self.lanes.iter().enumerate();
            lanes.filter(|(_, lane)| !lane.events.is_empty())
        };
        let aged = with_events().filter(|(_, lane)| {
            lane.passed_over >= self.aging && !cfg!(fanfare_plant = "aging-ignored")
        });
        // Of equals the last is the greatest, and the most urgent is to be.
        let aged = aged.rev().max_by_key(|(_, lane)| lane.passed_over);
        let (lane, _) = aged.or_else(|| with_events().next())?;
        Some(lane)
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
