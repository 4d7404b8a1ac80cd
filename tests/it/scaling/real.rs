//! A pool in a runtime whose clock is paused.

use std::time::Duration;

use fanfare::scaling::{HeldBack, PoolStats, Proposal, ScaleReason, ScalingPolicy};
use fanfare::{Pool, Scaling, Signal, WhenFull};

use super::{MS, scripted, sleepy, tick, told};
use crate::support::{Gauge, settle};

#[tokio::test(start_paused = true)]
async fn it_grows_while_emissions_wait_and_gives_back_what_is_not_used() {
    for scaling in [Scaling::conservative(), Scaling::aggressive()] {
        let (builder, log) = told(Pool::builder(4).scaling(scaling.min(2).max(40)));
        let pool = builder.build();
        let signal = sleepy(&pool, 50 * MS);
        let mut largest = 0;
        for n in 0..3_000 {
            signal.emit_detached(n).unwrap();
            // 500 a second that take 50 ms: 25 at once.
            tokio::time::sleep(2 * MS).await;
            largest = largest.max(pool.size());
            assert!((2..=40).contains(&pool.size()));
        }
        assert!((25..=40).contains(&largest), "{largest}");
        assert!(pool.waiting() < 20, "{} wait", pool.waiting());
        for _ in 0..600 {
            tick().await;
        }
        assert_eq!(pool.size(), 2);
        let log = log.take();
        let reasons: Vec<_> = log.iter().map(fanfare::Scaled::reason).collect();
        assert!(reasons.contains(&ScaleReason::Wait) && reasons.contains(&ScaleReason::Idle));
        for scaled in &log {
            let stats = scaled.stats().expect("a policy decided");
            assert_eq!((stats.size, stats.min, stats.max), (scaled.from(), 2, 40));
            assert!(stats.runtime_busy.is_some_and(|busy| busy <= 1.0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_across_its_decisions_and_no_running_work_is_killed() {
    let (policy, builder, _) = scripted(4, 16);
    let pool = builder.build();
    let gauge = Gauge::default();
    let inside = gauge.clone();
    let signal = Signal::<usize>::builder().pool(pool.clone()).build();
    signal.on(async move |_| {
        let _inside = inside.enter();
        tokio::time::sleep(250 * MS).await;
    });
    let emissions: Vec<_> = (0..300)
        .map(|n| {
            let signal = signal.clone();
            tokio::spawn(async move { signal.emit(n).await.delivered() })
        })
        .collect();
    let mut before = 4;
    for size in [16, 5, 16, 2, 9, 1, 4] {
        policy.say(size);
        gauge.reset_peak();
        for _ in 0..4 {
            tick().await;
            assert!(
                gauge.peak() <= before.max(pool.size()).max(size),
                "to {size}"
            );
        }
        before = pool.size();
        tokio::time::sleep(300 * MS).await;
        assert!(gauge.now() <= before.max(pool.size()));
    }
    policy.say(16);
    let mut delivered = 0;
    for emission in emissions {
        delivered += emission.await.unwrap();
    }
    assert_eq!((delivered, pool.in_use()), (300, 0));
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_rejects_grows_by_its_rejections() {
    let pool = Pool::builder(1)
        .when_full(WhenFull::Reject)
        .scaling(Scaling::aggressive().max(8));
    let (builder, log) = told(pool);
    let pool = builder.build();
    let signal = sleepy(&pool, 90 * MS);
    for n in 0..400 {
        let _ = signal.emit_detached(n);
        tokio::time::sleep(20 * MS).await;
    }
    let first = log.take().remove(0);
    assert_eq!(
        (first.from(), first.to(), first.reason()),
        (1, 2, ScaleReason::Rejections)
    );
    assert!((5..=8).contains(&pool.size()), "{}", pool.size());
}

#[tokio::test(start_paused = true)]
async fn a_policy_sees_what_happened_in_the_tick() {
    let (policy, builder, _) = scripted(2, 8);
    let pool = builder.build();
    let signal = sleepy(&pool, 80 * MS);
    tick().await;
    policy.seen.take();
    for n in 0..5 {
        signal.emit_detached(n).unwrap();
    }
    tick().await;
    let seen = policy.seen.take()[0];
    assert_eq!((seen.size, seen.min, seen.max), (2, 1, 8));
    assert_eq!((seen.in_use, seen.waiting, seen.waits), (2, 1, 3));
    assert_eq!((seen.taken, seen.rejections), (4, 0));
    assert_eq!(seen.tick, 100 * MS);
    assert!((seen.utilisation - 1.0).abs() < 0.02, "{seen:?}");
    // Two have waited for 80 ms, and one for 100 so far.
    let wait = seen.wait.as_millis();
    assert!((85..=88).contains(&wait), "{seen:?}");
    tick().await;
    let seen = policy.seen.take()[0];
    assert_eq!((seen.waits, seen.taken, seen.waiting), (0, 1, 0));
    assert!(seen.wait >= 150 * MS && seen.since_change > 1);
}

#[tokio::test(start_paused = true)]
async fn a_policy_cannot_break_the_bounds_and_each_hold_is_told_once() {
    let (policy, builder, log) = scripted(2, 10);
    let pool = builder.build();
    policy.say(1_000);
    tick().await;
    assert_eq!(pool.size(), 10);
    for _ in 0..5 {
        tick().await;
    }
    policy.say(0);
    let mut sizes = Vec::new();
    for _ in 0..6 {
        let emission = pool_user(&pool);
        tick().await;
        sizes.push(pool.size());
        emission.abort();
    }
    assert_eq!(sizes, [5, 3, 2, 1, 1, 1]);
    let status = pool.scaling().unwrap();
    assert_eq!(status.held_back(HeldBack::AtMax), 5);
    assert!(status.held_back(HeldBack::AtMin) >= 2);
    assert_eq!((status.ups(), status.downs()), (1, 4));
    let held: Vec<_> = log
        .take()
        .iter()
        .filter_map(fanfare::Scaled::held_back)
        .collect();
    assert_eq!(held, [HeldBack::AtMax, HeldBack::AtMin]);
}

/// Something that keeps a pool busy.
fn pool_user(pool: &Pool) -> tokio::task::JoinHandle<()> {
    let signal = sleepy(pool, Duration::from_secs(60));
    tokio::spawn(async move { drop(signal.emit(1).await) })
}

struct Panics;

impl ScalingPolicy for Panics {
    fn decide(&mut self, _: &PoolStats) -> Proposal {
        panic!("a bug")
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_leaves_the_size_and_is_told_once() {
    let (builder, log) = told(Pool::builder(4).scaling(Scaling::custom(Panics)));
    let pool = builder.build();
    for _ in 0..3 {
        tick().await;
    }
    assert_eq!(pool.size(), 4);
    assert_eq!(
        pool.scaling().unwrap().held_back(HeldBack::PolicyPanicked),
        3
    );
    let log = log.take();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].from(), log[0].to()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn a_resize_by_hand_keeps_to_the_bounds_and_begins_the_cool_down() {
    let scaling = Scaling::conservative().min(2).max(20).cool_down(8);
    let (builder, log) = told(Pool::builder(4).scaling(scaling));
    let pool = builder.build();
    for refused in [1, 21] {
        let error = pool.resize(refused).unwrap_err();
        assert_eq!(
            (error.option(), error.value()),
            ("pool", refused.to_string().as_str())
        );
    }
    pool.resize(20).unwrap();
    assert_eq!(pool.size(), 20);
    for _ in 0..8 {
        tick().await;
        assert_eq!(pool.size(), 20);
    }
    tick().await;
    assert_eq!(pool.size(), 18);
    let log = log.take();
    assert_eq!(
        (log[0].from(), log[0].to(), log[0].reason()),
        (4, 20, ScaleReason::Manual)
    );
    assert!(log[0].stats().is_none());
    assert_eq!(log[1].held_back(), Some(HeldBack::CoolDown));
    assert_eq!(log[2].reason(), ScaleReason::Idle);
    assert_eq!(log.len(), 3);
    settle().await;
}
