//! Shutdown and removal.

use fanfare::{Dispatch, Signal};
use tokio::time::{Instant, sleep};

use super::{SECOND, listen, of};
use crate::support::Log;

#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_what_waits_at_once() {
    let signal = Signal::<u32>::new();
    let (log, _) = listen(&signal, of(10).within(60 * SECOND));
    for n in 0..3 {
        signal.try_enqueue(n).unwrap();
    }
    let shuts_down = async {
        sleep(SECOND).await;
        signal.try_enqueue(3).unwrap();
        signal.shutdown(10 * SECOND).await
    };
    let (report, left) = tokio::join!(signal.emit(9), shuts_down);
    assert!(report.is_ok() && left.is_clean(), "{left}");
    let mut seen = log.take().concat();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 9]);
}

#[tokio::test(start_paused = true)]
async fn what_is_buffered_when_a_shutdown_begins_comes_together_still() {
    let signal = Signal::<u32>::new();
    let (log, _) = listen(&signal, of(50).within(60 * SECOND));
    for n in 0..100 {
        signal.try_enqueue(n).unwrap();
    }
    let began = Instant::now();
    assert!(signal.shutdown(10 * SECOND).await.is_clean());
    assert!(began.elapsed() < SECOND);
    let batches = log.take();
    assert_eq!(batches.concat(), (0..100).collect::<Vec<_>>());
    assert!(batches.len() <= 4, "{batches:?}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_one_by_one_in_a_shutdown_comes_together_while_a_batch_is_delivered() {
    let signal = Signal::<u32>::builder()
        .dispatch(Dispatch::Sequential)
        .build();
    signal.on(async |_| sleep(SECOND / 100).await);
    let log = Log::default();
    let seen = log.clone();
    signal.on_batch(of(50), async move |events: Vec<u32>| {
        seen.push(events.len());
        sleep(SECOND).await;
    });
    for n in 0..40 {
        signal.try_enqueue(n).unwrap();
    }
    assert!(signal.shutdown(100 * SECOND).await.is_clean());
    assert_eq!(log.take(), [1, 39]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_removed_delivers_what_it_has_begun_with() {
    let signal = Signal::<u32>::new();
    let (log, sub) = listen(&signal, of(10));
    signal.try_enqueue(1).unwrap();
    sleep(SECOND / 2).await;
    assert!(sub.remove());
    let began = Instant::now();
    sub.removed().await;
    assert_eq!(began.elapsed(), SECOND / 2);
    assert_eq!(log.take(), [[1]]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_waits_no_longer_cancels_what_is_being_delivered() {
    let signal = Signal::<u32>::new();
    signal.on_batch(of(2), async |_| std::future::pending::<()>().await);
    for n in 0..4 {
        signal.try_enqueue(n).unwrap();
    }
    let left = signal.shutdown(SECOND).await;
    assert!(!left.is_clean());
}
