//! One total for several pools.

use std::time::Duration;

use fanfare::{Balance, Pool, WhenFull};
use tokio::runtime::Handle;

use super::{MS, sleepy, tick};
use crate::support::{Gauge, settle};

#[tokio::test(start_paused = true)]
async fn permits_go_where_there_is_most_to_do_and_come_back() {
    let (orders, mail) = (Pool::new(1), Pool::new(1));
    let (ordering, mailing) = (sleepy(&orders, 20 * MS), sleepy(&mail, 20 * MS));
    let balancing = Balance::new(32).pool(&orders, 4).pool(&mail, 2).start();
    assert_eq!((balancing.total(), balancing.sizes()), (32, vec![17, 15]));
    let mut most = [0, 0];
    for (one, place) in [(&ordering, 0), (&mailing, 1)] {
        for n in 0..2_000 {
            one.emit_detached(n).unwrap();
        }
        for _ in 0..15 {
            tick().await;
            let sizes = balancing.sizes();
            assert!(sizes.iter().sum::<usize>() <= 32, "{sizes:?}");
            assert!(sizes[0] >= 4 && sizes[1] >= 2, "{sizes:?}");
            most[place] = most[place].max(sizes[place]);
        }
    }
    assert_eq!(most, [30, 28]);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    drop(balancing);
    settle().await;
    assert_eq!(tasks(), before - 1);
}

#[tokio::test(start_paused = true)]
async fn the_listeners_of_all_pools_stay_within_the_total_while_permits_move() {
    let pools = [Pool::new(4), Pool::new(4), Pool::new(4)];
    let gauge = Gauge::default();
    let signals: Vec<_> = pools
        .iter()
        .map(|pool| {
            let inside = gauge.clone();
            let signal = fanfare::Signal::<u64>::builder().pool(pool.clone()).build();
            signal.on(async move |takes| {
                let _inside = inside.enter();
                tokio::time::sleep(Duration::from_millis(takes)).await;
            });
            signal
        })
        .collect();
    let balance = Balance::new(12).step(0.5).hysteresis(1.0);
    let balance = pools.iter().fold(balance, |it, pool| it.pool(pool, 1));
    let balancing = balance.start();
    let mut random = fastrand_like(7);
    for _ in 0..60 {
        let signal = &signals[random(3)];
        for _ in 0..random(60) {
            signal.emit_detached(10 + 10 * random(40) as u64).unwrap();
        }
        tick().await;
        assert!(gauge.peak() <= 12, "{} run", gauge.peak());
        assert!(balancing.sizes().iter().sum::<usize>() <= 12);
    }
    assert_eq!(gauge.peak(), 12, "all of it is used");
}

