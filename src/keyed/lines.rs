//! Whose turn it is: for each key one who has the turn, and those who wait for it, in their order.
//!
//! A key has a line only while somebody has its turn, so a key that falls idle leaves nothing behind. The turn goes from one to the next when it is dropped, in one step under the lock of
//! the key's shard; waking, and whatever else comes of it, is done after.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use super::{Fingerprint, Table};
use crate::sync::Mutex;

/// The lines of all keys. Who waits is a task with a ticket, or an item that is to be handed to somebody when its turn comes.
pub(crate) struct Lines<I: Send + Sync + 'static> {
    table: Table<Line<I>>,
    host: OnceLock<Weak<dyn Host<I>>>,
}

/// Who is given the items whose turn has come.
pub(crate) trait Host<I: Send + Sync + 'static>: Send + Sync {
    fn ready(self: Arc<Self>, turn: Turn<I>, item: I);
}

/// The line of one key. There is one only while somebody has the turn.
struct Line<I> {
    taken: bool,
    next: u64,
    waiting: VecDeque<(u64, Option<Waiting<I>>)>,
    /// How many of those have left.
    left: usize,
}

impl<I> Default for Line<I> {
    fn default() -> Self {
        Self {
            taken: false,
            next: 0,
            waiting: VecDeque::new(),
            left: 0,
        }
    }
}

enum Waiting<I> {
    Task(Arc<Ticket>),
    Item(I),
}

impl<I> Line<I> {
    /// Takes the turn, or stands in line.
    fn join(&mut self, waiting: impl FnOnce() -> Waiting<I>) -> Option<u64> {
        if !self.taken {
            self.taken = true;
            return None;
        }
        let place = self.next;
        self.next += 1;
        self.waiting.push_back((place, Some(waiting())));
        Some(place)
    }

    /// Ends a turn. The next has it, if there is one.
    fn end_turn(&mut self) -> Option<Waiting<I>> {
        #[cfg(fanfare_plant = "line-last-first")]
        self.waiting.make_contiguous().reverse();
        while let Some((_, waiting)) = self.waiting.pop_front() {
            if waiting.is_some() {
                return waiting;
            }
            self.left -= 1;
        }
        self.taken = false;
        None
    }

    /// Leaves the line. `None` if it is this one's turn already.
    fn leave(&mut self, place: u64) -> Option<Waiting<I>> {
        let found = self.waiting.binary_search_by_key(&place, |(at, _)| *at);
        let waiting = self.waiting[found.ok()?].1.take();
        self.left += 1;
        // Whoever comes and leaves again and again behind a turn that takes long leaves nothing behind.
        if self.left * 2 > self.waiting.len() {
            self.waiting.retain(|(_, waiting)| waiting.is_some());
            self.left = 0;
        }
        waiting
    }
}

