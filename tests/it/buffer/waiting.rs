//! Waiting for room with a limit.

use std::time::Duration;

use fanfare::{EnqueueError, Overflow, Signal};
use tokio::time::{Instant, sleep};

use super::Slow;
use crate::support::settle;

const LIMIT: Duration = Duration::from_millis(250);

#[tokio::test(start_paused = true)]
async fn a_wait_with_a_limit_ends_with_the_event_given_back() {
    let slow = Slow::new(
        Signal::builder()
            .buffer(1)
            .overflow(Overflow::WaitUpTo(LIMIT)),
    );
    slow.signal.enqueue(1).await.unwrap();
    settle().await;
    slow.signal.enqueue(2).await.unwrap();
    let began = Instant::now();
    let refused = slow.signal.enqueue(3).await.unwrap_err();
    assert_eq!(began.elapsed(), LIMIT);
    assert!(matches!(refused, EnqueueError::TimedOut(3)));
    assert!(refused.is_full() && !refused.is_closed());
    assert_eq!(refused.to_string(), "the buffer of `i32` stayed full");
    assert!(matches!(
        slow.signal.try_enqueue(4),
        Err(EnqueueError::Full(4))
    ));
    assert_eq!(slow.signal.stats().refused(), 2);
    assert_eq!(slow.finish().await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn room_that_comes_in_time_is_taken_in_the_order_of_those_who_wait() {
    let slow = Slow::new(
        Signal::builder()
            .buffer(1)
            .overflow(Overflow::WaitUpTo(LIMIT)),
    );
    slow.signal.enqueue(0).await.unwrap();
    settle().await;
    slow.signal.enqueue(1).await.unwrap();
    let waiting: Vec<_> = (2..5)
        .map(|n| {
            let signal = slow.signal.clone();
            tokio::spawn(async move { signal.enqueue(n).await })
        })
        .collect();
    settle().await;
    sleep(LIMIT / 2).await;
    slow.take(2).await;
    let mut results = Vec::new();
    for waiting in waiting {
        results.push(waiting.await.unwrap().map_err(EnqueueError::into_event));
    }
    assert_eq!(results, [Ok(()), Ok(()), Err(4)]);
    assert_eq!(slow.finish().await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_with_a_limit_ends_in_the_part_of_a_key_too() {
    let slow = Slow::new(
        Signal::builder()
            .keyed_by(|n: &u32| n % 10)
            .lanes(1)
            .buffer(2)
            .overflow(Overflow::WaitUpTo(LIMIT)),
    );
    for n in [10, 20] {
        slow.signal.enqueue(n).await.unwrap();
    }
    let began = Instant::now();
    let refused = slow.signal.enqueue(30).await.unwrap_err();
    assert_eq!(began.elapsed(), LIMIT);
    assert!(matches!(refused, EnqueueError::TimedOut(30)));
    slow.take(1).await;
    slow.signal.enqueue(40).await.unwrap();
    assert_eq!(slow.finish().await, [10, 20, 40]);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_for_itself_is_refused_at_once_whatever_the_limit() {
    let signal = Signal::<u32>::builder()
        .buffer(1)
        .overflow(Overflow::WaitUpTo(LIMIT))
        .build();
    let own = signal.downgrade();
    signal.try_on(async move |n| {
        let own = own.upgrade().expect("it is being emitted");
        if n == 0 {
            own.enqueue(1).await?;
            let refused = own.enqueue(2).await.unwrap_err();
            assert!(matches!(refused, EnqueueError::WouldDeadlock(2)));
        }
        Ok(())
    });
    let began = Instant::now();
    signal.enqueue(0).await.unwrap();
    settle().await;
    assert!(signal.shutdown(super::LONG).await.is_clean());
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(signal.stats().count(fanfare::Outcome::Done), 2);
}
