//! What the switch of one listener says, as a plain value that knows neither clock nor task.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::event::Envelope;
use crate::outcome::Skip;

/// Until somebody switches it on.
pub(super) const FOR_GOOD: u64 = u64::MAX;

/// One event that waits for its listener.
#[derive(Clone)]
pub(crate) struct HeldEvent {
    pub(crate) event: Arc<dyn Any + Send + Sync>,
    pub(crate) envelope: Option<Arc<Envelope>>,
    /// The number of the listener whose filter has said yes.
    pub(crate) wanted_by: u64,
}

/// What is to be done with an event for a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Call,
    Skip(Skip),
    Hold,
}

/// What became of an event that was to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Held,
    Full {
        limit: usize,
    },
    /// Something has changed since [`Way::Hold`] was said: look again.
    Changed,
}

/// What somebody is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Deliver,
    /// Wait until the pause is over.
    Wait,
}

/// What a listener that has held events is to be called with next.
pub(crate) enum Next {
    Event(HeldEvent),
    End,
    /// The listener is removed, and the one that took its place, if there is one, has what it held.
    Moved,
}

/// Whether a listener is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Calls {
    #[default]
    Enabled,
    Disabled,
    Paused {
        /// In coarse milliseconds, or `FOR_GOOD`.
        until: u64,
        holds: bool,
    },
}

/// What a switch says: a plain value, which knows neither clock nor task.
#[derive(Default)]
pub(super) struct State {
    calls: Calls,
    /// How many events it may hold.
    limit: usize,
    held: VecDeque<HeldEvent>,
    /// A task calls the listener with what is held.
    delivering: bool,
    /// A task waits for the end of the pause.
    waiting: bool,
    /// It has been paused since it was registered, as it is not ready yet.
    unready: bool,
    store: Store,
}

/// Where the events are that wait for the listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Store {
    #[default]
    Here,
    /// It takes the place of a listener that holds some, and those are on their way.
    Awaited,
    /// With the listener that took its place, or dropped.
    Moved,
}

/// What a switch says, in words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Words(Calls, usize);

impl State {
    pub(super) fn words(&self) -> Words {
        let limit = match self.calls {
            Calls::Paused { holds: true, .. } => self.limit,
            _ => 0,
        };
        Words(self.calls, limit)
    }

    /// It is paused as long as it is not ready.
    pub(super) fn begin_unready(&mut self, limit: usize) {
        self.pause(FOR_GOOD, Some(limit));
        self.unready = true;
    }

    /// Whether it waits to be resumed for the first time.
    #[cfg(feature = "metrics")]
    pub(super) fn is_unready(&self) -> bool {
        self.unready && matches!(self.calls, Calls::Paused { .. })
    }

    /// Ends a pause that is over.
    pub(super) fn tick(&mut self, now: u64) {
        if matches!(self.calls, Calls::Paused { until, .. } if until != FOR_GOOD && now >= until) {
            self.calls = Calls::Enabled;
        }
    }

    pub(super) fn disable(&mut self) -> bool {
        std::mem::replace(&mut self.calls, Calls::Disabled) != Calls::Disabled
    }

    pub(super) fn enable(&mut self) -> bool {
        self.unready = false;
        std::mem::take(&mut self.calls) != Calls::Enabled
    }

    /// Ends a pause. A listener that is disabled stays so.
    pub(super) fn resume(&mut self) -> bool {
        let paused = matches!(self.calls, Calls::Paused { .. });
        if paused {
            self.calls = Calls::Enabled;
            self.unready = false;
        }
        paused
    }

    /// The longer pause counts, and one that holds goes on holding. A listener that is disabled stays so.
    pub(super) fn pause(&mut self, until: u64, buffer: Option<usize>) -> bool {
        let before = (self.calls, self.limit);
        let (until, holds) = match self.calls {
            Calls::Disabled => return false,
            Calls::Enabled => (until, false),
            Calls::Paused {
                until: before,
                holds,
            } => (until.max(before), holds),
        };
        self.limit = buffer.unwrap_or(self.limit);
        let holds = holds || buffer.is_some();
        self.calls = Calls::Paused { until, holds };
        (self.calls, self.limit) != before
    }

    /// Whether an emission is to look at the switch before a call.
    pub(super) fn is_to_be_looked_at(&self) -> bool {
        self.calls != Calls::Enabled || self.holds_back()
    }

    /// There is something that the listener is to be called with first.
    fn holds_back(&self) -> bool {
        let delivering = self.delivering && !cfg!(fanfare_plant = "held-overtaken");
        delivering || self.store == Store::Awaited || !self.held.is_empty()
    }

    pub(super) fn skip(&self) -> Option<Skip> {
        match self.calls {
            Calls::Enabled => None,
            Calls::Disabled => Some(Skip::Disabled),
            Calls::Paused { .. } => Some(Skip::Paused),
        }
    }

    pub(super) fn way(&self) -> Way {
        match self.calls {
            Calls::Disabled => Way::Skip(Skip::Disabled),
            Calls::Paused { holds: false, .. } => Way::Skip(Skip::Paused),
            Calls::Paused { holds: true, .. } => Way::Hold,
            Calls::Enabled if self.holds_back() => Way::Hold,
            Calls::Enabled => Way::Call,
        }
    }

