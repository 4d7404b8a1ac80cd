//! The slow, obvious twin of [`Circuit`](super::state::Circuit): it keeps every call there ever was, and counts anew each time.

use std::time::Duration;

use super::BreakerState;
use super::rules::{Rules, Span};
use super::state::Command;
use crate::clock::Instant;

#[derive(Debug)]
pub(super) struct Twin {
    rules: Rules,
    /// The rates in tenths, in which there is no rounding.
    failure_tenths: usize,
    slow_tenths: usize,
    pub(super) calls: Vec<Call>,
    /// In the order in which they ended.
    ended: Vec<Ended>,
    /// Every state that it has been in, and since when.
    history: Vec<(BreakerState, Instant)>,
    pub(super) rejected: u64,
    /// How often a reset found it closed: that makes no change, and yet forgets.
    resets: usize,
}

#[derive(Debug)]
pub(super) struct Call {
    /// What was the case when it began: the length of the history, and the resets.
    under: (usize, usize),
    began: Instant,
    is_probe: bool,
    given_up: bool,
    pub(super) end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Well,
    Badly,
    Nothing,
}

/// A call that counted, and what was the case when it ended.
#[derive(Debug)]
struct Ended {
    call: usize,
    at: Instant,
    failed: bool,
    slow: bool,
    under: (usize, usize),
}

