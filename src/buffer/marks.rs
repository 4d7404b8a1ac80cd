//! When a buffer is under pressure, and who waits for that to end.

use std::pin::pin;

use crate::error::{OptionError, check_count};
use crate::sync::{Notify, Semaphore};

/// Under pressure from `high` events on, until there are no more than `low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) low: usize,
    pub(crate) high: usize,
}

impl Marks {
    /// Half and four fifths of the capacity, which is one event or more.
    pub(crate) fn of_capacity(capacity: usize) -> Self {
        Self {
            low: (capacity / 2).max(1),
            high: (capacity * 4).div_ceil(5),
        }
    }

    pub(crate) fn check(self, capacity: usize) -> Result<(), OptionError> {
        let Self { low, high } = self;
        check_count(
            "watermarks",
            low,
            usize::MAX,
            "it takes a low mark of 1 event or more",
        )?;
        let refuse = |expected| {
            let value = format!("({low}, {high}) with a buffer of {capacity}");
            Err(OptionError::new("watermarks", value, expected))
        };
        if low > high {
            return refuse("it takes a low mark that is not above the high one");
        }
        if high > capacity {
            return refuse("it takes a high mark that the buffer can hold");
        }
        Ok(())
    }
}

/// Whether the high mark was reached and the low one has not been since.
#[derive(Debug)]
pub(super) struct Pressure {
    marks: Marks,
    pressed: bool,
}

/// The buffer was shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IsClosed;

impl Pressure {
    pub(super) fn new(marks: Marks) -> Self {
        Self {
            marks,
            pressed: false,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.pressed
    }

    /// There are so many now, which is more than before. True if it begins.
    pub(super) fn rise(&mut self, events: usize) -> bool {
        let begins = !self.pressed && events >= self.marks.high;
        self.pressed |= begins;
        begins
    }

    /// There are so many now, which is fewer than before. True if it ends.
    pub(super) fn fall(&mut self, events: usize) -> bool {
        let low = if cfg!(fanfare_plant = "low-mark-ignored") {
            self.marks.high - 1
        } else {
            self.marks.low
        };
        let ends = self.pressed && events <= low;
        self.pressed &= !ends;
        ends
    }
}

/// Where those wait who want room without pressure: in a queue, of which only the first looks.
#[derive(Debug)]
pub(super) struct Relief {
    pub(super) turn: Semaphore,
    ends: Notify,
}

impl Relief {
    pub(super) fn new() -> Self {
        Self {
            turn: Semaphore::new(1),
            ends: Notify::new(),
        }
    }

    /// Wakes the first of those who wait: the pressure has ended.
    pub(super) fn comes(&self) {
        self.ends.notify_waiters();
    }

    pub(super) fn close(&self) {
        self.turn.close();
        self.comes();
    }

    /// Waits until `look` says that there is no pressure.
    pub(super) async fn wait(
        &self,
        look: impl Fn() -> Result<bool, IsClosed>,
    ) -> Result<(), IsClosed> {
        loop {
            let mut ends = pin!(self.ends.notified());
            // Before the look: what ends after it is not missed.
            ends.as_mut().enable();
            if !look()? {
                return Ok(());
            }
            #[cfg(fanfare_plant = "relief-missed")]
            ends.set(self.ends.notified());
            ends.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_begins_at_the_high_mark_and_ends_at_the_low_one() {
        let mut pressure = Pressure::new(Marks { low: 2, high: 4 });
        assert!(!pressure.rise(3) && !pressure.fall(2));
        assert!(pressure.rise(4) && pressure.is_on());
        assert!(!pressure.rise(5), "it is on already");
        assert!(!pressure.fall(3) && pressure.is_on());
        assert!(pressure.fall(2) && !pressure.is_on());
        assert!(!pressure.rise(3) && !pressure.is_on());
    }

    #[test]
    fn marks_that_are_one_end_the_pressure_with_the_next_that_goes() {
        let mut pressure = Pressure::new(Marks::of_capacity(1));
        for _ in 0..3 {
            assert!(pressure.rise(1) && pressure.is_on());
            assert!(pressure.fall(0) && !pressure.is_on());
        }
    }
}
