//! One event, and then none for a while.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::source::{Consumer, Handed};
use crate::clock::{self, Instant};
use crate::event::Event;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// When the last event was let through, if any was.
#[derive(Default)]
struct Throttle(Option<Instant>);

impl Throttle {
    /// Whether an event that comes now is let through.
    fn lets_through(&mut self, every: Duration, now: Instant) -> bool {
        // Two emissions may come in the other order than they have read the clock: neither is early.
        let early = self
            .0
            .is_some_and(|last| now.saturating_duration_since(last) < every);
        if !early {
            self.0 = Some(now);
        }
        !early
    }
}

/// The stage, as new as its links.
pub(super) fn throttle<E: Event>(
    every: Duration,
    held_back: Arc<AtomicU64>,
) -> impl Fn(Consumer<E>) -> Consumer<E> {
    move |next| {
        let (state, held_back) = (Mutex::<Throttle>::default(), Arc::clone(&held_back));
        Arc::new(move |event: Cow<'_, E>| {
            let now = clock::now();
            let through = state.lock().lets_through(every, now);
            if through {
                next(event)
            } else {
                held_back.fetch_add(1, Ordering::Relaxed);
                Handed::done()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_early_does_not_put_the_next_off() {
        let (mut throttle, second) = (Throttle::default(), Duration::from_secs(1));
        let start = clock::now();
        let at = |millis| start + Duration::from_millis(millis);
        let times = [0, 1, 999, 1_000, 1_500, 1_999, 2_000, 5_000, 5_999, 6_000];
        let through = times.map(|millis| throttle.lets_through(second, at(millis)));
        let expected = [
            true, false, false, true, false, false, true, true, false, true,
        ];
        assert_eq!(through, expected);
    }
}
