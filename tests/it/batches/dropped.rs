//! Calls that end before their batch does.

use std::sync::Arc;

use fanfare::{Outcome, Signal};
use tokio::time::sleep;

use super::{SECOND, listen, of};
use crate::support::{Gauge, Log, settle};

#[tokio::test(start_paused = true)]
async fn an_event_whose_call_is_dropped_before_is_not_in_the_batch() {
    let signal = Signal::<u32>::new();
    let (log, _) = listen(&signal, of(3).within(10 * SECOND));
    let first = tokio::spawn({
        let signal = signal.clone();
        async move { drop(signal.emit(0).timeout(SECOND).await) }
    });
    sleep(SECOND / 2).await;
    // The second takes over the wait from the first, and keeps the time of the batch.
    let (second, third) = tokio::join!(signal.emit(1), async {
        sleep(2 * SECOND).await;
        signal.emit(2).await
    });
    first.await.unwrap();
    assert!(second.is_ok() && third.is_ok());
    assert_eq!(log.take(), [[1, 2]]);
    assert_eq!(signal.stats().count(Outcome::TimedOut), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_all_have_left_is_begun_anew() {
    let signal = Signal::<u32>::new();
    let (log, _) = listen(&signal, of(3));
    drop(signal.emit(0).timeout(SECOND / 2).await);
    let began = tokio::time::Instant::now();
    assert!(signal.emit(1).await.is_ok());
    assert_eq!(began.elapsed(), SECOND, "its own time");
    assert_eq!(log.take(), [[1]]);
}

/// A listener that notes what it began and what it ended.
fn slow(signal: &Signal<u32>) -> (Log<Vec<u32>>, Gauge) {
    let (log, gauge) = (Log::default(), Gauge::default());
    let (seen, running) = (log.clone(), gauge.clone());
    signal.on_batch(of(3), async move |events: Vec<u32>| {
        let _inside = running.enter();
        sleep(SECOND).await;
        seen.push(events);
    });
    (log, gauge)
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_being_delivered_goes_on_whoever_is_dropped() {
    // The third call makes it full, and leads.
    for dropped in [vec![0], vec![1], vec![2], vec![2, 0], vec![1, 2]] {
        let signal = Signal::<u32>::new();
        let (log, gauge) = slow(&signal);
        let calls: Vec<_> = (0..3)
            .map(|n| {
                let signal = signal.clone();
                tokio::spawn(async move { signal.emit(n).await })
            })
            .collect();
        sleep(SECOND / 2).await;
        for n in &dropped {
            calls[*n].abort();
            settle().await;
        }
        for (n, call) in calls.into_iter().enumerate() {
            match call.await {
                Ok(report) => assert_eq!(report.delivered(), 1),
                Err(_) => assert!(dropped.contains(&n)),
            }
        }
        assert_eq!(log.take(), [[0, 1, 2]], "{dropped:?}");
        assert_eq!((gauge.total(), gauge.now()), (1, 0));
        let stats = signal.stats();
        assert_eq!(stats.count(Outcome::Cancelled), dropped.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_nobody_waits_for_is_cancelled_and_the_next_one_goes_on() {
    let signal = Signal::<u32>::new();
    let (log, gauge) = slow(&signal);
    let call = |n: u32| {
        let signal = signal.clone();
        tokio::spawn(async move { signal.emit(n).await })
    };
    let calls: Vec<_> = (0..3).map(call).collect();
    settle().await;
    let next: Vec<_> = (3..6).map(call).collect();
    // Sealed and not begun: its leader goes, then all of it.
    let third: Vec<_> = (6..9).map(call).collect();
    let fourth: Vec<_> = (9..12).map(call).collect();
    sleep(SECOND / 2).await;
    assert_eq!(gauge.now(), 1);
    third[2].abort();
    for call in calls {
        call.abort();
    }
    settle().await;
    assert_eq!((gauge.now(), gauge.total()), (1, 2), "the next one");
    third.iter().for_each(tokio::task::JoinHandle::abort);
    for call in next.into_iter().chain(fourth) {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(log.take(), [[3, 4, 5], [9, 10, 11]]);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_is_let_go_of() {
    let signal = Signal::<Arc<()>>::new();
    let event = Arc::new(());
    let sub = signal.on_batch(of(3), async |events: Vec<Arc<()>>| {
        sleep(10 * SECOND).await;
        drop(events);
    });
    for events in [1, 2, 3, 4] {
        let emit = (0..events).map(|_| signal.emit(Arc::clone(&event)).timeout(5 * SECOND));
        futures::future::join_all(emit).await;
        assert_eq!(Arc::strong_count(&event), 1, "{events}");
    }
    sub.remove();
    sub.removed().await;
}
