//! What holds when threads race. Nothing here waits for a clock: there are only yields, and enough rounds for the races to happen.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use fanfare::{Dispatch, Pool, Signal, Subscription};
use futures::FutureExt as _;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};

use crate::support::join;

/// An event that knows what had been removed when it was emitted.
#[derive(Clone)]
struct Stamped {
    removed: Vec<bool>,
}

/// One listener: what it did, and what is known about its removal.
#[derive(Default)]
struct Seen {
    calls: AtomicUsize,
    running: AtomicUsize,
    /// `remove()` has returned.
    removed: AtomicBool,
    /// `removed()` has.
    gone: AtomicBool,
}

#[derive(Default)]
struct Bound {
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Bound {
    fn enter(&self) {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug)]
struct Race {
    mode: Dispatch,
    pool: Option<usize>,
    emitters: usize,
    rounds: usize,
    /// How often each listener may be called, and how often it yields.
    listeners: Vec<(Option<u64>, usize)>,
}

fn races() -> impl Strategy<Value = Race> {
    let mode = prop_oneof![
        Just(Dispatch::Concurrent),
        Just(Dispatch::Parallel),
        Just(Dispatch::Sequential)
    ];
    let listener = (prop::option::weighted(0.4, 1..=5_u64), 0..=2_usize);
    let listeners = prop::collection::vec(listener, 2..=6);
    (
        mode,
        prop::option::of(1..=3_usize),
        1..=4_usize,
        1..=6_usize,
        listeners,
    )
        .prop_map(|(mode, pool, emitters, rounds, listeners)| Race {
            mode,
            pool,
            emitters,
            rounds,
            listeners,
        })
}

fn listen(
    signal: &Signal<Stamped>,
    no: usize,
    (times, yields): (Option<u64>, usize),
    seen: &Arc<Seen>,
    bound: &Arc<Bound>,
) -> Subscription {
    let mut builder = signal.listen().key(format!("key {no}"));
    if let Some(times) = times {
        builder = builder.times(times);
    }
    let (seen, bound) = (Arc::clone(seen), Arc::clone(bound));
    let listener = async move |event: Stamped| {
        bound.enter();
        seen.running.fetch_add(1, Ordering::SeqCst);
        seen.calls.fetch_add(1, Ordering::SeqCst);
        let late = event.removed[no] || seen.gone.load(Ordering::SeqCst);
        for _ in 0..yields {
            yield_now().await;
        }
        seen.running.fetch_sub(1, Ordering::SeqCst);
        bound.leave();
        if late {
            Err("called after it was removed")
        } else {
            Ok(())
        }
    };
    builder.on(listener).unwrap()
}

async fn emit_often(signal: Signal<Stamped>, seen: Vec<Arc<Seen>>, rounds: usize) -> usize {
    let mut failed = 0;
    for _ in 0..rounds {
        let stamps = seen.iter().map(|one| one.removed.load(Ordering::SeqCst));
        let event = Stamped {
            removed: stamps.collect(),
        };
        let report = signal.emit(event).await;
        assert!(report.listeners() <= seen.len() + 1);
        failed += report.failed();
        yield_now().await;
    }
    failed
}

async fn run(race: Race) {
    let pool = race.pool.map(Pool::new);
    let mut builder = Signal::<Stamped>::builder().dispatch(race.mode);
    if let Some(pool) = &pool {
        builder = builder.pool(pool.clone());
    }
    let signal = builder.build();
    let bound = Arc::new(Bound::default());
    let seen: Vec<Arc<Seen>> = race.listeners.iter().map(|_| Arc::default()).collect();
    let subs: Vec<Subscription> = race
        .listeners
        .iter()
        .enumerate()
        .map(|(no, plan)| listen(&signal, no, *plan, &seen[no], &bound))
        .collect();
    let mut emitters = JoinSet::new();
    for _ in 0..race.emitters {
        emitters.spawn(emit_often(signal.clone(), seen.clone(), race.rounds));
    }
    let mut others = JoinSet::new();
    // One without a limit stays; of the rest, every other is removed.
    for (no, sub) in subs
        .iter()
        .cloned()
        .enumerate()
        .filter(|(no, _)| no % 2 == 1)
    {
        let seen = Arc::clone(&seen[no]);
        others.spawn(async move {
            yield_now().await;
            sub.remove();
            seen.removed.store(true, Ordering::SeqCst);
            sub.removed().await;
            seen.gone.store(true, Ordering::SeqCst);
            assert_eq!(seen.running.load(Ordering::SeqCst), 0, "it runs on");
        });
    }
    if let Some(pool) = pool.clone() {
        others.spawn(async move {
            for size in [3, 1, 2, 1, 3, 1] {
                pool.resize(size).unwrap();
                yield_now().await;
            }
        });
    }
    let listed = signal.clone();
    others.spawn(async move {
        for _ in 0..20 {
            let own = listed.listen().key("own").on(async |_| {}).unwrap();
            assert!(listed.contains_key("own"));
            let keys = listed.keys();
            let numbered = keys.iter().filter(|key| key.starts_with("key"));
            assert!(numbered.is_sorted(), "{keys:?}");
            assert!(own.remove());
            yield_now().await;
        }
    });
    let mut failed = 0;
    while let Some(one) = emitters.join_next().await {
        failed += one.unwrap();
    }
    while let Some(one) = others.join_next().await {
        one.unwrap();
    }
    assert_eq!(failed, 0, "called after it was removed");
    for (no, (times, _)) in race.listeners.iter().enumerate() {
        let (calls, attempts) = (
            seen[no].calls.load(Ordering::SeqCst),
            race.emitters * race.rounds,
        );
        let expected = usize::try_from(times.unwrap_or(u64::MAX))
            .unwrap_or(usize::MAX)
            .min(attempts);
        if no % 2 == 0 {
            assert_eq!(calls, expected, "calls of {no}");
        } else {
            assert!(calls <= expected, "calls of {no}");
        }
        assert_eq!(
            subs[no].metadata().calls(),
            calls as u64,
            "counted calls of {no}"
        );
    }
    if let Some(pool) = pool {
        let most = bound.most.load(Ordering::SeqCst);
        assert!(most <= 3, "{most} ran on a pool that was never above 3");
        assert_eq!((pool.in_use(), pool.waiting(), pool.size()), (0, 0, 1));
        // What was owed by the holders has been paid: one permit is left.
        bound.most.store(0, Ordering::SeqCst);
        let last = (0..3).map(|_| emit_often(signal.clone(), seen.clone(), 1));
        futures::future::join_all(last).await;
        assert!(bound.most.load(Ordering::SeqCst) <= 1, "above the new size");
    }
}

proptest! {
    #![proptest_config(crate::support::cases(256))]

    #[test]
    fn races_of_threads_break_no_guarantee(race in races()) {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async { tokio::spawn(run(race)).await.unwrap() });
    }
}