impl Twin {
    pub(super) fn new(
        rules: Rules,
        failure_tenths: usize,
        slow_tenths: usize,
        now: Instant,
    ) -> Self {
        Self {
            rules,
            failure_tenths,
            slow_tenths,
            calls: Vec::new(),
            ended: Vec::new(),
            history: vec![(BreakerState::Closed, now)],
            rejected: 0,
            resets: 0,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.history.last().unwrap().0
    }

    fn under(&self) -> (usize, usize) {
        (self.history.len(), self.resets)
    }

    pub(super) fn opened(&self) -> u64 {
        let opened = self
            .history
            .iter()
            .filter(|(state, _)| *state == BreakerState::Open);
        opened.count() as u64
    }

    /// Open for `open_for`, times the factor for each time that it went from half-open to open since it was closed.
    fn open_for(&self) -> Duration {
        let closed = |(state, _): &(BreakerState, Instant)| {
            matches!(state, BreakerState::Closed | BreakerState::ForcedClosed)
        };
        let last_closed = self.history.iter().rposition(closed).unwrap();
        let since = &self.history[last_closed..];
        let failed_rounds = since
            .windows(2)
            .filter(|pair| pair[0].0 == BreakerState::HalfOpen && pair[1].0 == BreakerState::Open);
        failed_rounds.fold(self.rules.open_for, |open, _| match self.rules.growth {
            Some((factor, most)) => open.mul_f64(factor).min(most),
            None => open,
        })
    }

    pub(super) fn retry_after(&self, now: Instant) -> Option<Duration> {
        let (state, since) = *self.history.last().unwrap();
        let left = (since + self.open_for()).saturating_duration_since(now);
        (state == BreakerState::Open).then_some(left)
    }

    /// Probes that run and are waited for.
    pub(super) fn probes_running(&self) -> usize {
        let running = |call: &&Call| call.is_probe && call.end.is_none() && !call.given_up;
        self.calls.iter().filter(running).count()
    }

    fn round(&self) -> impl Iterator<Item = &Call> {
        let under = self.under();
        self.calls
            .iter()
            .filter(move |call| call.is_probe && call.under == under)
    }

    /// Other rules, of the same span.
    pub(super) fn change(
        &mut self,
        rules: Rules,
        failure_tenths: usize,
        slow_tenths: usize,
        now: Instant,
    ) {
        self.rules = rules;
        self.failure_tenths = failure_tenths;
        self.slow_tenths = slow_tenths;
        if self.state() == BreakerState::HalfOpen {
            self.decide(now);
        }
    }

    fn decide(&mut self, now: Instant) {
        let (_, succeeded, failed) = self.round_counts();
        let needed = self.rules.probe_successes();
        if succeeded >= needed {
            self.history.push((BreakerState::Closed, now));
        } else if failed > self.rules.probes - needed {
            self.history.push((BreakerState::Open, now));
        }
    }

    /// How many probes of this round run, succeeded, failed.
    fn round_counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&Call) -> bool| self.round().filter(|call| wanted(call)).count();
        (
            count(|call| call.end.is_none()),
            count(|call| matches!(call.end, Some(End::Well))),
            count(|call| matches!(call.end, Some(End::Badly))),
        )
    }

    /// The number of the call, or how long to wait.
    pub(super) fn start(&mut self, now: Instant) -> Result<usize, Option<Duration>> {
        if self.retry_after(now) == Some(Duration::ZERO) {
            self.history.push((BreakerState::HalfOpen, now));
        }
        match self.state() {
            BreakerState::Closed | BreakerState::ForcedClosed => Ok(self.begin(false, now)),
            BreakerState::HalfOpen => {
                self.wait_no_longer(now);
                let (running, succeeded, failed) = self.round_counts();
                let has_place = running + succeeded + failed < self.rules.probes;
                let is_half_open = self.state() == BreakerState::HalfOpen;
                if is_half_open && has_place && self.probes_running() < self.rules.probes {
                    return Ok(self.begin(true, now));
                }
                self.rejected += 1;
                Err(self.retry_after(now))
            }
            _ => {
                self.rejected += 1;
                Err(self.retry_after(now))
            }
        }
    }

    fn begin(&mut self, is_probe: bool, now: Instant) -> usize {
        self.calls.push(Call {
            under: self.under(),
            began: now,
            is_probe,
            given_up: false,
            end: None,
        });
        self.calls.len() - 1
    }

    /// Gives up the probes if there is no place and the last of them began too long ago; with the round, if one of them is of it.
    fn wait_no_longer(&mut self, now: Instant) {
        let (running, succeeded, failed) = self.round_counts();
        let places = self.rules.probes;
        let has_place = running + succeeded + failed < places && self.probes_running() < places;
        let probes = self.calls.iter().filter(|call| call.is_probe);
        let last = probes.map(|call| call.began).max();
        if has_place || last.is_none_or(|last| now < last + self.rules.probe_timeout) {
            return;
        }
        for call in &mut self.calls {
            call.given_up |= call.end.is_none();
        }
        if running > 0 {
            self.history.push((BreakerState::Open, now));
        }
    }

    pub(super) fn end(&mut self, call: usize, failed: bool, now: Instant) {
        let under = self.under();
        let took = now - self.calls[call].began;
        let slow = self.rules.slow.is_some_and(|(_, slow)| took >= slow);
        self.calls[call].end = Some(if failed || slow {
            End::Badly
        } else {
            End::Well
        });
        self.ended.push(Ended {
            call,
            at: now,
            failed,
            slow,
            under,
        });
        if self.calls[call].under != under {
            return;
        }
        match self.state() {
            BreakerState::Closed => {
                let (calls, failed, slow) = self.window(now);
                let is_slow = self.rules.slow.is_some() && slow * 10 >= self.slow_tenths * calls;
                let is_bad = failed * 10 >= self.failure_tenths * calls || is_slow;
                if calls >= self.rules.min_calls() && is_bad {
                    self.history.push((BreakerState::Open, now));
                }
            }
            BreakerState::HalfOpen => self.decide(now),
            _ => {}
        }
    }

    pub(super) fn cancel(&mut self, call: usize) {
        self.calls[call].end = Some(End::Nothing);
    }

    pub(super) fn command(&mut self, command: Command, now: Instant) {
        let to = match command {
            Command::Reset => BreakerState::Closed,
            Command::StayOpen => BreakerState::ForcedOpen,
            Command::StayClosed => BreakerState::ForcedClosed,
        };
        if self.state() != to {
            self.history.push((to, now));
        } else if command == Command::Reset {
            self.resets += 1;
        }
    }

    /// Calls, failed and slow ones: of those that began and ended in the present time of being closed, or the last one.
    pub(super) fn window(&self, now: Instant) -> (usize, usize, usize) {
        let closed = |(state, _): &(BreakerState, Instant)| {
            matches!(state, BreakerState::Closed | BreakerState::ForcedClosed)
        };
        let last_closed = self.history.iter().rposition(closed).unwrap() + 1;
        let under = (last_closed, self.resets);
        let whole = |ended: &&Ended| ended.under == under && self.calls[ended.call].under == under;
        let all: Vec<&Ended> = self.ended.iter().filter(whole).collect();
        let origin = all.first().map_or(now, |first| first.at);
        let kept: Vec<&Ended> = match self.rules.span {
            Span::Calls(most) => all[all.len().saturating_sub(most)..].to_vec(),
            Span::Time { length, buckets } => {
                let width = (length / buckets).as_nanos();
                let number = |at: Instant| (at - origin).as_nanos() / width;
                let young = |one: &&Ended| number(one.at) + u128::from(buckets) > number(now);
                all.into_iter().filter(young).collect()
            }
        };
        let failed = kept.iter().filter(|one| one.failed).count();
        let slow = kept.iter().filter(|one| one.slow).count();
        (kept.len(), failed, slow)
    }
}
