//! Throttle and debounce, and how events meet in batches.

use std::time::Duration;

use fanfare::{Batches, Signal};
use tokio::time::advance;

use super::record;
use crate::support::{Log, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_throttle_lets_one_through_and_counts_the_others() {
    let source = Signal::<u32>::new();
    let seldom = source.throttle(SECOND);
    let log = record(&seldom);
    for n in 0..25 {
        assert!(source.emit(n).await.is_ok());
        advance(SECOND / 10).await;
    }
    assert_eq!(log.take(), [0, 10, 20]);
    assert_eq!(seldom.held_back(), 22);
}

#[tokio::test(start_paused = true)]
async fn what_listens_to_a_throttle_sees_the_same_events() {
    let source = Signal::<u32>::new();
    let seldom = source.throttle(SECOND);
    let (first, second) = (seldom.map(|n| *n), seldom.filter(|_| true));
    let logs = [record(&first), record(&second)];
    for n in 0..3 {
        assert!(source.emit(n).await.is_ok());
    }
    assert_eq!(logs.map(|log| log.take()), [[0], [0]]);
    assert_eq!((seldom.held_back(), source.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_debounce_gives_out_the_last_event_once_it_is_quiet() {
    let source = Signal::<u32>::new();
    let quiet = source.debounce(SECOND);
    let log = record(&quiet);
    for n in 0..5 {
        assert!(source.emit(n).await.is_ok());
        advance(SECOND / 2).await;
        settle().await;
        assert!(log.take().is_empty());
    }
    advance(SECOND / 2).await;
    settle().await;
    assert_eq!(log.take(), [4]);
    assert_eq!(quiet.held_back(), 4);
    advance(SECOND * 5).await;
    settle().await;
    assert!(source.emit(9).await.is_ok());
    advance(SECOND).await;
    settle().await;
    assert_eq!(log.take(), [9]);
    assert_eq!(quiet.held_back(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_debounce_holds_is_dropped_with_its_last_listener() {
    let source = Signal::<u32>::new();
    let quiet = source.debounce(SECOND);
    let sub = quiet.on(async |_| unreachable!("it was removed"));
    assert!(source.emit(1).await.is_ok());
    assert!(sub.remove());
    advance(SECOND * 2).await;
    settle().await;
    assert_eq!((quiet.stats().dropped(), quiet.stats().emissions()), (1, 0));
    let left = source.shutdown(SECOND).await;
    assert!(left.is_clean(), "{left}");
}

#[tokio::test(start_paused = true)]
async fn by_way_of_a_derived_signal_events_of_the_buffer_come_to_a_batch_one_by_one() {
    let source = Signal::<u32>::new();
    let even = source.filter(|n| n % 2 == 0);
    let batches = Batches::of(10).within(SECOND);
    let log = [Log::default(), Log::default()];
    let [by_way, direct] = log.clone();
    let takes = async move |events: Vec<u32>| by_way.push(events);
    even.listen().on_batch(batches, takes).unwrap();
    let listen = source.listen().filter(|n| n % 2 == 0);
    let takes = async move |events: Vec<u32>| direct.push(events);
    listen.on_batch(batches, takes).unwrap();
    for n in 1..=4 {
        source.try_enqueue(n).unwrap();
    }
    tokio::time::sleep(SECOND * 5).await;
    let [by_way, direct] = log.map(|log| log.take());
    assert_eq!(by_way, [vec![2], vec![4]]);
    assert_eq!(direct, [vec![2, 4]]);
}
