//! The state of one breaker, without a clock and without a lock.

use std::time::Duration;

use super::BreakerState;
use super::rules::Rules;
use super::window::{Tally, Window};
use crate::clock::Instant;

/// The state of one breaker.
#[derive(Clone, Debug)]
pub(super) struct Circuit {
    rules: Rules,
    phase: Phase,
    /// The number of the phase: one more with each change. A call that began in another phase than it ends in counts as nothing.
    epoch: u64,
    window: Window,
    /// How long it stays open, or did last.
    open_for: Duration,
    /// How often the probes have failed since it was closed.
    failed_rounds: u32,
    /// Probes under way, of earlier rounds too: never more than the bound.
    probes_running: usize,
    /// Probes of this phase and before are no longer counted among them.
    given_up: u64,
    last_probe: Option<Instant>,
    last_used: Option<Instant>,
    opened: u64,
    rejected: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen(Round),
    ForcedOpen,
    ForcedClosed,
}

/// One round of probes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Round {
    running: usize,
    succeeded: usize,
    failed: usize,
}

/// What a call that was let through gives back when it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    epoch: u64,
    pub(super) is_probe: bool,
    began: Instant,
}

/// Whether a call may begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Go(Ticket),
    Rejected { retry_after: Option<Duration> },
}

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: BreakerState,
    pub(super) to: BreakerState,
}

/// What somebody told all breakers of a config. A new one begins with the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Command {
    #[default]
    Reset,
    StayOpen,
    StayClosed,
}

impl Command {
    /// What it has led to, in words.
    pub(super) fn in_effect(self) -> &'static str {
        match self {
            Self::Reset => "by its settings",
            _ => self.given(),
        }
    }

    /// The command itself.
    pub(super) fn given(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::StayOpen => "forced open",
            Self::StayClosed => "forced closed",
        }
    }
}

/// What a listing shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) state: BreakerState,
    pub(super) retry_after: Option<Duration>,
    pub(super) tally: Tally,
    /// `None` while there are too few calls for a rate.
    pub(super) failure_rate: Option<f64>,
    /// `None` too if no rate of slow calls was asked for.
    pub(super) slow_rate: Option<f64>,
    pub(super) probes_running: usize,
    pub(super) opened: u64,
    pub(super) rejected: u64,
}

impl Circuit {
    pub(super) fn new(rules: Rules, command: Command) -> Self {
        Self {
            rules,
            phase: command.phase(),
            epoch: 1,
            window: Window::new(rules.span),
            open_for: rules.open_for,
            failed_rounds: 0,
            probes_running: 0,
            given_up: 0,
            last_probe: None,
            last_used: None,
            opened: 0,
            rejected: 0,
        }
    }

    /// A call asks whether it may begin.
    pub(super) fn start(&mut self, now: Instant) -> (Answer, Option<Change>) {
        self.last_used = Some(now);
        match self.phase {
            Phase::Closed | Phase::ForcedClosed => (self.go(false, now), None),
            Phase::ForcedOpen => (self.reject(None), None),
            Phase::Open { until } if now < until => (self.reject(Some(until - now)), None),
            Phase::Open { .. } => {
                let change = self.turn(Phase::HalfOpen(Round::default()));
                let (answer, _) = self.start_probe(Round::default(), now);
                (answer, Some(change))
            }
            Phase::HalfOpen(round) => self.start_probe(round, now),
        }
    }

    fn start_probe(&mut self, round: Round, now: Instant) -> (Answer, Option<Change>) {
        let places = self.rules.probes;
        if self.probes_running >= places || round.taken() >= places {
            if !self.is_overdue(now) {
                return (self.reject(None), None);
            }
            if round.running > 0 {
                self.give_up(self.epoch);
                let change = self.open_again(now);
                return (self.reject(Some(self.open_for)), Some(change));
            }
            // Only probes of earlier rounds are in the way.
            self.give_up(self.epoch - 1);
        }
        self.probes_running += 1;
        self.last_probe = Some(now);
        self.phase = Phase::HalfOpen(Round {
            running: round.running + 1,
            ..round
        });
        (self.go(true, now), None)
    }

    /// A call has ended, and counts.
    pub(super) fn end(&mut self, ticket: Ticket, failed: bool, now: Instant) -> Option<Change> {
        self.leave(ticket);
        if ticket.epoch != self.epoch {
            return None;
        }
        let slow = self
            .rules
            .is_slow(now.saturating_duration_since(ticket.began));
        match self.phase {
            Phase::Closed => {
                self.window.record(Tally::one(failed, slow), now);
                let tally = self.window.tally(now);
                self.is_too_bad(tally).then(|| {
                    self.failed_rounds = 0;
                    self.open(self.rules.open_for, now)
                })
            }
            Phase::ForcedClosed => {
                self.window.record(Tally::one(failed, slow), now);
                None
            }
            Phase::HalfOpen(round) => self.decide(round.ended(!failed && !slow), now),
            // No call begins in these.
            Phase::Open { .. } | Phase::ForcedOpen => None,
        }
    }

