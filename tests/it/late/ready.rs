//! Listeners that are registered before they are ready.

use std::time::Duration;

use fanfare::{Cause, Outcome, Pause, Rejection, Signal};

use super::keeping;
use crate::support::{Log, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_not_ready_holds_from_the_first_event_on() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let listen = signal.listen().key("it").hold_until_ready(2);
    let sub = listen.on_sync(move |n| seen.push(*n)).unwrap();
    assert!(!sub.is_enabled());
    for n in 0..2 {
        assert_eq!(signal.emit(n).await.count(Outcome::Deferred), 1);
    }
    let full = signal.emit(2).await;
    let cause = full.entries()[0].cause();
    assert!(
        matches!(cause, Cause::Rejected(Rejection::HoldFull { limit: 2 })),
        "{cause}"
    );
    assert!(
        signal
            .describe()
            .to_string()
            .contains("paused, holding up to 2, 2 held")
    );
    settle().await;
    assert_eq!(log.len(), 0);
    assert!(sub.resume());
    settle().await;
    assert_eq!(signal.emit(3).await.delivered(), 1);
    assert_eq!(log.take(), [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn what_is_replayed_comes_first_and_takes_no_room() {
    let signal = keeping(3);
    for n in 0..5 {
        let _ = signal.emit(n).await;
    }
    let log = Log::default();
    let seen = log.clone();
    let listen = signal.listen().replay().hold_until_ready(2);
    let sub = listen.on_sync(move |n| seen.push(*n)).unwrap();
    assert_eq!(sub.metadata().held(), 3);
    for n in 5..8 {
        let report = signal.emit(n).await;
        assert_eq!(report.count(Outcome::Deferred), usize::from(n < 7));
    }
    settle().await;
    assert_eq!(log.len(), 0);
    sub.resume();
    settle().await;
    assert_eq!(log.take(), [2, 3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_the_place_of_another_before_it_is_ready_has_what_that_one_held() {
    let signal = Signal::<u32>::new();
    signal.listen().key("it").on(async |_| {}).unwrap();
    signal
        .pause("it", Pause::until_resumed().buffer(5))
        .unwrap();
    let _ = signal.emit(1).await;
    let log = Log::default();
    let seen = log.clone();
    let listen = signal.listen().key("it").replace().hold_until_ready(2);
    let sub = listen.on_sync(move |n| seen.push(*n)).unwrap();
    let _ = signal.emit(2).await;
    settle().await;
    assert_eq!((log.len(), sub.metadata().held()), (0, 2));
    sub.resume();
    settle().await;
    assert_eq!(log.take(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_one_that_is_not_ready() {
    let signal = keeping(3);
    let _ = signal.emit(1).await;
    let listen = signal.listen().replay().hold_until_ready(2);
    listen.on_sync(|_| panic!("it is not ready")).unwrap();
    let _ = signal.emit(2).await;
    let left = signal.shutdown(SECOND).await;
    assert_eq!(left.undelivered().len(), 1, "{left}");
    assert_eq!(signal.stats().count(Outcome::Cancelled), 2);
}
