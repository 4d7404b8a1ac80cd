//! Windows of so many events.

use std::collections::VecDeque;

use super::machine::{Machine, Moved, Span, items_of};
use crate::clock::Instant;

/// The last `size` events, after each `every` of them.
pub(super) struct ByCount<I> {
    size: usize,
    every: usize,
    last: VecDeque<(Instant, I)>,
    /// How many have come since the last window.
    fresh: usize,
}

impl<I> ByCount<I> {
    pub(super) fn new(size: usize, every: usize) -> Self {
        Self {
            size,
            every,
            last: VecDeque::new(),
            fresh: 0,
        }
    }
}

impl<I: Clone> ByCount<I> {
    fn close(&mut self, now: Instant, moved: &mut Moved<I, Span<I>>) {
        let Some((began, _)) = self.last.front() else {
            return;
        };
        let began = *began;
        let items = items_of(&mut self.last, self.every == self.size);
        self.fresh = 0;
        moved.out.push(Span {
            items,
            began,
            ended: now,
            missed: 0,
        });
    }
}

impl<I: Clone + Send + 'static> Machine for ByCount<I> {
    type Item = I;
    type Out = Span<I>;

    fn push(&mut self, item: I, now: Instant, moved: &mut Moved<I, Span<I>>) {
        if self.last.len() == self.size {
            moved
                .gone
                .extend(self.last.pop_front().map(|(_, item)| item));
        }
        self.last.push_back((now, item));
        self.fresh += 1;
        if self.fresh == self.every {
            self.close(now, moved);
        }
    }

    fn tick(&mut self, _: Instant, _: &mut Moved<I, Span<I>>) {}

    fn flush(&mut self, now: Instant, moved: &mut Moved<I, Span<I>>) {
        if self.fresh > 0 {
            self.close(now, moved);
        }
        self.fresh = 0;
        moved.gone.extend(self.last.drain(..).map(|(_, item)| item));
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn pending(&self) -> usize {
        self.fresh
    }
}
