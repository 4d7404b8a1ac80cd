//! What the stages that remember have in common: a state, events that come in, and what comes out now or later.

use std::collections::VecDeque;

use crate::clock::Instant;

/// The state of a stage. It reads no clock and runs no user code: an event that it lets go of is handed back, to be dropped where no lock is held.
pub(super) trait Machine: Send + 'static {
    type Item: Send + 'static;
    type Out: Send + 'static;

    /// Takes an event that comes now, after what was due before it.
    fn push(&mut self, item: Self::Item, now: Instant, moved: &mut Moved<Self::Item, Self::Out>);

    /// Gives out what is due.
    fn tick(&mut self, now: Instant, moved: &mut Moved<Self::Item, Self::Out>);

    /// Gives out what there is, due or not, and starts anew: nothing more comes.
    fn flush(&mut self, now: Instant, moved: &mut Moved<Self::Item, Self::Out>);

    /// When something is due next.
    fn deadline(&self) -> Option<Instant>;

    /// How many events it has that were in nothing that came out.
    fn pending(&self) -> usize;
}

/// What came of a step of a machine.
pub(super) struct Moved<I, O> {
    pub(super) out: Vec<O>,
    /// Events to drop.
    pub(super) gone: Vec<I>,
    /// How many of them have come out in nothing.
    pub(super) held_back: u64,
}

impl<I, O> Moved<I, O> {
    pub(super) fn new() -> Self {
        Self {
            out: Vec::new(),
            gone: Vec::new(),
            held_back: 0,
        }
    }
}

/// The events of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span<I> {
    pub(super) items: Vec<I>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) missed: u64,
}

/// The events of a window that ends: taken out if it shares none with the next, or else cloned.
pub(super) fn items_of<I: Clone>(last: &mut VecDeque<(Instant, I)>, tumbling: bool) -> Vec<I> {
    if tumbling {
        last.drain(..).map(|(_, item)| item).collect()
    } else {
        last.iter().map(|(_, item)| item.clone()).collect()
    }
}
