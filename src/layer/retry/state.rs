//! The state, without a clock and without dice.

use std::time::Duration;

use super::delays::Course;
use crate::clock::Instant;

/// The limits of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_attempts: u32,
    pub(super) max_elapsed: Option<Duration>,
    pub(super) max_snoozes: u32,
    /// The most that jitter adds, as a share of the wait.
    pub(super) jitter: f64,
}

/// The attempts of one call. It is the one place where they are counted.
pub(super) struct Attempts {
    limits: Limits,
    delays: Course,
    /// How many delays were taken of it.
    delayed: usize,
    attempt: u32,
    snoozes: u32,
}

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Another attempt after the next delay, which is at least so long.
    Again { at_least: Duration },
    /// Another attempt after just so long.
    After(Duration),
    /// Another attempt after so long, which does not count.
    Snooze(Duration),
    /// No more.
    GiveUp,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Attempt { number: u32, wait: Duration },
    GiveUp,
}

impl Attempts {
    /// The first is under way.
    pub(super) fn new(limits: Limits, delays: Course) -> Self {
        Self {
            limits,
            delays,
            delayed: 0,
            attempt: 1,
            snoozes: 0,
        }
    }

    /// Goes on by other settings: what was made is made, and the delays go on where they were.
    pub(super) fn change(&mut self, limits: Limits, delays: Course) {
        self.limits = limits;
        self.delays = delays;
        if let Some(last) = self.delayed.checked_sub(1) {
            self.delays.nth(last);
        }
    }

    /// An attempt has failed. `elapsed` is since the call began, `left` until its deadline; `dice` is a number from 0 to 1.
    pub(super) fn failed(
        &mut self,
        wish: Wish,
        elapsed: Duration,
        left: Option<Duration>,
        dice: f64,
    ) -> Next {
        let wait = match wish {
            Wish::GiveUp => return Next::GiveUp,
            Wish::Snooze(wait) => {
                if self.snoozes >= self.limits.max_snoozes {
                    return Next::GiveUp;
                }
                self.snoozes += 1;
                wait
            }
            Wish::Again { .. } | Wish::After(_) if self.attempt >= self.limits.max_attempts => {
                return Next::GiveUp;
            }
            Wish::Again { at_least } => {
                let Some(delay) = self.delays.next() else {
                    return Next::GiveUp;
                };
                self.delayed += 1;
                self.attempt += 1;
                lengthened(delay.max(at_least), self.limits.jitter * dice)
            }
            Wish::After(wait) => {
                self.attempt += 1;
                wait
            }
        };
        let most = self.limits.max_elapsed;
        let too_late = most.is_some_and(|most| elapsed.saturating_add(wait) > most)
            || left.is_some_and(|left| wait >= left);
        if too_late {
            return Next::GiveUp;
        }
        let number = self.attempt;
        Next::Attempt { number, wait }
    }
}

/// Jitter only lengthens: a wait that was asked for, by a server say, is never cut short.
fn lengthened(wait: Duration, share: f64) -> Duration {
    let longer = wait.as_secs_f64() * (1.0 + share);
    Duration::try_from_secs_f64(longer).map_or(wait, |longer| longer.max(wait))
}

/// How long the call has gone on.
pub(super) fn elapsed(begun: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(begun)
}
