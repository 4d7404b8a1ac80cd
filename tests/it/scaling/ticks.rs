//! When a pool ticks, and where.

use fanfare::scaling::HeldBack;
use fanfare::{Pool, Scaling, WhenFull};
use tokio::runtime::{Builder, Handle, Runtime};

use super::{MS, scripted, sleepy, tick};
use crate::support::settle;

fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_handle_of_the_pool() {
    let (_, builder, _) = scripted(8, 16);
    assert_eq!(tasks(), 0);
    let pool = builder.build();
    assert_eq!(tasks(), 1);
    let other = pool.clone();
    drop(pool);
    settle().await;
    assert_eq!(tasks(), 1);
    drop(other);
    settle().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_pool_of_the_least_size_does_not_tick_until_somebody_waits() {
    let pool = Pool::builder(2)
        .scaling(Scaling::aggressive().min(2).max(8))
        .build();
    for _ in 0..5 {
        tick().await;
    }
    let ticks = pool.scaling().unwrap().ticks();
    assert_eq!(
        (ticks, tasks(), pool.scaling().unwrap().is_ticking()),
        (1, 0, false)
    );
    let signal = sleepy(&pool, 500 * MS);
    for n in 0..20 {
        signal.emit_detached(n).unwrap();
    }
    tick().await;
    tick().await;
    assert!(pool.scaling().unwrap().is_ticking());
    assert!(pool.size() > 2);
    for _ in 0..200 {
        tick().await;
    }
    assert_eq!((pool.size(), tasks()), (2, 0));
    // What came before the ticks is no part of the first: an idle hour does not make a busy tick look idle.
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    for n in 0..20 {
        signal.emit_detached(n).unwrap();
    }
    tick().await;
    assert!(pool.size() > 2, "{:?}", pool.scaling());
}

#[test]
fn made_outside_a_runtime_it_ticks_from_the_first_wait_and_again_on_the_next_runtime() {
    let (policy, builder, _) = scripted(1, 64);
    let pool = builder.build();
    assert!(!pool.scaling().unwrap().is_ticking());
    let signal = sleepy(&pool, 150 * MS);
    let mut size = 1;
    for _ in 0..3 {
        let signal = signal.clone();
        let (pool, policy) = (pool.clone(), policy.clone());
        paused().block_on(async move {
            assert!(!pool.scaling().unwrap().is_ticking());
            policy.say(size + 3);
            for n in 0..60 {
                signal.emit_detached(n).unwrap();
            }
            tick().await;
            assert_eq!(pool.size(), size + 3);
            assert!(pool.scaling().unwrap().is_ticking());
        });
        size += 3;
    }
    assert!(!pool.scaling().unwrap().is_ticking());
}

#[test]
fn without_a_timer_the_pool_stays_as_it_is() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (_, builder, _) = scripted(4, 8);
        let pool = builder.build();
        settle().await;
        pool.resize(5).unwrap();
        settle().await;
        assert_eq!((pool.size(), tasks()), (5, 0));
    });
}

#[test]
fn a_runtime_whose_workers_are_busy_is_not_fed_more() {
    // The clock runs here: it is by that clock that a worker is busy. However slow the machine is, this one never rests.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let policy = super::Scripted::default();
        policy.say(8);
        let scaling = Scaling::custom(policy.clone())
            .tick(10 * MS)
            .saturation(0.5);
        let pool = Pool::builder(2).scaling(scaling).build();
        // The first tick holds what came before.
        let mut held = 0;
        for _ in 0..5_000 {
            let begin = std::time::Instant::now();
            while begin.elapsed() < MS {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
            held = pool.scaling().unwrap().held_back(HeldBack::RuntimeBusy);
            if held >= 3 {
                break;
            }
        }
        assert!(held >= 3, "{:?}", policy.seen.take());
    });
}

#[test]
fn a_rejection_starts_the_ticks_too() {
    let scaling = Scaling::aggressive().max(8);
    let builder = Pool::builder(1).when_full(WhenFull::Reject);
    let pool = builder.scaling(scaling).build();
    let signal = sleepy(&pool, 50 * MS);
    paused().block_on(async {
        for n in 0..5 {
            signal.emit_detached(n).unwrap();
        }
        settle().await;
        assert_eq!(pool.rejections(), 4);
        tick().await;
        assert_eq!(pool.size(), 2);
    });
}

#[test]
fn a_runtime_that_ends_in_a_panic_leaves_the_ticks_to_the_next() {
    let (policy, builder, _) = scripted(1, 64);
    let pool = builder.build();
    let signal = sleepy(&pool, 150 * MS);
    let (in_panic, waited) = (signal.clone(), pool.clone());
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let runtime = paused();
        runtime.block_on(async {
            for n in 0..60 {
                in_panic.emit_detached(n).unwrap();
            }
            tick().await;
            assert!(waited.scaling().unwrap().is_ticking());
        });
        panic!("the runtime is dropped by this");
    }));
    assert!(ended.is_err());
    assert!(!pool.scaling().unwrap().is_ticking());
    paused().block_on(async {
        policy.say(4);
        for n in 0..60 {
            signal.emit_detached(n).unwrap();
        }
        tick().await;
        assert_eq!(pool.size(), 4);
    });
}
