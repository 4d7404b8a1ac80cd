//! The state, without a lock.

use std::collections::BTreeMap;

/// The place of a waiting call in the queue; unique as long as any call runs or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The calls of one key: how many run, and who waits. While anyone waits, as many run as may, or more if the limit was lowered.
#[derive(Debug)]
pub(super) struct Places<W> {
    running: usize,
    peak: usize,
    next: u64,
    /// The first came first. `None` until the call has said how to wake it.
    queue: BTreeMap<Ticket, Option<W>>,
}

/// What comes of a call that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Runs,
    Waits(Ticket),
    Full,
}

/// Where the place of a call that leaves has gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<W> {
    /// Nobody waits.
    Free,
    /// To the first in the queue, who is to be woken if it has said how.
    Handed(Option<W>),
}

impl<W> Default for Places<W> {
    fn default() -> Self {
        Self {
            running: 0,
            peak: 0,
            next: 0,
            queue: BTreeMap::new(),
        }
    }
}

impl<W> Places<W> {
    /// One more call.
    pub(super) fn arrive(&mut self, limit: usize, waits: bool) -> Arrival {
        // A place that a higher limit has made is for those who wait.
        if self.running < limit && (self.queue.is_empty() || !waits) {
            self.running += 1;
            self.peak = self.peak.max(self.running);
            return Arrival::Runs;
        }
        if !waits {
            return Arrival::Full;
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.queue.insert(ticket, None);
        Arrival::Waits(ticket)
    }

    /// A call that waits says how to wake it, and has back how it said so before. The error is that it has a place, and the waker.
    pub(super) fn wake_with(&mut self, ticket: Ticket, waker: W) -> Result<Option<W>, W> {
        match self.queue.get_mut(&ticket) {
            Some(registered) => Ok(registered.replace(waker)),
            None => Err(waker),
        }
    }

    /// A call that has a place leaves. Its place goes with it if there is one too many.
    pub(super) fn leave(&mut self, limit: usize) -> Place<W> {
        if self.running <= limit {
            if let Some((_, waker)) = self.queue.pop_first() {
                return Place::Handed(waker);
            }
        }
        self.running -= 1;
        Place::Free
    }

    /// The limit is another: the first in the queue have the places that there are now. How each is woken, if it has said so.
    pub(super) fn change(&mut self, limit: usize) -> Vec<Option<W>> {
        let free = limit.saturating_sub(self.running);
        let next = std::iter::from_fn(|| Some(self.queue.pop_first()?.1));
        let handed: Vec<_> = next.take(free).collect();
        self.running += handed.len();
        self.peak = self.peak.max(self.running);
        handed
    }

    /// A call no longer waits. The error is that it has a place.
    pub(super) fn give_up(&mut self, ticket: Ticket) -> Result<Option<W>, ()> {
        self.queue.remove(&ticket).ok_or(())
    }

    /// Nobody runs, nobody waits: this key is as one that was never seen.
    pub(super) fn is_idle(&self) -> bool {
        self.running == 0
    }

    /// The most that have run at once.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.running
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }
}
