//! The time of an attempt, and of all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fanfare::layer::{DeadLetter, Retry};
use fanfare::{Cause, Outcome, Signal};
use tokio::time::Instant;

use crate::support::poll_once;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_dropped_and_tried_again() {
    let signal = Signal::<u32>::new();
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let slow_at_first = async move |_| {
        let slow = count.fetch_add(1, Ordering::Relaxed) < 2;
        tokio::time::sleep(if slow { 60 * SECOND } else { SECOND / 2 }).await;
    };
    let retry = Retry::constant(10 * SECOND);
    signal
        .listen()
        .timeout(SECOND)
        .retry(retry)
        .on(slow_at_first)
        .unwrap();
    let begun = Instant::now();
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert_eq!(begun.elapsed(), (2 * (SECOND + 10 * SECOND)) + SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn the_report_says_which_time_was_up() {
    let signal = Signal::<u32>::new();
    let hang = async |_| std::future::pending::<()>().await;
    signal
        .listen()
        .timeout(SECOND)
        .deadline(2 * SECOND)
        .on(hang)
        .unwrap();
    let retry = Retry::constant(SECOND / 4).max_attempts(100);
    signal
        .listen()
        .timeout(SECOND)
        .deadline(2 * SECOND)
        .retry(retry)
        .on(hang)
        .unwrap();
    let report = signal.emit(1).await;
    let given = report.failures().map(|failure| match failure.cause() {
        Cause::TimedOut(given) => given.as_secs(),
        other => panic!("{other}"),
    });
    // The second one's next wait would fit in what is left, its attempt would not.
    assert_eq!(given.collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_wait_for_a_permit_of_nothing_but_the_call_itself() {
    let signal = Signal::<u32>::new();
    let hang = async |_| std::future::pending::<()>().await;
    signal.listen().deadline(3 * SECOND).on(hang).unwrap();
    let begun = Instant::now();
    assert_eq!(signal.emit(1).await.count(Outcome::TimedOut), 1);
    assert_eq!(begun.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_dead_letter_sees_the_deadline_and_is_not_bound_by_it() {
    let signal = Signal::<u32>::new();
    let hang = async |_| std::future::pending::<()>().await;
    let slowly = DeadLetter::to(async |letter: fanfare::layer::Letter| {
        assert_eq!(letter.cause().outcome(), Outcome::TimedOut);
        tokio::time::sleep(60 * SECOND).await;
    });
    signal
        .listen()
        .deadline(SECOND)
        .dead_letter(slowly)
        .on(hang)
        .unwrap();
    let begun = Instant::now();
    assert_eq!(signal.emit(1).await.count(Outcome::TimedOut), 1);
    assert_eq!(begun.elapsed(), 61 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn times_beyond_the_range_of_the_clock_are_none() {
    let signal = Signal::<u32>::new();
    let listen = signal
        .listen()
        .timeout(Duration::MAX / 2)
        .deadline(Duration::MAX);
    listen
        .on(async |_| tokio::time::sleep(SECOND).await)
        .unwrap();
    assert_eq!(signal.emit(1).await.delivered(), 1);
}

/// Lets so much time go by without suspending, as code does that is busy.
fn busy(time: Duration) {
    let _ = poll_once(&mut Box::pin(tokio::time::advance(time)));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_counts_from_the_begin_of_the_call_and_a_timeout_from_where_the_attempt_suspends()
 {
    for (is_deadline, ends) in [(true, 3 * SECOND), (false, 5 * SECOND)] {
        let signal = Signal::<u32>::new();
        let listen = if is_deadline {
            signal.listen().deadline(3 * SECOND)
        } else {
            signal.listen().timeout(3 * SECOND)
        };
        let hangs = async |_| {
            busy(2 * SECOND);
            std::future::pending::<()>().await;
        };
        listen.on(hangs).unwrap();
        let begun = Instant::now();
        assert_eq!(signal.emit(1).await.count(Outcome::TimedOut), 1);
        assert_eq!(begun.elapsed(), ends);
    }
}
