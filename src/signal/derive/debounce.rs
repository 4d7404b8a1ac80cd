//! The last event, once it has been quiet for a while.

use std::time::Duration;

use super::machine::{Machine, Moved};
use crate::clock::Instant;

pub(super) struct Debounce<E> {
    quiet: Duration,
    last: Option<(E, Instant)>,
}

impl<E> Debounce<E> {
    pub(super) fn new(quiet: Duration) -> Self {
        Self { quiet, last: None }
    }
}

impl<E: Send + 'static> Machine for Debounce<E> {
    type Item = E;
    type Out = E;

    fn push(&mut self, item: E, now: Instant, moved: &mut Moved<E, E>) {
        self.tick(now, moved);
        if let Some((superseded, _)) = self.last.replace((item, now + self.quiet)) {
            moved.gone.push(superseded);
            moved.held_back += 1;
        }
    }

    fn tick(&mut self, now: Instant, moved: &mut Moved<E, E>) {
        let due = self.last.take_if(|(_, at)| *at <= now);
        moved.out.extend(due.map(|(event, _)| event));
    }

    fn flush(&mut self, _: Instant, moved: &mut Moved<E, E>) {
        moved.out.extend(self.last.take().map(|(event, _)| event));
    }

    fn deadline(&self) -> Option<Instant> {
        self.last.as_ref().map(|(_, at)| *at)
    }

    fn pending(&self) -> usize {
        usize::from(self.last.is_some())
    }
}
