//! Listeners that come and go, and those who are told.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::Record;
use crate::actor::{actor, within};
use crate::key::Identity;
use crate::listener::Kind;
use crate::sync::Mutex;

/// What happened to a listener. A [`Lifecycle`](crate::Lifecycle) has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Milestone {
    /// It was registered.
    Registered,
    /// Another took its place: [`replace`](crate::ListenBuilder::replace). That one is registered next.
    Replaced,
    /// It was removed: by its handle, its key or its guard.
    Removed,
    /// It was called for the last time that it may be: [`once`](crate::ListenBuilder::once), [`times`](crate::ListenBuilder::times).
    Spent,
    /// It was removed with all others: [`clear`](crate::Signal::clear).
    Cleared,
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registered => "registered",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Spent => "spent",
            Self::Cleared => "cleared",
        })
    }
}

/// One listener that has come or gone.
pub(crate) struct Move {
    pub(crate) listener: Arc<Identity>,
    pub(crate) kind: Kind,
    pub(crate) milestone: Milestone,
    /// How many there are after it.
    pub(crate) listeners: usize,
    pub(crate) at: SystemTime,
    /// On whose behalf.
    pub(crate) actor: Option<Arc<str>>,
}

/// Tells of listeners that come and go, in the order in which they do.
pub(crate) struct Moves {
    queue: Mutex<Queue>,
    tell: Box<dyn Fn(Move) + Send + Sync>,
}

#[derive(Default)]
struct Queue {
    untold: VecDeque<Move>,
    /// Somebody tells now, and will tell the rest.
    telling: bool,
}

impl Moves {
    /// `tell` is called when no lock is held, and does not panic.
    pub(crate) fn new(tell: impl Fn(Move) + Send + Sync + 'static) -> Self {
        Self {
            queue: Mutex::default(),
            tell: Box::new(tell),
        }
    }

    /// Notes what is to be told. Called with the lock on changes held, so that the order is that of the lists.
    pub(super) fn note(&self, record: &Record, kind: Kind, milestone: Milestone, listeners: usize) {
        let noted = Move {
            listener: record.identity(),
            kind,
            milestone,
            listeners,
            at: SystemTime::now(),
            // A listener that is spent is nobody's doing.
            actor: actor().filter(|_| milestone != Milestone::Spent),
        };
        self.queue.lock().untold.push_back(noted);
    }

    /// Tells what is noted, unless somebody does already, who tells this too.
    pub(super) fn tell(&self) {
        while let Some(next) = self.next() {
            // What a callback changes is on behalf of whoever it is told of, not of whoever tells.
            within(next.actor.clone(), || (self.tell)(next));
            self.queue.lock().telling = false;
        }
    }

    fn next(&self) -> Option<Move> {
        let mut queue = self.queue.lock();
        if queue.telling {
            return None;
        }
        let next = queue.untold.pop_front();
        queue.telling = next.is_some();
        next
    }
}
