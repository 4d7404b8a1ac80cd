//! Backpressure: who is `ready` has room, and who waits for that comes back when the pressure is over.

use std::sync::Arc;
use std::time::Duration;

use fanfare::{Bus, EnqueueError, Overflow, Pool, ReadyError, Signal, SignalBuilder};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{LONG, Slow};
use crate::support::{Log, MODES, poll_once, settle};

const EVERY_POLICY: [Overflow; 5] = [
    Overflow::Wait,
    Overflow::WaitUpTo(Duration::from_millis(1)),
    Overflow::Reject,
    Overflow::DropOldest,
    Overflow::DropNewest,
];

/// With room for ten, under pressure from eight on, until there are three.
fn ten() -> SignalBuilder<u32> {
    Signal::builder().buffer(10).watermarks(3, 8)
}

/// The listener has one, and so many wait.
async fn filled(builder: SignalBuilder<u32>, events: u32) -> Slow<u32> {
    let slow = Slow::new(builder);
    slow.signal.try_enqueue(1_000).unwrap();
    settle().await;
    for n in 0..events {
        slow.signal.try_enqueue(n).unwrap();
    }
    slow
}

/// A task that enqueues an event when it is ready.
fn producer(slow: &Slow<u32>, event: u32) -> JoinHandle<()> {
    let signal = slow.signal.clone();
    tokio::spawn(async move { signal.ready().await.unwrap().enqueue(event).unwrap() })
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_below_the_high_mark_and_after_that_not_before_the_low_one() {
    let slow = filled(ten(), 7).await;
    assert!(!slow.signal.is_under_pressure());
    slow.signal.ready().await.unwrap().enqueue(7).unwrap();
    assert!(slow.signal.is_under_pressure());
    let waits = producer(&slow, 8);
    settle().await;
    for left in [7, 6, 5, 4] {
        slow.take(1).await;
        assert_eq!(slow.signal.buffered().0, left);
        assert!(!waits.is_finished() && slow.signal.is_under_pressure());
    }
    slow.take(1).await;
    assert!(waits.is_finished() && !slow.signal.is_under_pressure());
    assert_eq!(slow.signal.buffered().0, 4);
    assert_eq!(slow.finish().await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn plain_enqueues_do_not_go_by_the_marks() {
    let slow = filled(ten(), 8).await;
    for n in 8..10 {
        slow.signal.enqueue(n).await.unwrap();
    }
    assert_eq!(slow.signal.buffered(), (10, 10));
    assert_eq!(slow.finish().await.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn room_that_is_kept_is_there_whatever_others_do() {
    for overflow in EVERY_POLICY {
        let slow = filled(ten().overflow(overflow), 0).await;
        let ready = slow.signal.ready().await.unwrap();
        let refused = (0..20).filter(|n| slow.signal.try_enqueue(*n).is_err());
        let refused = refused.count();
        assert_eq!(slow.signal.buffered().0, 9, "{overflow:?}");
        let before = slow.signal.stats().dropped();
        ready.enqueue(77).unwrap();
        assert_eq!(slow.signal.buffered().0, 10);
        let stats = slow.signal.stats();
        assert_eq!(stats.dropped(), before, "{overflow:?}");
        assert_eq!(stats.refused(), refused as u64);
        let all = slow.finish().await;
        assert_eq!(all.last(), Some(&77), "{overflow:?}");
        assert_eq!(all.len() as u64 + before + refused as u64, 22);
    }
}

#[tokio::test(start_paused = true)]
async fn room_that_is_not_used_is_given_back() {
    let slow = filled(Signal::builder().buffer(1), 0).await;
    for _ in 0..3 {
        drop(slow.signal.ready().await.unwrap());
    }
    let ready = slow.signal.ready().await.unwrap();
    let waits = producer(&slow, 1);
    settle().await;
    assert!(!waits.is_finished());
    drop(ready);
    settle().await;
    assert!(waits.is_finished());
    assert_eq!(slow.finish().await, [1_000, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_whose_places_are_all_kept_gives_events_back() {
    let slow = Slow::new(Signal::builder().buffer(1).overflow(Overflow::DropOldest));
    let ready = slow.signal.ready().await.unwrap();
    let refused = slow.signal.enqueue(1).await.unwrap_err();
    assert!(matches!(refused, EnqueueError::Full(1)));
    ready.enqueue(2).unwrap();
    assert_eq!(slow.signal.stats().refused(), 1);
    assert_eq!(slow.finish().await, [2]);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_their_order_and_who_leaves_is_passed_by() {
    let slow = filled(ten(), 10).await;
    let mut waiting = Vec::new();
    for n in 100..120 {
        waiting.push(producer(&slow, n));
        settle().await;
    }
    // The first, who looks at the marks, one in the middle, and one who comes and goes.
    waiting[0].abort();
    waiting[5].abort();
    {
        let mut leaves = Box::pin(slow.signal.ready());
        assert!(poll_once(&mut leaves).is_none());
    }
    let all = slow.finish().await;
    let sent = all.into_iter().filter(|n| (100..120).contains(n));
    let expected: Vec<_> = (101..120).filter(|n| *n != 105).collect();
    // Shutdown gave those back that were not ready in time.
    assert!(expected.starts_with(&sent.collect::<Vec<_>>()));
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_come_to_their_turn() {
    let slow = filled(ten(), 10).await;
    let waiting: Vec<_> = (100..150).map(|n| producer(&slow, n)).collect();
    settle().await;
    for _ in 0..200 {
        slow.take(1).await;
    }
    for waiting in waiting {
        timeout(LONG, waiting).await.expect("its turn").unwrap();
    }
    let sent: Vec<_> = slow.finish().await;
    assert_eq!(sent[11..], (100..150).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_room_looks_at_the_marks_again() {
    let slow = filled(ten(), 0).await;
    // All room is kept, so the next waits for some, without pressure.
    let mut kept = Vec::new();
    for _ in 0..10 {
        kept.push(slow.signal.ready().await.unwrap());
    }
    let waits = producer(&slow, 500);
    settle().await;
    for (n, ready) in (0..9).zip(kept.drain(..9)) {
        ready.enqueue(n).unwrap();
    }
    assert!(slow.signal.is_under_pressure());
    drop(kept);
    settle().await;
    assert!(!waits.is_finished());
    slow.take(5).await;
    assert!(!waits.is_finished());
    slow.take(1).await;
    assert!(waits.is_finished());
    slow.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_place_in_each_lane_is_kept_and_those_not_used_are_free_again() {
    for lane in 0..3 {
        let builder = Signal::builder().priorities(3, |n: &u32| *n as usize);
        let slow = Slow::new(builder.buffer(1).overflow(Overflow::Reject));
        let ready = slow.signal.ready().await.unwrap();
        for n in 0..3 {
            assert!(slow.signal.try_enqueue(n).is_err(), "{n}");
        }
        ready.enqueue(lane).unwrap();
        for n in 0..3 {
            assert_eq!(slow.signal.try_enqueue(n).is_err(), n == lane, "{n}");
        }
        assert_eq!(slow.finish().await, [0, 1, 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_fullest_lane_says_whether_there_is_pressure() {
    let builder = Signal::builder().priorities(2, |n: &u32| usize::from(*n < 100));
    let slow = filled(builder.buffer(10).watermarks(3, 8), 7).await;
    for n in 100..107 {
        slow.signal.try_enqueue(n).unwrap();
    }
    assert!(!slow.signal.is_under_pressure());
    slow.signal.try_enqueue(7).unwrap();
    assert!(slow.signal.is_under_pressure());
    let waits = producer(&slow, 200);
    settle().await;
    // A full lane of what can wait keeps no place of an urgent event.
    for n in 8..10 {
        slow.signal.try_enqueue(n).unwrap();
    }
    for n in 107..110 {
        slow.signal.try_enqueue(n).unwrap();
    }
    let mut taken = 0;
    while !waits.is_finished() {
        assert!(slow.signal.is_under_pressure());
        slow.take(1).await;
        taken += 1;
    }
    // Of twenty, three are left where they can wait.
    assert_eq!(taken, 17);
    slow.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_marks_are_those_of_each_lane_and_not_of_their_sum() {
    let builder = Signal::builder().priorities(2, |n: &u32| usize::from(*n < 100));
    let slow = filled(builder.aging(1).buffer(10).watermarks(3, 8), 8).await;
    slow.take(4).await;
    for n in 100..103 {
        slow.signal.try_enqueue(n).unwrap();
    }
    slow.take(1).await;
    assert!(slow.signal.is_under_pressure());
    // One of those that can wait has its turn, and three of them are left, with two that are urgent.
    slow.take(1).await;
    assert_eq!(slow.signal.buffered().0, 5);
    assert!(!slow.signal.is_under_pressure());
    slow.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_in_a_lane_keeps_no_urgent_event_out() {
    let builder = Signal::builder().priorities(2, |n: &u32| usize::from(*n < 100));
    let slow = filled(builder.buffer(2), 1).await;
    let kept = slow.signal.ready().await.unwrap();
    let waits = producer(&slow, 50);
    settle().await;
    slow.signal.try_enqueue(100).unwrap();
    kept.enqueue(1).unwrap();
    slow.take(4).await;
    assert!(waits.is_finished());
    slow.finish().await;
}

#[tokio::test(start_paused = true)]
async fn where_events_are_keyed_it_waits_for_the_marks_alone() {
    let slow = filled(ten().keyed_by(|n| *n).lanes(1), 8).await;
    assert!(slow.signal.is_under_pressure());
    let waits = producer(&slow, 100);
    settle().await;
    slow.take(4).await;
    assert!(!waits.is_finished() && slow.signal.is_under_pressure());
    slow.take(1).await;
    assert!(waits.is_finished());
    let ready = [
        slow.signal.ready().await.unwrap(),
        slow.signal.ready().await.unwrap(),
    ];
    let mut n = 200;
    while slow.signal.try_enqueue(n).is_ok() {
        n += 1;
    }
    for ready in ready {
        assert!(matches!(ready.enqueue(1), Err(EnqueueError::Full(1))));
    }
    let left = slow.signal.shutdown(Duration::from_millis(1)).await;
    assert!(!left.is_clean() && !slow.signal.is_under_pressure());
}

#[tokio::test(start_paused = true)]
async fn a_listener_of_a_signal_under_pressure_is_refused_and_others_need_no_permit() {
    for mode in MODES {
        let pool = Pool::new(1);
        let signal = ten().dispatch(mode).pool(pool.clone()).build();
        let refused = Log::default();
        let (line, own) = (refused.clone(), signal.downgrade());
        signal.try_on(async move |n: u32| {
            let own = own.upgrade().expect("it is being emitted");
            match own.ready().await {
                Ok(ready) if n == 0 => ready.enqueue(100)?,
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error, ReadyError::WouldDeadlock);
                    line.push(n);
                }
            }
            Ok(())
        });
        let other = Signal::<u8>::builder().pool(pool.clone()).build();
        let target = signal.clone();
        other.try_on(async move |n| {
            for _ in 0..20 {
                target.ready().await?.enqueue(u32::from(n))?;
            }
            Ok(())
        });
        let sent = timeout(LONG, other.emit(7)).await.expect("no deadlock");
        assert!(sent.is_ok(), "{mode}: {sent:?}");
        for n in 0..5 {
            let _ = signal.try_enqueue(n);
        }
        assert!(signal.shutdown(LONG).await.is_clean(), "{mode}");
        assert!(refused.len() > 0, "{mode}");
    }
}

#[test]
fn without_a_runtime_it_is_ready_while_there_is_room() {
    let signal = Signal::<u32>::builder().buffer(2).watermarks(1, 2).build();
    futures::executor::block_on(async {
        for n in 0..2 {
            signal.ready().await.unwrap().enqueue(n).unwrap();
        }
        let error = signal.ready().await.unwrap_err();
        assert_eq!(error, ReadyError::NoRuntime);
        assert!(error.to_string().starts_with("no tokio runtime"));
    });
}

#[tokio::test(start_paused = true)]
async fn a_closed_signal_is_never_ready_and_gives_the_event_back() {
    let slow = filled(ten(), 8).await;
    let calm = Signal::<u32>::new();
    let kept = calm.ready().await.unwrap();
    let waits: Vec<_> = (0..3)
        .map(|_| {
            let signal = slow.signal.clone();
            tokio::spawn(async move { signal.ready().await.unwrap_err() })
        })
        .collect();
    settle().await;
    assert!(calm.shutdown(LONG).await.is_clean());
    let refused = kept.enqueue(5).unwrap_err();
    assert!(matches!(refused, EnqueueError::Closed(5)));
    assert_eq!(calm.stats().refused(), 1);
    let bus = Bus::new();
    assert!(bus.shutdown(LONG).await.is_clean());
    for error in [
        calm.ready().await.unwrap_err(),
        bus.ready::<u32>().await.unwrap_err(),
    ] {
        assert_eq!(error, ReadyError::Closed);
        assert_eq!(error.to_string(), "the signal is closed");
    }
    // At once, while what is in the buffer is still to be delivered.
    let closing = slow.signal.clone();
    let closing = tokio::spawn(async move { closing.shutdown(LONG).await });
    settle().await;
    for waits in waits {
        assert!(waits.is_finished());
        assert_eq!(waits.await.unwrap(), ReadyError::Closed);
    }
    slow.take(100).await;
    assert!(closing.await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn who_comes_as_the_pressure_ends_does_not_go_before_those_who_wait() {
    let signal = ten().build();
    let (permits, ahead) = (Arc::new(Semaphore::new(0)), Log::default());
    let (own, next, list) = (signal.downgrade(), Arc::clone(&permits), ahead.clone());
    signal.on(async move |_| {
        next.acquire().await.unwrap().forget();
        // Its event has left the buffer, and those who wait have not run yet. On a thread of its own nobody knows that it is a listener's.
        let signal = own.upgrade().expect("it is being emitted");
        let comes = std::thread::spawn(move || poll_once(&mut Box::pin(signal.ready())).is_some());
        list.push(comes.join().unwrap());
    });
    signal.try_enqueue(100).unwrap();
    settle().await;
    for n in 0..8 {
        signal.try_enqueue(n).unwrap();
    }
    let waiting = signal.clone();
    let waits = tokio::spawn(async move { waiting.ready().await.map(drop) });
    settle().await;
    // So many that it never suspends.
    permits.add_permits(9);
    waits.await.unwrap().unwrap();
    assert!(signal.shutdown(LONG).await.is_clean());
    assert_eq!(ahead.take(), [false; 9]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_runtime_ends_the_pressure() {
    let signal = ten().build();
    let ended = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    std::thread::scope(|threads| {
        let first = threads.spawn(|| {
            ended.block_on(async {
                signal.on(async |_| std::future::pending::<()>().await);
                for n in 0..9 {
                    signal.try_enqueue(n).unwrap();
                }
                settle().await;
            });
        });
        first.join().unwrap();
    });
    assert!(signal.is_under_pressure());
    let waits = signal.clone();
    let waits = tokio::spawn(async move { waits.ready().await.map(drop) });
    settle().await;
    assert!(!waits.is_finished());
    ended.shutdown_background();
    timeout(LONG, waits).await.expect("room").unwrap().unwrap();
    assert_eq!(signal.stats().dropped(), 8);
    assert!(!signal.is_under_pressure());
}