    /// Goes by other rules from now on. The state stays, but for a round of probes that they decide; so do the calls that the window has, and the time since it opened.
    pub(super) fn change(&mut self, rules: Rules, now: Instant) -> Option<Change> {
        self.window.change(rules.span, now);
        let opened_for = self.open_for;
        self.rules = rules;
        self.open_for = (0..self.failed_rounds)
            .try_fold(rules.open_for, |open_for, _| {
                let grown = rules.grown(open_for);
                // It has come to its longest.
                if grown == open_for {
                    Err(grown)
                } else {
                    Ok(grown)
                }
            })
            .unwrap_or_else(|longest| longest);
        match self.phase {
            Phase::Open { until } => {
                let until = until - opened_for + self.open_for;
                self.phase = Phase::Open { until };
                None
            }
            Phase::HalfOpen(round) => self.decide(round, now),
            _ => None,
        }
    }

    fn decide(&mut self, round: Round, now: Instant) -> Option<Change> {
        self.phase = Phase::HalfOpen(round);
        let needed = self.rules.probe_successes();
        if round.succeeded >= needed {
            Some(self.turn(Phase::Closed))
        } else if round.failed + needed > self.rules.probes {
            Some(self.open_again(now))
        } else {
            None
        }
    }

    /// A call has ended, and counts as nothing: it was dropped, or was rejected further in. A probe's place comes back.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.leave(ticket);
        if ticket.epoch == self.epoch {
            if let Phase::HalfOpen(round) = &mut self.phase {
                round.running -= 1;
            }
        }
    }

    /// Somebody said how it is to be. A reset forgets all calls.
    pub(super) fn command(&mut self, command: Command) -> Option<Change> {
        let to = command.phase();
        if to != self.phase {
            return Some(self.turn(to));
        }
        if command == Command::Reset {
            self.turn(to);
        }
        None
    }

    pub(super) fn view(&mut self, now: Instant) -> View {
        let tally = self.window.tally(now);
        let is_rated = tally.calls >= self.rules.min_calls();
        View {
            state: self.phase.state(),
            retry_after: match self.phase {
                Phase::Open { until } => Some(until.saturating_duration_since(now)),
                _ => None,
            },
            tally,
            failure_rate: is_rated.then(|| tally.failure_rate()),
            slow_rate: (is_rated && self.rules.slow.is_some()).then(|| tally.slow_rate()),
            probes_running: self.probes_running,
            opened: self.opened,
            rejected: self.rejected,
        }
    }

    /// Whether a call has ever come.
    pub(super) fn is_used(&self) -> bool {
        self.last_used.is_some()
    }

    /// In which order this may be forgotten, least first, while no call of it is under way. `None` if something would be lost: it is open.
    pub(super) fn rank(&self, now: Instant) -> Option<(u8, Option<Instant>)> {
        match self.phase {
            Phase::Closed | Phase::ForcedOpen | Phase::ForcedClosed => Some((0, self.last_used)),
            Phase::Open { until } if now < until => None,
            Phase::Open { .. } | Phase::HalfOpen(_) => Some((1, self.last_used)),
        }
    }

    fn is_too_bad(&self, tally: Tally) -> bool {
        let slow_rate = self.rules.slow.map(|(share, _)| share);
        tally.calls >= self.rules.min_calls()
            && (tally.failure_rate() >= self.rules.failure_rate
                || slow_rate.is_some_and(|most| tally.slow_rate() >= most))
    }

    fn go(&self, is_probe: bool, now: Instant) -> Answer {
        Answer::Go(Ticket {
            epoch: self.epoch,
            is_probe,
            began: now,
        })
    }

    fn reject(&mut self, retry_after: Option<Duration>) -> Answer {
        self.rejected += 1;
        Answer::Rejected { retry_after }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        let since = self
            .last_probe
            .map(|began| now.saturating_duration_since(began));
        since.is_some_and(|since| since >= self.rules.probe_timeout)
    }

    /// Counts the probes up to this phase no longer among those under way.
    fn give_up(&mut self, epoch: u64) {
        self.given_up = epoch;
        self.probes_running = 0;
    }

    fn leave(&mut self, ticket: Ticket) {
        if ticket.is_probe && ticket.epoch > self.given_up {
            self.probes_running -= 1;
        }
    }

    /// The probes have failed.
    fn open_again(&mut self, now: Instant) -> Change {
        self.failed_rounds = self.failed_rounds.saturating_add(1);
        self.open(self.rules.grown(self.open_for), now)
    }

    fn open(&mut self, open_for: Duration, now: Instant) -> Change {
        self.open_for = open_for;
        self.opened += 1;
        self.turn(Phase::Open {
            until: now + open_for,
        })
    }

    fn turn(&mut self, to: Phase) -> Change {
        let from = std::mem::replace(&mut self.phase, to);
        self.epoch += 1;
        if matches!(to, Phase::Closed | Phase::ForcedClosed) {
            self.window.clear();
        }
        Change {
            from: from.state(),
            to: to.state(),
        }
    }
}

impl Phase {
    fn state(self) -> BreakerState {
        match self {
            Self::Closed => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen(_) => BreakerState::HalfOpen,
            Self::ForcedOpen => BreakerState::ForcedOpen,
            Self::ForcedClosed => BreakerState::ForcedClosed,
        }
    }
}

impl Round {
    fn taken(self) -> usize {
        self.running + self.succeeded + self.failed
    }

    fn ended(mut self, well: bool) -> Self {
        self.running -= 1;
        if well {
            self.succeeded += 1;
        } else {
            self.failed += 1;
        }
        self
    }
}

impl Command {
    fn phase(self) -> Phase {
        match self {
            Self::Reset => Phase::Closed,
            Self::StayOpen => Phase::ForcedOpen,
            Self::StayClosed => Phase::ForcedClosed,
        }
    }
}