impl<I: Send + Sync + 'static> Lines<I> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            // A key is known only while somebody has its turn: they are as many as those.
            table: Table::new(usize::MAX),
            host: OnceLock::new(),
        })
    }

    pub(crate) fn set_host(&self, host: Weak<dyn Host<I>>) {
        let _ = self.host.set(host);
    }

    /// How many keys somebody has the turn of.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// A turn of this key, to be waited for.
    pub(crate) fn turn(self: &Arc<Self>, key: Fingerprint) -> Turn<I> {
        let mut ticket = None;
        let place = self.join(key, || {
            Waiting::Task(Arc::clone(ticket.get_or_insert_default()))
        });
        Turn {
            lines: Arc::clone(self),
            key,
            waits: place.zip(ticket),
        }
    }

    /// Lines an item up. Given back with its turn, if it is its turn at once.
    pub(crate) fn line_up(self: &Arc<Self>, key: Fingerprint, item: I) -> Option<(Turn<I>, I)> {
        let mut item = Some(item);
        let place = self.join(key, || {
            Waiting::Item(item.take().expect("it lines up once"))
        });
        match (place, item) {
            (None, Some(item)) => Some((self.turn_taken(key), item)),
            _ => None,
        }
    }

    fn join(&self, key: Fingerprint, waiting: impl FnOnce() -> Waiting<I>) -> Option<u64> {
        let entered = self.table.enter(key, |line| line.join(waiting));
        entered.map_or(None, |(place, _)| place)
    }

    fn turn_taken(self: &Arc<Self>, key: Fingerprint) -> Turn<I> {
        Turn {
            lines: Arc::clone(self),
            key,
            waits: None,
        }
    }

    fn end_turn(self: &Arc<Self>, key: Fingerprint) {
        let mut lost = 0_usize;
        loop {
            #[cfg(fanfare_plant = "line-evicted-in-two-steps")]
            let next = {
                let next = self.table.update(key, Line::end_turn, |_| false);
                crate::sync::thread_yield();
                if let Some(None) = next {
                    self.table.update(key, |_| {}, |_| true);
                }
                next
            };
            #[cfg(not(fanfare_plant = "line-evicted-in-two-steps"))]
            let next = self.table.update(key, Line::end_turn, |line| !line.taken);
            match next.flatten() {
                None => break,
                Some(Waiting::Task(ticket)) => {
                    ticket.call();
                    break;
                }
                Some(Waiting::Item(item)) => {
                    if let Some(host) = self.host.get().and_then(Weak::upgrade) {
                        host.ready(self.turn_taken(key), item);
                        break;
                    }
                    drop(item);
                    lost += 1;
                }
            }
        }
        if lost > 0 {
            tracing::warn!(
                count = lost,
                "buffered events were dropped with their signal"
            );
        }
    }

    /// Takes all items out of the lines.
    pub(crate) fn take_items(&self) -> Vec<I> {
        let mut items = Vec::new();
        self.table.each(|line| {
            let waiting = std::mem::take(&mut line.waiting);
            for (place, waiting) in waiting {
                match waiting {
                    Some(Waiting::Item(item)) => items.push(item),
                    Some(task) => line.waiting.push_back((place, Some(task))),
                    None => {}
                }
            }
            line.left = 0;
        });
        items
    }
}

/// The turn of one key, or a place in its line. Dropping it hands the turn on, or leaves the line.
pub(crate) struct Turn<I: Send + Sync + 'static> {
    lines: Arc<Lines<I>>,
    key: Fingerprint,
    waits: Option<(u64, Arc<Ticket>)>,
}

impl<I: Send + Sync + 'static> Turn<I> {
    pub(crate) fn key(&self) -> Fingerprint {
        self.key
    }

    /// Ready when it is this one's turn.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some((_, ticket)) = &self.waits {
            std::task::ready!(ticket.poll(cx));
            self.waits = None;
        }
        Poll::Ready(())
    }
}

impl<I: Send + Sync + 'static> Drop for Turn<I> {
    fn drop(&mut self) {
        if let Some((place, _)) = &self.waits {
            let left = self
                .lines
                .table
                .update(self.key, |line| line.leave(*place), |_| false);
            // It may have come to be its turn just now, and then it is handed on.
            if left.flatten().is_some() || cfg!(fanfare_plant = "turn-not-handed-on") {
                return;
            }
        }
        self.lines.end_turn(self.key);
    }
}

/// How a task that waits for its turn is called.
#[derive(Default)]
struct Ticket(Mutex<Call>);

#[derive(Default)]
struct Call {
    called: bool,
    waker: Option<Waker>,
}

impl Ticket {
    fn call(&self) {
        let waker = {
            let mut call = self.0.lock();
            call.called = true;
            call.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Cloned before and dropped after the lock: a waker is somebody else's code.
        let mut waker = Some(cx.waker().clone());
        let called = {
            let mut call = self.0.lock();
            if !call.called {
                std::mem::swap(&mut call.waker, &mut waker);
            }
            call.called
        };
        drop(waker);
        if called {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
