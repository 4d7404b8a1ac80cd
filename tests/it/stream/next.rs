//! The next event, and the next of each of several types.

use fanfare::layer::Retry;
use fanfare::{Bus, Signal};
use futures::FutureExt as _;
use tokio::select;

use super::{SECOND, emit};
use crate::support::settle;

#[tokio::test]
async fn it_is_the_first_that_is_wanted_of_those_after_the_call() {
    let signal = Signal::<u32>::new();
    emit(&signal, [10]).await;
    let next = signal.next(|n| *n > 4);
    // Nobody has polled it yet.
    emit(&signal, [3, 5, 6]).await;
    assert!(signal.is_empty());
    assert_eq!(next.await, Some(5));
}

#[tokio::test]
async fn it_waits_and_is_woken() {
    let signal = Signal::<u32>::new();
    let mut next = signal.next(|n| *n == 7);
    assert_eq!((&mut next).now_or_never(), None);
    let reader = tokio::spawn(next);
    settle().await;
    emit(&signal, 0..8).await;
    assert_eq!(reader.await.unwrap(), Some(7));
}

#[tokio::test]
async fn nothing_is_missed_between_two_polls_in_a_select() {
    let signal = Signal::<u32>::new();
    let mut next = signal.next(|n| *n == 9);
    let mut last = None;
    for n in 0..12 {
        select! {
            biased;
            event = &mut next, if last.is_none() => last = event,
            _ = async { signal.emit(n).await } => {}
        }
    }
    assert_eq!(last, Some(9));
}

#[tokio::test]
async fn dropping_it_removes_its_listener() {
    let (signal, bus) = (Signal::<u32>::new(), Bus::new());
    let next = signal.next(|_| true);
    let all = bus.next_all::<(u32, u64)>();
    assert_eq!((signal.len(), bus.len()), (1, 2));
    drop((next, all));
    assert_eq!((signal.len(), bus.len()), (0, 0));
}

#[tokio::test]
async fn it_is_none_when_nothing_can_come() {
    let signal = Signal::<u32>::new();
    let (removed, gone) = (signal.next(|_| true), signal.next(|_| true));
    let removed = tokio::spawn(removed);
    settle().await;
    signal.clear();
    assert_eq!(removed.await.unwrap(), None);
    drop(signal);
    assert_eq!(gone.await, None);

    let signal = Signal::<u32>::new();
    let (first, second) = (signal.next(|_| true), signal.next(|n| *n > 1));
    emit(&signal, [1]).await;
    assert!(signal.shutdown(SECOND).await.is_clean());
    assert_eq!((first.await, second.await), (Some(1), None));
}

/// A signal whose listeners retry by default would refuse a listener that is called once.
#[tokio::test]
async fn it_works_where_listeners_retry_by_default() {
    let signal = Signal::<u32>::builder().retry(Retry::exponential()).build();
    let next = signal.next(|_| true);
    emit(&signal, [1]).await;
    assert_eq!(next.await, Some(1));
}

#[tokio::test]
async fn the_next_of_each_type_is_the_first_of_it_in_any_order() {
    let bus = Bus::new();
    let all = bus.next_all::<(u8, u16, u32)>();
    for n in [3_u32, 4] {
        let _ = bus.emit(n).await;
    }
    let _ = bus.emit(1_u8).await;
    let mut all = all;
    assert_eq!((&mut all).now_or_never(), None);
    // What has come is kept while the rest is waited for.
    let waits = tokio::spawn(all);
    settle().await;
    let _ = bus.emit(2_u16).await;
    assert_eq!(waits.await.unwrap(), Some((1, 2, 3)));
}

#[tokio::test]
async fn one_to_eight_types_can_be_waited_for() {
    let bus = Bus::new();
    let one = bus.next_all::<(u8,)>();
    let eight = bus.next_all::<(u8, u16, u32, u64, i8, i16, i32, i64)>();
    let _ = bus.emit(1_u8).await;
    let _ = bus.emit(2_u16).await;
    let _ = bus.emit(3_u32).await;
    let _ = bus.emit(4_u64).await;
    let _ = bus.emit(5_i8).await;
    let _ = bus.emit(6_i16).await;
    let _ = bus.emit(7_i32).await;
    let _ = bus.emit(8_i64).await;
    assert_eq!(one.await, Some((1,)));
    assert_eq!(eight.await, Some((1, 2, 3, 4, 5, 6, 7, 8)));
    assert!(bus.is_empty());
}

#[tokio::test]
async fn the_next_of_each_type_is_none_when_one_cannot_come() {
    let bus = Bus::new();
    let all = bus.next_all::<(u8, u16)>();
    let _ = bus.emit(1_u8).await;
    bus.signal::<u16>().clear();
    assert_eq!(all.await, None);
    assert!(bus.is_empty());
}
