//! What a late listener is called with.

use std::sync::Arc;
use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Cancellation, Cause, Outcome, Pool, Rejection, Signal};
use tokio::time::sleep;

use super::{keeping, late};
use crate::support::{Captured, Gauge, Log, settle};

const SECOND: Duration = Duration::from_secs(1);

async fn emit_all(signal: &Signal<u32>, events: std::ops::Range<u32>) {
    for n in events {
        let _ = signal.emit(n).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_listener_is_called_with_what_is_kept_then_with_what_comes() {
    for kept in [1, 3, 5, 100] {
        let signal = keeping(kept);
        emit_all(&signal, 0..5).await;
        let (log, _) = late(&signal);
        // Nobody has had time to replay: they wait behind it.
        emit_all(&signal, 5..8).await;
        settle().await;
        emit_all(&signal, 8..10).await;
        let first = 5_u32.saturating_sub(u32::try_from(kept).unwrap());
        assert_eq!(log.take(), (first..10).collect::<Vec<_>>(), "{kept}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_of_what_is_kept_are_as_many_as_were_asked_for() {
    let signal = keeping(4);
    emit_all(&signal, 0..6).await;
    for (asked, first) in [(1, 5), (3, 3), (4, 2), (9, 2)] {
        let log = Log::default();
        let seen = log.clone();
        let listen = signal.listen().replay_last(asked);
        listen.on_sync(move |n| seen.push(*n)).unwrap();
        settle().await;
        assert_eq!(log.take(), (first..6).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn without_anything_kept_the_way_is_as_short_as_any() {
    let signal = keeping(4);
    let (log, sub) = late(&signal);
    assert!(sub.is_enabled());
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert_eq!(log.take(), [1]);
    settle().await;
    assert_eq!(signal.emit(2).await.delivered(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_listeners_sees_the_same_and_one_that_is_removed_before_nothing() {
    let (log, _guard) = Captured::start();
    let signal = keeping(4);
    emit_all(&signal, 0..3).await;
    let batch = signal.batch();
    let logs = [Log::default(), Log::default(), Log::default()];
    let listen = |log: &Log<u32>| {
        let seen = log.clone();
        batch
            .listen()
            .replay()
            .on_sync(move |n| seen.push(*n))
            .unwrap()
    };
    let subs = logs.each_ref().map(listen);
    emit_all(&signal, 3..5).await;
    subs[2].remove();
    batch.commit().unwrap();
    emit_all(&signal, 5..6).await;
    settle().await;
    let [a, b, c] = logs.map(|log| log.take());
    assert_eq!(
        (a, b, c),
        (vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5], vec![])
    );
    drop((signal, subs));
    assert_eq!(log.lines(), Vec::<String>::new(), "nothing was lost");
}

#[tokio::test(start_paused = true)]
async fn filter_layers_permits_and_failures_are_those_of_any_other_call() {
    let (pool, failures, gauge) = (Pool::new(1), Log::default(), Gauge::default());
    let told = failures.clone();
    let builder = Signal::<u32>::builder().replay(6).pool(pool.clone());
    let signal = builder
        .on_failure(move |f| told.push(f.to_string()))
        .build();
    emit_all(&signal, 0..6).await;
    let (seen, running) = (pool.clone(), gauge.clone());
    let listen = signal.listen().key("it").replay().filter(|n| n % 2 == 1);
    let retry = Retry::constant(SECOND).max_attempts(2);
    let it = async move |n| {
        let _inside = running.enter();
        assert_eq!(seen.in_use(), 1);
        if n == 3 { Err("three") } else { Ok(()) }
    };
    let sub = listen.retry(retry).on(it).unwrap();
    sleep(10 * SECOND).await;
    assert_eq!((gauge.total(), gauge.peak()), (4, 1), "1, 3, 3, 5");
    assert_eq!(failures.take(), ["`it` failed: three"]);
    let stats = signal.stats();
    assert_eq!(
        [Outcome::Done, Outcome::Failed, Outcome::Skipped].map(|o| stats.count(o)),
        [2, 1, 3]
    );
    assert_eq!(sub.metadata().errors(), 1);
}

#[tokio::test(start_paused = true)]
async fn there_is_room_behind_a_replay_for_as_many_as_the_buffer_takes() {
    for (kept, buffer) in [(2, 5), (6, 3)] {
        let signal = Signal::<u32>::builder().replay(kept).buffer(buffer).build();
        emit_all(&signal, 0..10).await;
        let log = Log::default();
        let seen = log.clone();
        let slow = async move |n| {
            sleep(SECOND).await;
            seen.push(n);
        };
        signal.listen().replay().on(slow).unwrap();
        let kept = u32::try_from(kept).unwrap();
        let room = u32::try_from(buffer).unwrap();
        for n in 10..10 + room {
            assert_eq!(signal.emit(n).await.count(Outcome::Deferred), 1);
        }
        let full = signal.emit(99).await;
        let limit = (kept + room) as usize;
        let cause = full.entries()[0].cause().clone();
        assert!(
            matches!(cause, Cause::Rejected(Rejection::HoldFull { limit: l }) if l == limit),
            "{cause}"
        );
        sleep(60 * SECOND).await;
        assert_eq!(log.take(), (10 - kept..10 + room).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_uses_up_once_and_tells_of_the_rest() {
    let (log, _guard) = Captured::start();
    let signal = keeping(3);
    emit_all(&signal, 0..3).await;
    let seen = Log::default();
    let calls = seen.clone();
    let sub = signal
        .listen()
        .once()
        .replay()
        .on_sync(move |n| calls.push(*n));
    settle().await;
    assert_eq!(seen.take(), [0]);
    assert_eq!((signal.len(), sub.unwrap().metadata().held()), (0, 0));
    assert_eq!(signal.stats().count(Outcome::Skipped), 2);
    let lines = log.lines();
    assert!(
        lines.len() == 1 && lines[0].contains("count=2"),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_replay_that_has_begun() {
    let signal = keeping(3);
    emit_all(&signal, 0..3).await;
    let gauge = Gauge::default();
    let running = gauge.clone();
    let slow = async move |_| {
        let _inside = running.enter();
        sleep(SECOND).await;
    };
    signal.listen().replay().on(slow).unwrap();
    assert!(signal.shutdown(10 * SECOND).await.is_clean());
    assert_eq!(gauge.total(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_removed_during_its_replay_has_no_more_of_it() {
    let signal = keeping(5);
    emit_all(&signal, 0..5).await;
    let gauge = Gauge::default();
    let running = gauge.clone();
    let slow = async move |_| {
        let _inside = running.enter();
        sleep(SECOND).await;
    };
    let sub = signal.listen().replay().on(slow).unwrap();
    sleep(SECOND / 2).await;
    sub.remove();
    sub.removed().await;
    assert_eq!((gauge.total(), gauge.now()), (1, 0));
    assert_eq!(signal.stats().count(Outcome::Skipped), 4);
}

#[test]
fn outside_a_runtime_the_next_emission_inside_one_begins_the_replay() {
    let signal = keeping(5);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    drop(signal.emit(1));
    let (log, _) = late(&signal);
    assert_eq!(log.len(), 0);
    runtime.block_on(async {
        let _ = signal.emit(2).await;
        settle().await;
    });
    assert_eq!(log.take(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_replayed_to_a_listener_that_owns_its_event_stays_kept() {
    let signal = Signal::<Arc<u32>>::builder().sticky().build();
    let _ = signal.emit(Arc::new(7)).await;
    for _ in 0..3 {
        let log = Log::default();
        let seen = log.clone();
        let listen = signal.listen().replay();
        listen.on(async move |n| seen.push(*n)).unwrap();
        settle().await;
        assert_eq!(log.take(), [7]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_replayed_has_no_deadline_and_is_cancelled_by_shutdown_alone() {
    let signal = keeping(1);
    let _ = signal
        .emit(1)
        .timeout(SECOND)
        .header("tenant", "acme")
        .await;
    let log = Log::default();
    let seen = log.clone();
    let listen = signal.listen().replay().with_delivery();
    let it = async move |_, d: fanfare::Delivery| {
        seen.push((d.deadline().is_some(), d.header("tenant").is_some()));
        sleep(60 * SECOND).await;
    };
    listen.on(it).unwrap();
    sleep(5 * SECOND).await;
    assert_eq!(log.take(), [(false, false)]);
    let left = signal.shutdown(SECOND).await;
    assert!(!left.is_clean());
    assert_eq!(
        signal.stats().count(Outcome::Cancelled),
        1,
        "{:?}",
        Cancellation::Shutdown
    );
}