/// Numbers below a limit, the same each time.
fn fastrand_like(mut state: usize) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_moves_no_more_than_a_step_and_nothing_below_the_hysteresis() {
    for (step, after_two) in [(0.125, 18), (0.25, 20)] {
        let (one, other) = (Pool::new(1), Pool::new(1));
        let signal = sleepy(&one, 50 * MS);
        let balancing = Balance::new(16 * 2)
            .step(step)
            .pool(&one, 1)
            .pool(&other, 1)
            .start();
        for n in 0..1_000 {
            signal.emit_detached(n).unwrap();
        }
        // Taken in the first tick, given in the second, and taken again.
        tick().await;
        let taken = 32 - balancing.sizes().iter().sum::<usize>();
        assert_eq!(taken, (after_two - 16) * 2);
        tick().await;
        assert_eq!(balancing.sizes()[0], 16 + (after_two - 16) * 2);
    }
    // Both have much to do, one half as much again: that is below the double.
    for (hysteresis, moves) in [(2.0, false), (1.2, true)] {
        let (one, other) = (Pool::new(1), Pool::new(1));
        let (busy, busier) = (sleepy(&one, 50 * MS), sleepy(&other, 50 * MS));
        let balance = Balance::new(40).hysteresis(hysteresis);
        let balancing = balance.pool(&one, 1).pool(&other, 1).start();
        for n in 0..900 {
            if n < 600 {
                busy.emit_detached(n).unwrap();
            }
            busier.emit_detached(n).unwrap();
        }
        for _ in 0..6 {
            tick().await;
        }
        assert_eq!(balancing.sizes()[1] > 20, moves, "{:?}", balancing.sizes());
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_counts_for_more() {
    let (quick, slow) = (Pool::new(1), Pool::new(1));
    let (quickly, slowly) = (sleepy(&quick, 10 * MS), sleepy(&slow, 100 * MS));
    let balancing = Balance::new(20)
        .pool(&quick, 1)
        .pool(&slow, 1)
        .tick(200 * MS)
        .start();
    for n in 0..2_000 {
        quickly.emit_detached(n).unwrap();
        slowly.emit_detached(n).unwrap();
    }
    for _ in 0..16 {
        tick().await;
    }
    let sizes = balancing.sizes();
    assert!(sizes[1] > 14, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_resized_by_hand_is_set_back() {
    let (one, other) = (Pool::new(1), Pool::new(1));
    let balancing = Balance::new(8).pool(&one, 1).pool(&other, 1).start();
    one.resize(100).unwrap();
    tick().await;
    assert_eq!(balancing.sizes(), [4, 4]);
    other.resize(1).unwrap();
    tick().await;
    assert_eq!(balancing.sizes(), [4, 4]);
}

#[tokio::test(start_paused = true)]
async fn holds_of_many_ticks_count_for_as_long_as_they_are() {
    let (long, short) = (Pool::new(8), Pool::new(8));
    let (longer, shorter) = (
        sleepy(&long, Duration::from_secs(10)),
        sleepy(&short, Duration::from_secs(1)),
    );
    let balancing = Balance::new(16).pool(&long, 1).pool(&short, 1).start();
    for n in 0..200 {
        if n < 100 {
            longer.emit_detached(n).unwrap();
        }
        shorter.emit_detached(n).unwrap();
    }
    // A thousand seconds of work against two hundred.
    for _ in 0..150 {
        tick().await;
    }
    let sizes = balancing.sizes();
    assert!(sizes[0] >= 12, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_rejects_is_given_permits_for_what_it_rejected() {
    let rejecting = Pool::builder(1).when_full(WhenFull::Reject).build();
    let other = Pool::new(1);
    let signal = sleepy(&rejecting, 90 * MS);
    let balancing = Balance::new(16).pool(&rejecting, 1).pool(&other, 1);
    let balancing = balancing.start();
    for n in 0..400 {
        let _ = signal.emit_detached(n);
        tokio::time::sleep(5 * MS).await;
    }
    // 200 a second that take 90 ms would use 18.
    assert_eq!(balancing.sizes(), [15, 1]);
}

#[tokio::test(start_paused = true)]
async fn it_begins_with_what_is_free_and_gives_out_the_rest_as_it_comes_back() {
    let (one, other) = (Pool::new(60), Pool::new(4));
    let gauge = Gauge::default();
    let signals = [&one, &other].map(|pool| {
        let inside = gauge.clone();
        let signal = fanfare::Signal::<u64>::builder().pool(pool.clone()).build();
        signal.on(async move |takes| {
            let _inside = inside.enter();
            tokio::time::sleep(Duration::from_millis(takes)).await;
        });
        signal
    });
    for n in 0..60 {
        signals[0].emit_detached(250 + n).unwrap();
        signals[1].emit_detached(250).unwrap();
    }
    settle().await;
    assert_eq!(gauge.now(), 64);
    let balance = Balance::new(64).pool(&one, 1).pool(&other, 1);
    let balancing = balance.start();
    assert_eq!(balancing.sizes(), [32, 4]);
    for _ in 0..10 {
        tick().await;
        assert!(gauge.peak() <= 64, "{} run", gauge.peak());
    }
    assert_eq!(balancing.sizes().iter().sum::<usize>(), 64);
}
