//! The default voice: what is logged when nobody else was told.

use crate::clock::{self, Coarse};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Log lines a second and signal.
const MOST: u32 = 10;
const WINDOW_MILLIS: u64 = 1_000;

/// A limit on log lines. Those that it holds back are counted, and the next line that passes says how many.
#[derive(Default)]
pub(crate) struct Voice {
    /// When the present window began, in coarse milliseconds.
    window: AtomicU64,
    spoken: AtomicU32,
    suppressed: AtomicU64,
    unsaid: AtomicU64,
}

impl Voice {
    /// Whether a line may be logged now, and how many were held back since the last. Races between threads can let a few more pass.
    pub(crate) fn may_speak(&self) -> Option<u64> {
        let now = Coarse::at(clock::now()).0;
        let window = self.window.load(Ordering::Relaxed);
        if now >= window + WINDOW_MILLIS {
            self.window.store(now, Ordering::Relaxed);
            self.spoken.store(0, Ordering::Relaxed);
        }
        if self.spoken.fetch_add(1, Ordering::Relaxed) < MOST {
            return Some(self.unsaid.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        None
    }

    pub(crate) fn suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_lines_a_second_pass_and_the_rest_are_counted() {
        let voice = Voice::default();
        let passed = (0..25).filter(|_| voice.may_speak().is_some()).count();
        assert_eq!((passed, voice.suppressed()), (10, 15));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(voice.may_speak(), Some(15));
        assert_eq!(voice.may_speak(), Some(0));
    }
}