/// Two threads, one doing each, as nearly at once as can be; `skew` lets one of them start a little later.
fn at_once(skew: i32, one: impl FnOnce() + Send, other: impl FnOnce()) {
    let start = AtomicUsize::new(0);
    let ready = |turns: i32| {
        start.fetch_add(1, Ordering::SeqCst);
        // The other may have to wait for a core: this one must not keep it away.
        for turn in 0_u32.. {
            if start.load(Ordering::SeqCst) == 2 {
                break;
            }
            if turn % 256 == 255 {
                thread::yield_now();
            }
            spin_loop();
        }
        for _ in 0..turns {
            spin_loop();
        }
    };
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            ready(skew.max(0));
            one();
        });
        ready((-skew).max(0));
        other();
        join(vec![thread]);
    });
}

#[test]
fn a_call_that_races_with_removed_is_seen_by_it_or_not_made() {
    let (rounds, late) = (4_000, AtomicUsize::new(0));
    for round in 0..rounds {
        let signal = Signal::<u32>::new();
        let gone = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&gone);
        let sub = signal.on_sync(move |_| {
            // Long enough for the other thread to be done with `removed()`.
            for _ in 0..200 {
                spin_loop();
            }
            if seen.load(Ordering::SeqCst) {
                Err("late")
            } else {
                Ok(())
            }
        });
        let emission = signal.emit(1);
        at_once(
            round % 400 - 200,
            || {
                let report = emission.now_or_never().unwrap();
                late.fetch_add(report.failed(), Ordering::SeqCst);
            },
            || {
                sub.remove();
                if sub.removed().now_or_never().is_some() {
                    gone.store(true, Ordering::SeqCst);
                }
            },
        );
    }
    assert_eq!(late.load(Ordering::SeqCst), 0, "calls after `removed()`");
}

#[test]
fn a_swap_that_races_with_emissions_shows_each_of_them_one_of_the_two() {
    for round in 0..12_000 {
        let signal = Signal::<u32>::new();
        signal.listen().key("price").on_sync(|_| ()).unwrap();
        let emission = signal.emit(1);
        at_once(
            round % 160 - 70,
            || {
                let report = emission.now_or_never().unwrap();
                assert_eq!((report.delivered(), report.listeners()), (1, 1));
            },
            || {
                let builder = signal.listen().key("price").replace();
                builder.on_sync(|_| ()).unwrap();
            },
        );
    }
}
