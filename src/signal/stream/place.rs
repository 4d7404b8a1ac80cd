//! Where in the order of a stream events are missing.

use std::collections::VecDeque;

/// How far a stream has come, and where what it has missed would have been.
#[derive(Default)]
pub(super) struct Place {
    /// Events that were put in.
    pushed: u64,
    /// Events that were taken out, by the reader or to make room.
    popped: u64,
    missed: u64,
    /// Gaps that the reader has not come to, the first first. At most one before each event that is in, and one behind the last.
    gaps: VecDeque<Gap>,
}

/// So many events are missing before the one of this number.
struct Gap {
    before: u64,
    missed: u64,
}

impl Place {
    /// All that was missed, whether or not the reader has come to it.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    pub(super) fn pushed(&mut self) {
        self.pushed += 1;
    }

    pub(super) fn popped(&mut self) {
        self.popped += 1;
    }

    /// An event that was in made room: the gap is before all that are in.
    pub(super) fn missed_ahead(&mut self) {
        self.popped += 1;
        self.missed_next();
    }

    /// An event that was in is not any more, and another is where it was: the gap is before all that are in.
    pub(super) fn missed_next(&mut self) {
        self.missed += 1;
        let missed = 1 + self.reached();
        let before = self.popped;
        self.gaps.push_front(Gap { before, missed });
    }

    /// An event was not taken: the gap is behind all that are in.
    pub(super) fn missed_behind(&mut self) {
        self.missed += 1;
        let before = self.pushed;
        match self.gaps.back_mut() {
            Some(last) if last.before >= before => last.missed += 1,
            _ => self.gaps.push_back(Gap { before, missed: 1 }),
        }
    }

    /// How many are missing right before what comes next. They are forgotten with it.
    pub(super) fn reached(&mut self) -> u64 {
        let mut missed = 0;
        while let Some(gap) = self.gaps.front().filter(|gap| gap.before <= self.popped) {
            missed += gap.missed;
            self.gaps.pop_front();
        }
        missed
    }
}
