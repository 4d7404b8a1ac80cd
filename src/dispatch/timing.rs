//! Timing the calls of the emissions that are drawn for it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::Core;
use super::emission::State;
use crate::clock::{self, Instant};
use crate::event::Event;
use crate::metrics::{Draw, Meters, Stopwatch, Wait};
use crate::pool::Acquire;
use crate::registry::{Entry, Record};
use crate::sync::shard::Seat;

/// An emission that was drawn has ended.
pub(super) fn ended(core: &Core, draw: Option<Draw>) {
    if core.home.meters.times(draw) {
        let took = draw.map(Draw::elapsed);
        core.home.meters.emission(took.unwrap_or_default());
    }
}

impl<E: Event> State<'_, E> {
    /// Whether this emission, which has just been counted, is drawn.
    pub(super) fn drawn(&self) -> Option<Draw> {
        let shards = &self.snapshot().shards;
        // Each list counts anew: where it begins in the row of numbers is its own, or the first of every list would be drawn.
        let nth = || shards.begun(Seat::of_this_thread()) + self.snapshot().number;
        self.core.home.meters.draw(nth)
    }
}

/// What a pass does about the time between its calls. It is given entries and no records: to ask an entry for its record is a call, which nobody makes who times nothing. For the same reason it is
/// copied and not lent.
pub(super) trait Laps: Copy {
    /// A call has ended in place.
    fn ended<E>(self, entry: &Arc<dyn Entry<E>>);

    /// What was done since does not belong to the next call.
    fn skip(self);

    /// A call has suspended: when it began, and a watch for its polls, if it is timed.
    fn suspended<E>(self, entry: &Arc<dyn Entry<E>>) -> (Instant, Stopwatch);
}

/// None of the calls is timed.
#[derive(Clone, Copy)]
pub(super) struct Untimed;

impl Laps for Untimed {
    #[inline(always)]
    fn ended<E>(self, _: &Arc<dyn Entry<E>>) {}

    #[inline(always)]
    fn skip(self) {}

    #[inline(always)]
    fn suspended<E>(self, _: &Arc<dyn Entry<E>>) -> (Instant, Stopwatch) {
        (clock::now(), Stopwatch::default())
    }
}

/// One reading of the clock a call: where one ends the next begins.
pub(super) struct Clocked<'a> {
    meters: &'a Meters,
    draw: Draw,
    at: Cell<Instant>,
}

impl<'a> Clocked<'a> {
    pub(super) fn new(core: &'a Core, draw: Draw) -> Self {
        Self {
            meters: &core.home.meters,
            draw,
            at: Cell::new(draw.began()),
        }
    }

    /// When the call began that ends or suspends now, and how long that is ago.
    fn lap(&self) -> (Instant, Duration) {
        let now = clock::now();
        let began = self.at.replace(now);
        (began, now.saturating_duration_since(began))
    }

    fn times(&self, record: &Record) -> bool {
        let meter = || record.known_meter();
        self.meters.times_call(Some(self.draw), meter)
    }
}

impl Laps for &Clocked<'_> {
    fn ended<E>(self, entry: &Arc<dyn Entry<E>>) {
        let (_, took) = self.lap();
        let record = entry.record();
        if self.times(record) && record.timed(took, took) {
            self.skip();
        }
    }

    fn skip(self) {
        self.at.set(clock::now());
    }

    fn suspended<E>(self, entry: &Arc<dyn Entry<E>>) -> (Instant, Stopwatch) {
        let (began, polled) = self.lap();
        let watch = self.times(entry.record());
        let watch = watch.then(|| Stopwatch::running(polled));
        (began, watch.unwrap_or_default())
    }
}

/// A wait for a permit, which is timed if its emission is drawn.
pub(super) fn timed_if(drawn: bool, core: &Arc<Core>, acquire: Acquire) -> Acquire {
    if !drawn {
        return acquire;
    }
    let (core, began) = (Arc::clone(core), clock::now());
    Box::pin(async move {
        let acquired = acquire.await;
        core.home.meters.waited(Wait::Permit, clock::since(began));
        acquired
    })
}