    pub(super) fn hold(&mut self, event: &HeldEvent) -> Kept {
        if self.store == Store::Moved || self.way() != Way::Hold {
            return Kept::Changed;
        }
        if self.held.len() >= self.limit {
            return Kept::Full { limit: self.limit };
        }
        self.held.push_back(event.clone());
        Kept::Held
    }

    /// Holds these in front of what comes, and has room for so many behind them.
    pub(super) fn begin_with(
        &mut self,
        events: impl ExactSizeIterator<Item = HeldEvent>,
        room: usize,
    ) {
        // One that begins with a pause has said how much it holds.
        let room = if self.limit == 0 { room } else { self.limit };
        self.limit = room.saturating_add(events.len());
        self.held.extend(events);
    }

    pub(super) fn due(&self) -> Option<Due> {
        if self.held.is_empty() || self.store != Store::Here {
            return None;
        }
        match self.calls {
            Calls::Enabled if !self.delivering => Some(Due::Deliver),
            Calls::Paused { until, .. } if until != FOR_GOOD && !self.waiting => Some(Due::Wait),
            _ => None,
        }
    }

    pub(super) fn take_up(&mut self) -> Option<Due> {
        let due = self.due();
        match due {
            Some(Due::Deliver) => self.delivering = true,
            Some(Due::Wait) => self.waiting = true,
            None => {}
        }
        due
    }

    pub(super) fn next(&mut self) -> Next {
        if self.store == Store::Moved {
            return Next::Moved;
        }
        if self.calls == Calls::Enabled {
            if let Some(event) = self.held.pop_front() {
                return Next::Event(event);
            }
            // What the queue took in memory goes back.
            self.held = VecDeque::new();
        }
        self.delivering = false;
        Next::End
    }

    /// When the pause is over that is waited for, in coarse milliseconds. `None` ends the wait.
    pub(super) fn waits_until(&mut self) -> Option<u64> {
        match self.calls {
            Calls::Paused { until, .. } if until != FOR_GOOD && !self.held.is_empty() => {
                Some(until)
            }
            _ => {
                self.stop_waiting();
                None
            }
        }
    }

    pub(super) fn stop_waiting(&mut self) {
        self.waiting = false;
    }

    /// False if what was held has moved.
    pub(super) fn stop_delivering(&mut self) -> bool {
        if self.store == Store::Moved {
            return false;
        }
        self.delivering = false;
        true
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn take_held(&mut self) -> VecDeque<HeldEvent> {
        std::mem::take(&mut self.held)
    }

    /// What the listener that takes this one's place begins with: a pause that holds goes on, any other switch does not.
    pub(super) fn inherited(&self) -> Option<Self> {
        let holds = matches!(self.calls, Calls::Paused { holds: true, .. });
        (holds || self.holds_back()).then(|| Self {
            calls: if holds { self.calls } else { Calls::Enabled },
            limit: self.limit,
            unready: holds && self.unready,
            ..Self::default()
        })
    }

    /// Hands over what is held, and who delivers it.
    pub(super) fn hand_over(&mut self) -> Self {
        let inherited = self.inherited().unwrap_or_default();
        self.store = Store::Moved;
        Self {
            held: std::mem::take(&mut self.held),
            delivering: std::mem::take(&mut self.delivering),
            ..inherited
        }
    }

    /// Begins with what the listener had whose place this one takes, but for what was said of this one already.
    pub(super) fn expect(&mut self, inherited: &Self) {
        self.store = Store::Awaited;
        self.inherit(inherited);
    }

    /// Takes what that one has handed over, in front of what has come since.
    pub(super) fn take_over(&mut self, mut before: Self) {
        if std::mem::take(&mut self.store) != Store::Awaited {
            self.inherit(&before);
        }
        before.held.append(&mut self.held);
        self.held = before.held;
        self.delivering |= before.delivering;
    }

    fn inherit(&mut self, before: &Self) {
        if self.calls == Calls::Enabled {
            self.calls = before.calls;
            self.unready = before.unready;
        }
        self.limit = self.limit.max(before.limit);
    }
}

impl Words {
    /// The same, with what is held, if there is anything to say.
    pub(super) fn with_held(self, held: usize) -> Option<String> {
        match held {
            0 if self.0 == Calls::Enabled => None,
            0 => Some(self.to_string()),
            held => Some(format!("{self}, {} held", Grouped(held))),
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Calls::Enabled => f.write_str("enabled"),
            Calls::Disabled => f.write_str("disabled"),
            Calls::Paused { holds: false, .. } => f.write_str("paused"),
            Calls::Paused { holds: true, .. } => {
                write!(f, "paused, holding up to {}", Grouped(self.1))
            }
        }
    }
}

/// A number with a comma before every three digits.
struct Grouped(usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1_000, self.0 % 1_000) {
            (0, rest) => write!(f, "{rest}"),
            (more, rest) => write!(f, "{},{rest:03}", Grouped(more)),
        }
    }
}
