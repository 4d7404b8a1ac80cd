//! What an emission does when no permit is free, and what a pool tells about itself.

use std::time::Duration;

use fanfare::{Cause, Outcome, Pool, Rejection, Signal, WhenFull};
use tokio::time::{advance, sleep};

use crate::support::{Log, MODES, OVERLAPPING, poll_once, settle};

fn full_signal(pool: &Pool, mode: fanfare::Dispatch) -> Signal<u32> {
    let signal = Signal::builder()
        .dispatch(mode)
        .pool(pool.clone())
        .on_failure(|_| {})
        .build();
    for _ in 0..3 {
        signal.on(async |millis: u32| sleep(Duration::from_millis(u64::from(millis))).await);
    }
    signal
}

#[tokio::test(start_paused = true)]
async fn by_default_an_emission_waits_for_as_long_as_it_takes() {
    for mode in MODES {
        let pool = Pool::new(1);
        let signal = full_signal(&pool, mode);
        let (a, b) = tokio::join!(signal.emit(100_000), signal.emit(1));
        assert_eq!((a.delivered(), b.delivered()), (3, 3), "{mode}");
        assert_eq!(pool.rejections(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn reject_rejects_every_listener_at_once_and_counts_the_emission() {
    for mode in MODES {
        let pool = Pool::builder(1).when_full(WhenFull::Reject).build();
        let signal = full_signal(&pool, mode);
        let mut holder = Box::pin(signal.emit(10));
        assert!(poll_once(&mut holder).is_none());
        settle().await;
        assert_eq!(pool.in_use(), 1);

        let report = poll_once(&mut Box::pin(signal.emit(10))).expect("it does not wait");
        assert_eq!(report.count(Outcome::Rejected), 3, "{mode}");
        assert_eq!(report.failed(), 3);
        for entry in report.failures() {
            let Cause::Rejected(why) = entry.cause() else {
                panic!("{entry}");
            };
            let waited = Duration::ZERO;
            assert_eq!(*why, Rejection::PoolFull { size: 1, waited });
        }
        assert_eq!(pool.rejections(), 1, "{mode}");
        // Once admitted an emission waits, however full the pool is.
        assert_eq!(holder.await.delivered(), 3, "{mode}");
        assert_eq!(signal.emit(1).await.delivered(), 3, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn wait_up_to_waits_that_long_and_no_longer() {
    let limit = Duration::from_millis(50);
    for mode in MODES {
        let pool = Pool::builder(1)
            .when_full(WhenFull::WaitUpTo(limit))
            .build();
        let signal = full_signal(&pool, mode);
        let short = Signal::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .on_failure(|_| {})
            .build();
        short.on(async |millis: u32| sleep(Duration::from_millis(u64::from(millis))).await);

        let (held, rejected) = tokio::join!(short.emit(1_000), async {
            let started = tokio::time::Instant::now();
            let report = signal.emit(1).await;
            (report, started.elapsed())
        });
        assert_eq!(held.delivered(), 1);
        assert_eq!(rejected.0.count(Outcome::Rejected), 3, "{mode}");
        assert!(rejected.1 >= limit && rejected.1 < limit + Duration::from_millis(2));
        let text = rejected.0.entries()[0].cause().to_string();
        assert_eq!(
            text,
            "rejected: no free permit in the pool of 1 within 50ms"
        );
        assert_eq!(pool.rejections(), 1);

        let (held, waited) = tokio::join!(short.emit(40), signal.emit(1));
        assert_eq!((held.delivered(), waited.delivered()), (1, 3), "{mode}");
        assert_eq!(pool.rejections(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_is_first_come_first_served() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(Pool::new(1))
            .build();
        let log = Log::default();
        let line = log.clone();
        signal.on(async move |n| {
            line.push(n);
            sleep(Duration::from_millis(1)).await;
        });
        let mut emissions: Vec<_> = (0..20).map(|n| Box::pin(signal.emit(n))).collect();
        for emission in &mut emissions {
            assert!(poll_once(emission).is_none());
        }
        // Polled in another order than they queued.
        emissions.reverse();
        futures::future::join_all(emissions).await;
        assert_eq!(log.take(), (0..20).collect::<Vec<_>>(), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn load_and_times_can_be_read_at_any_moment() {
    for mode in OVERLAPPING {
        let pool = Pool::new(2);
        let signal = full_signal(&pool, mode);
        let secs = Duration::from_secs;
        let read = || {
            (
                pool.size(),
                pool.in_use(),
                pool.waiting(),
                pool.utilisation(),
            )
        };
        assert_eq!(read(), (2, 0, 0, 0.0));
        assert_eq!(pool.waits(), 0);
        advance(secs(10)).await;
        assert_eq!((pool.busy_time(), pool.idle_time()), (secs(0), secs(20)));

        let emission = tokio::spawn(async move { signal.emit(4_000).await.delivered() });
        settle().await;
        assert_eq!(read(), (2, 2, 1, 1.0), "{mode}");
        advance(secs(1)).await;
        assert_eq!(
            (pool.busy_time(), pool.idle_time()),
            (secs(2), secs(20)),
            "{mode}"
        );
        assert_eq!((pool.waits(), pool.wait_time()), (1, secs(0)));
        advance(secs(3)).await;
        settle().await;
        assert_eq!(read(), (2, 1, 0, 0.5), "{mode}");
        assert_eq!((pool.waits(), pool.wait_time()), (1, secs(4)), "{mode}");
        assert_eq!(
            (pool.busy_time(), pool.idle_time()),
            (secs(8), secs(20)),
            "{mode}"
        );
        pool.resize(3).unwrap();
        advance(secs(4)).await;
        assert_eq!(emission.await.unwrap(), 3);
        assert_eq!(
            (pool.busy_time(), pool.idle_time()),
            (secs(12), secs(28)),
            "{mode}"
        );
        assert_eq!(read(), (3, 0, 0, 0.0), "{mode}");
    }
}
