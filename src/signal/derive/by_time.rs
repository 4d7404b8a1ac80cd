//! Windows of so much time.

use std::collections::VecDeque;
use std::time::Duration;

use super::machine::{Machine, Moved, Span, items_of};
use crate::clock::Instant;

/// The events of the last `length`, each time that `step` has passed since the first event. It begins anew with the next event once it is empty.
pub(super) struct ByTime<I> {
    length: Duration,
    step: Duration,
    at_most: usize,
    last: VecDeque<(Instant, I)>,
    /// When the first event came, and when the next window ends.
    open: Option<(Instant, Instant)>,
    /// How many have come since the last window, and how many have fallen out for want of room.
    fresh: usize,
    missed: u64,
}

impl<I> ByTime<I> {
    pub(super) fn new(length: Duration, step: Duration, at_most: usize) -> Self {
        Self {
            length,
            step,
            at_most,
            last: VecDeque::new(),
            open: None,
            fresh: 0,
            missed: 0,
        }
    }

    /// When a window that ends then began.
    fn began(&self, first: Instant, end: Instant) -> Instant {
        end.checked_sub(self.length)
            .map_or(first, |at| at.max(first))
    }
}

impl<I: Clone> ByTime<I> {
    /// The window that began with what is left of `first` and ends now.
    fn close(&mut self, first: Instant, end: Instant, moved: &mut Moved<I, Span<I>>) {
        let items = items_of(&mut self.last, self.step == self.length);
        self.fresh = 0;
        moved.out.push(Span {
            items,
            began: self.began(first, end),
            ended: end,
            missed: std::mem::take(&mut self.missed),
        });
    }

    /// Lets go of what is too old for a window that ends then.
    fn forget_before(&mut self, end: Instant, moved: &mut Moved<I, Span<I>>) {
        let Some(from) = end.checked_sub(self.length) else {
            return;
        };
        while self.last.front().is_some_and(|(at, _)| *at < from) {
            moved
                .gone
                .extend(self.last.pop_front().map(|(_, item)| item));
        }
    }
}

impl<I: Clone + Send + 'static> Machine for ByTime<I> {
    type Item = I;
    type Out = Span<I>;

    fn push(&mut self, item: I, now: Instant, moved: &mut Moved<I, Span<I>>) {
        self.tick(now, moved);
        self.open.get_or_insert((now, now + self.step));
        if self.last.len() == self.at_most {
            moved
                .gone
                .extend(self.last.pop_front().map(|(_, item)| item));
            self.missed += 1;
            if self.fresh == self.at_most {
                // No window has had it.
                self.fresh -= 1;
                moved.held_back += 1;
            }
        }
        self.last.push_back((now, item));
        self.fresh += 1;
    }

    fn tick(&mut self, now: Instant, moved: &mut Moved<I, Span<I>>) {
        while let Some((first, end)) = self.open.filter(|(_, end)| *end <= now) {
            self.close(first, end, moved);
            let next = end + self.step;
            self.forget_before(next, moved);
            self.open = (!self.last.is_empty()).then_some((first, next));
        }
    }

    fn flush(&mut self, now: Instant, moved: &mut Moved<I, Span<I>>) {
        self.tick(now, moved);
        if let (Some((first, _)), true) = (self.open, self.fresh > 0) {
            self.forget_before(now, moved);
            self.close(first, now, moved);
        }
        self.open = None;
        moved.gone.extend(self.last.drain(..).map(|(_, item)| item));
    }

    fn deadline(&self) -> Option<Instant> {
        self.open.map(|(_, end)| end)
    }

    fn pending(&self) -> usize {
        self.fresh
    }
}
