//! Permits: at most n run, none is lost, nothing waits for ever.

use std::future::poll_fn;
use std::task::Poll;

use fanfare::{Dispatch, Pool, Signal};
use futures::join;
use shuttle::future::yield_now;

use crate::support::{Gauge, beside, check, task};

const MODES: [Dispatch; 3] = [
    Dispatch::Parallel,
    Dispatch::Concurrent,
    Dispatch::Sequential,
];

fn signal(pool: &Pool, mode: Dispatch) -> Signal<u32> {
    Signal::builder().pool(pool.clone()).dispatch(mode).build()
}

/// All permits are there: that many run beside each other, and no more.
async fn is_whole(pool: &Pool) {
    assert_eq!(pool.in_use(), 0);
    let gauge = Gauge::default();
    let full = signal(pool, Dispatch::Parallel);
    for _ in 0..=pool.size() {
        let gauge = gauge.clone();
        full.on(async move |_| {
            let _inside = gauge.enter();
            // Waits until the others are here too, or cannot come.
            for _ in 0..20 {
                yield_now().await;
            }
        });
    }
    assert!(full.emit(0).await.is_ok());
    assert!(gauge.peak() <= pool.size());
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn permits_bound_what_runs_and_come_back() {
    check(|| async {
        let pool = Pool::new(2);
        let gauge = Gauge::default();
        let emitters = MODES.map(|mode| {
            let signal = signal(&pool, mode);
            for _ in 0..2 {
                let gauge = gauge.clone();
                signal.on(async move |_| gauge.visit().await);
            }
            task(async move { assert_eq!(signal.emit(1).await.delivered(), 2) })
        });
        beside(emitters).await;
        assert!(gauge.peak() <= 2);
        is_whole(&pool).await;
    });
}

#[test]
fn an_emission_that_is_dropped_gives_its_permits_back() {
    check(|| async {
        let pool = Pool::new(1);
        let gauge = Gauge::default();
        let emitters = [MODES[0], MODES[1], MODES[0]].map(|mode| {
            let signal = signal(&pool, mode);
            let gauge = gauge.clone();
            signal.on(async move |_| gauge.visit().await);
            task(async move {
                let mut emission = Box::pin(signal.emit(1).into_future());
                for _ in 0..3 {
                    let ended = poll_fn(|cx| Poll::Ready(emission.as_mut().poll(cx).is_ready()));
                    if ended.await {
                        return;
                    }
                    yield_now().await;
                }
            })
        });
        beside(emitters).await;
        // A task that was aborted may still be on its way out.
        let last = signal(&pool, MODES[0]);
        let seen = gauge.clone();
        last.on(async move |_| seen.visit().await);
        assert!(last.emit(2).await.is_ok());
        assert!(gauge.peak() <= 1);
    });
}

/// A listener of a pool of 1 awaits two emissions at once whose listeners need the same permit; another emitter competes.
fn nested(mode: Dispatch) {
    check(move || async move {
        let pool = Pool::new(1);
        let gauge = Gauge::default();
        let inner = signal(&pool, mode);
        let seen = gauge.clone();
        inner.on(async move |_| seen.visit().await);
        let outer = signal(&pool, mode);
        let (nested, seen) = (inner.clone(), gauge.clone());
        outer.on(async move |n| {
            seen.visit().await;
            let (one, two) = join!(nested.emit(n), nested.emit(n));
            let ok = one.is_ok() && two.is_ok();
            seen.visit().await;
            if ok { Ok(()) } else { Err("nested") }
        });
        let emitters = [outer.clone(), outer, inner];
        beside(
            emitters
                .map(|signal| task(async move { assert_eq!(signal.emit(1).await.delivered(), 1) })),
        )
        .await;
        assert_eq!(gauge.peak(), 1);
        is_whole(&pool).await;
    });
}

#[test]
fn nested_emissions_of_tasks_lend_the_permit() {
    nested(Dispatch::Parallel);
}

#[test]
fn nested_emissions_in_place_lend_the_permit() {
    nested(Dispatch::Concurrent);
}

#[test]
fn of_two_nested_emissions_the_first_to_end_keeps_no_permit() {
    check(|| async {
        let pool = Pool::new(1);
        let gauge = Gauge::default();
        let inner = signal(&pool, Dispatch::Parallel);
        let seen = gauge.clone();
        inner.on(async move |_| seen.visit().await);
        // Has no pool. It emits when the other emission has ended, and its listener may not have been told.
        let later = Signal::<u32>::new();
        let (nested, seen) = (inner.clone(), gauge.clone());
        later.on(async move |n| {
            while seen.total() == 0 || seen.now() > 0 {
                yield_now().await;
            }
            nested.emit(n).await;
        });
        let outer = signal(&pool, Dispatch::Parallel);
        outer.on(async move |n| {
            join!(later.emit(n), inner.emit(n));
        });
        assert!(outer.emit(1).await.is_ok());
        assert_eq!((gauge.total(), gauge.peak()), (2, 1));
    });
}

#[test]
fn a_nested_emission_that_is_dropped_leaves_its_listener_with_a_permit() {
    check(|| async {
        let pool = Pool::new(1);
        let gauge = Gauge::default();
        let inner = signal(&pool, Dispatch::Parallel);
        let seen = gauge.clone();
        inner.on(async move |_| seen.visit().await);
        let outer = signal(&pool, Dispatch::Parallel);
        let (nested, seen) = (inner.clone(), gauge.clone());
        outer.on(async move |n| {
            {
                let mut emission = Box::pin(nested.emit(n).into_future());
                let mut polls = 0;
                poll_fn(|cx| {
                    polls += 1;
                    if polls == 3 || emission.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
            // Up to its next await point it may go on without one.
            yield_now().await;
            seen.visit().await;
        });
        let emitters = [outer.clone(), inner];
        beside(
            emitters
                .map(|signal| task(async move { assert_eq!(signal.emit(1).await.delivered(), 1) })),
        )
        .await;
        assert_eq!(gauge.peak(), 1);
    });
}

#[test]
fn a_smaller_pool_keeps_its_bound_once_the_holders_are_back() {
    check(|| async {
        let pool = Pool::new(2);
        let before = signal(&pool, Dispatch::Parallel);
        before.on(async |_| yield_now().await);
        before.on(async |_| yield_now().await);
        let holder = task(async move { assert!(before.emit(1).await.is_ok()) });
        yield_now().await;
        pool.resize(1).unwrap();
        holder.await.unwrap();
        is_whole(&pool).await;
        is_whole(&pool).await;
    });
}

#[test]
fn sizes_that_change_while_permits_are_out_lose_none() {
    check(|| async {
        let pool = Pool::new(2);
        let gauge = Gauge::default();
        let emitters = [0, 1].map(|_| {
            let signal = signal(&pool, Dispatch::Parallel);
            let gauge = gauge.clone();
            signal.on(async move |_| gauge.visit().await);
            task(async move { assert!(signal.emit(1).await.is_ok()) })
        });
        let resizer = pool.clone();
        let resizer = task(async move {
            for size in [1, 3, 1, 2] {
                resizer.resize(size).unwrap();
                yield_now().await;
            }
        });
        beside(emitters.into_iter().chain([resizer])).await;
        assert!(gauge.peak() <= 2);
        is_whole(&pool).await;
        // Two at once, or this waits for ever.
        let both = signal(&pool, Dispatch::Parallel);
        let meeting = Gauge::default();
        for _ in 0..2 {
            let meeting = meeting.clone();
            both.on(async move |_| {
                let _here = meeting.enter();
                for _ in 0..1_000 {
                    if meeting.total() == 2 {
                        return Ok(());
                    }
                    yield_now().await;
                }
                Err("a permit was lost")
            });
        }
        assert!(both.emit(1).await.is_ok());
    });
}
