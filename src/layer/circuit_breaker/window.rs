//! The calls that the rates are of.

use std::collections::VecDeque;
use std::time::Duration;

use super::rules::Span;
use crate::clock::Instant;

/// How many calls there were, and how many of them failed or were slow. One that failed slowly is both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: usize,
    pub(super) failed: usize,
    pub(super) slow: usize,
}

impl Tally {
    pub(super) fn one(failed: bool, slow: bool) -> Self {
        Self {
            calls: 1,
            failed: usize::from(failed),
            slow: usize::from(slow),
        }
    }

    /// One of them, counted from the last: those that failed or were slow are evenly spread.
    fn nth(self, nth: usize) -> Self {
        let falls_on = |part: usize| (nth + 1) * part / self.calls > nth * part / self.calls;
        Self::one(falls_on(self.failed), falls_on(self.slow))
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    fn take(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }

    pub(super) fn failure_rate(self) -> f64 {
        share(self.failed, self.calls)
    }

    pub(super) fn slow_rate(self) -> f64 {
        share(self.slow, self.calls)
    }
}

/// A quotient of two counts is the float nearest to it, and so is the rate that somebody writes: 3 of 10 is 0.3 exactly, where 0.3 times 10 is not 3.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of calls are far below 2^52"
)]
fn share(part: usize, of: usize) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

/// The calls that the rates are of. Its memory grows with the calls up to what the span holds.
#[derive(Clone, Debug)]
pub(super) struct Window {
    span: Span,
    total: Tally,
    /// One call each, oldest first, two bits.
    calls: VecDeque<u8>,
    /// The buckets that have calls, oldest first, by number.
    buckets: VecDeque<(u64, Tally)>,
    /// When the first bucket began: with the first call.
    origin: Option<Instant>,
}

const FAILED: u8 = 1;
const SLOW: u8 = 2;

fn of_bits(bits: u8) -> Tally {
    Tally::one(bits & FAILED != 0, bits & SLOW != 0)
}

impl Window {
    pub(super) fn new(span: Span) -> Self {
        Self {
            span,
            total: Tally::default(),
            calls: VecDeque::new(),
            buckets: VecDeque::new(),
            origin: None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.total = Tally::default();
        self.calls.clear();
        self.buckets.clear();
        self.origin = None;
    }

    pub(super) fn record(&mut self, one: Tally, now: Instant) {
        match self.span {
            Span::Calls(most) => {
                if self.calls.len() >= most {
                    if let Some(bits) = self.calls.pop_front() {
                        self.total.take(of_bits(bits));
                    }
                }
                let failed = if one.failed > 0 { FAILED } else { 0 };
                let slow = if one.slow > 0 { SLOW } else { 0 };
                self.calls.push_back(failed | slow);
            }
            Span::Time { .. } => {
                let number = self.advance(now);
                match self.buckets.back_mut() {
                    Some((last, tally)) if *last == number => tally.add(one),
                    _ => self.buckets.push_back((number, one)),
                }
            }
        }
        self.total.add(one);
    }

    /// Goes by another span. What it holds stays, as far as that span holds it: see [`Change::circuit_breaker`](crate::layer::Change::circuit_breaker).
    pub(super) fn change(&mut self, span: Span, now: Instant) {
        if span == self.span {
            return;
        }
        self.tally(now);
        let old = std::mem::replace(self, Self::new(span));
        match (old.span, span) {
            (Span::Calls(_), Span::Calls(most)) => {
                let too_many = old.calls.len().saturating_sub(most);
                for bits in old.calls.into_iter().skip(too_many) {
                    self.record(of_bits(bits), now);
                }
            }
            (Span::Time { .. }, Span::Calls(most)) => {
                let mut room = most;
                let mut newest: Vec<Tally> = Vec::new();
                for (_, tally) in old.buckets.into_iter().rev() {
                    newest.extend((0..tally.calls.min(room)).map(|nth| tally.nth(nth)));
                    room -= tally.calls.min(room);
                }
                newest
                    .into_iter()
                    .rev()
                    .for_each(|one| self.record(one, now));
            }
            (Span::Calls(_), Span::Time { .. }) => {
                if old.total.calls > 0 {
                    self.record(old.total, now);
                }
            }
            (Span::Time { length, buckets }, Span::Time { .. }) => {
                let Some(origin) = old.origin else { return };
                let width = length / buckets;
                self.origin = Some(origin);
                for (number, tally) in old.buckets {
                    let buckets = u32::try_from(number + 1).unwrap_or(u32::MAX);
                    let end = origin.checked_add(width.saturating_mul(buckets));
                    // The end of a bucket is the beginning of the next.
                    let last = end.and_then(|end| end.checked_sub(Duration::from_nanos(1)));
                    self.record(tally, last.map_or(now, |last| last.min(now)));
                }
                self.tally(now);
            }
        }
    }

    /// What is in it now.
    pub(super) fn tally(&mut self, now: Instant) -> Tally {
        if self.origin.is_some() {
            self.advance(now);
        }
        self.total
    }

    /// Lets go of the buckets that are too old, and gives the number of the one that is filled now.
    fn advance(&mut self, now: Instant) -> u64 {
        let Span::Time { length, buckets } = self.span else {
            return 0;
        };
        let origin = *self.origin.get_or_insert(now);
        // Two calls that end at once may come in either order: the later one's time holds for both.
        let newest = self.buckets.back().map_or(0, |(number, _)| *number);
        let number = bucket(now.saturating_duration_since(origin), length / buckets).max(newest);
        while let Some((oldest, tally)) = self.buckets.front().copied() {
            if oldest + u64::from(buckets) > number {
                break;
            }
            self.total.take(tally);
            self.buckets.pop_front();
        }
        number
    }
}

fn bucket(since: Duration, width: Duration) -> u64 {
    let number = since.as_nanos() / width.as_nanos().max(1);
    u64::try_from(number).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn of_two_calls_that_end_at_once_either_may_come_first() {
        let millis = Duration::from_millis;
        let mut window = Window::new(Span::Time {
            length: millis(100),
            buckets: 10,
        });
        let began = clock::now();
        window.record(Tally::one(false, false), began);
        for _ in 0..20 {
            window.record(Tally::one(true, false), began + millis(95));
            window.record(Tally::one(true, false), began + millis(85));
        }
        assert_eq!(window.buckets.len(), 2, "no more than there are");
        assert_eq!(window.tally(began + millis(80)).calls, 41);
        assert_eq!(window.tally(began + millis(185)).failed, 40);
        assert_eq!(window.tally(began + millis(190)).calls, 0);
    }
}
