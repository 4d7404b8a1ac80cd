//! Keys, handles, order, and changes while emissions run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Order, RegisterError, Signal, Skip};

use crate::support::{Ledger, setups};

#[test]
fn the_count_is_right_after_each_change_and_removing_twice_says_so() {
    let signal = Signal::<u32>::new();
    assert!(signal.is_empty());
    let plain = signal.on(async |_| {});
    let keyed = signal.listen().key("a").on(async |_| {}).unwrap();
    assert_eq!((signal.len(), signal.keys()), (2, vec!["a".to_owned()]));
    assert!(plain.remove() && !plain.remove());
    assert_eq!(signal.len(), 1);
    assert!(signal.remove("a") && !signal.remove("a") && !keyed.remove());
    assert!(signal.is_empty() && !signal.contains_key("a") && keyed.is_removed());
}

#[test]
fn a_duplicate_key_is_refused_with_an_error_that_names_it_and_its_holder() {
    let signal = Signal::<u32>::builder().name("orders").build();
    signal.listen().key("audit").on(async |_| {}).unwrap();
    let line = line!() - 1;
    let error = signal.listen().key("audit").on(async |_| {}).unwrap_err();
    let RegisterError::DuplicateKey {
        key,
        signal: name,
        existing,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (key.as_str(), name.as_str(), existing.line()),
        ("audit", "orders", line)
    );
    assert!(error.to_string().contains("`audit`") && error.to_string().contains("registry.rs"));
    assert_eq!(signal.len(), 1);
}

#[tokio::test]
async fn order_is_stable_under_removals_in_keys_and_in_calls() {
    for setup in setups()
        .into_iter()
        .filter(|s| s.mode != fanfare::Dispatch::Parallel)
    {
        let (signal, ledger) = (setup.builder::<u32>().build(), Ledger::default());
        for key in ["a", "b", "c", "d"] {
            let ledger = ledger.clone();
            signal
                .listen()
                .key(key)
                .on(async move |_| ledger.note(key))
                .unwrap();
        }
        assert!(signal.remove("b"));
        signal.emit(1).await;
        assert_eq!(signal.keys(), ["a", "c", "d"], "{setup:?}");
        assert_eq!(ledger.take(), ["a", "c", "d"], "{setup:?}");
    }
}

#[tokio::test]
async fn stage_then_priority_then_registration_is_the_order() {
    for (order, expected) in [
        (Order::Fifo, ["d", "b", "c", "a", "e"]),
        (Order::Lifo, ["d", "c", "b", "a", "e"]),
    ] {
        let signal = Signal::<u32>::builder().order(order).build();
        for (key, stage, priority) in [
            ("a", 1, 9),
            ("b", 0, 1),
            ("c", 0, 1),
            ("d", 0, 2),
            ("e", 1, -9),
        ] {
            signal
                .listen()
                .key(key)
                .stage(stage)
                .priority(priority)
                .on(async |_| {})
                .unwrap();
        }
        assert_eq!(signal.keys(), expected);
    }
}

#[test]
fn a_stale_handle_never_removes_a_later_listener_of_the_same_key() {
    let signal = Signal::<u32>::new();
    let stale = signal.listen().key("a").on(async |_| {}).unwrap();
    assert!(signal.remove("a"));
    signal.listen().key("a").on(async |_| {}).unwrap();
    assert!(!stale.remove());
    drop(stale.scoped());
    assert!(signal.contains_key("a"));
}

#[tokio::test(start_paused = true)]
async fn what_changes_during_an_emission_shows_in_the_next_but_for_removals() {
    for setup in setups()
        .into_iter()
        .filter(|s| s.mode != fanfare::Dispatch::Parallel)
    {
        let (signal, ledger) = (setup.builder::<u32>().build(), Ledger::default());
        let (weak, notes) = (signal.downgrade(), ledger.clone());
        signal
            .listen()
            .key("a")
            .on(async move |_| {
                let signal = weak.upgrade().unwrap();
                notes.note("a");
                signal.remove("b");
                let late = notes.clone();
                let _ = signal
                    .listen()
                    .key("new")
                    .on(async move |_| late.note("new"));
            })
            .unwrap();
        let notes = ledger.clone();
        signal
            .listen()
            .key("b")
            .on(async move |_| notes.note("b"))
            .unwrap();
        let report = signal.emit(1).await;
        assert_eq!((report.delivered(), report.skipped()), (1, 1), "{setup:?}");
        assert!(matches!(
            report.entries()[0].cause(),
            fanfare::Cause::Skipped(Skip::Removed)
        ));
        signal.emit(2).await;
        assert_eq!(ledger.take(), ["a", "a", "new"], "{setup:?}");
    }
}

#[tokio::test]
async fn a_listener_that_removes_itself_or_clears_the_signal_is_called_once() {
    for setup in setups() {
        for clear in [false, true] {
            let calls = Arc::new(AtomicUsize::new(0));
            let signal = setup.builder::<u32>().build();
            let (weak, count) = (signal.downgrade(), Arc::clone(&calls));
            signal
                .listen()
                .key("me")
                .on(async move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                    let signal = weak.upgrade().unwrap();
                    if clear {
                        assert_eq!(signal.clear(), 1);
                    } else {
                        assert!(signal.remove("me"));
                    }
                })
                .unwrap();
            assert_eq!(signal.emit(1).await.delivered(), 1);
            assert!(signal.emit(2).await.is_empty());
            assert_eq!(calls.load(Ordering::Relaxed), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn removed_waits_for_calls_that_run_and_not_for_its_own() {
    for setup in setups() {
        let (signal, ledger) = (setup.builder::<u32>().build(), Ledger::default());
        let notes = ledger.clone();
        let slow = signal.on(async move |_| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            notes.note("ended");
        });
        let emission = tokio::spawn({
            let signal = signal.clone();
            async move { signal.emit(1).await }
        });
        while slow.metadata().running() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(slow.remove());
        slow.removed().await;
        assert_eq!(
            (ledger.take(), slow.metadata().running()),
            (vec!["ended".to_owned()], 0)
        );
        assert_eq!(emission.await.unwrap().delivered(), 1);

        // From inside.
        let own: Arc<std::sync::OnceLock<fanfare::Subscription>> = Arc::default();
        let me = Arc::downgrade(&own);
        own.set(signal.on(async move |_| {
            let own = me.upgrade().unwrap();
            let me = own.get().unwrap();
            me.remove();
            me.removed().await;
        }))
        .unwrap();
        assert_eq!(signal.emit(1).await.delivered(), 1, "{setup:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_emission_made_before_can_start_a_listener_that_is_removed() {
    for setup in setups() {
        let calls = Arc::new(AtomicUsize::new(0));
        let (signal, count) = (setup.builder::<u32>().build(), Arc::clone(&calls));
        signal
            .listen()
            .priority(1)
            .on(async |_| tokio::time::sleep(Duration::from_secs(1)).await)
            .unwrap();
        let last = signal
            .listen()
            .stage(1)
            .on(async move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        let unpolled = signal.emit(1);
        let emission = signal.emit(2);
        let remove = async {
            tokio::task::yield_now().await;
            last.remove();
            last.removed().await;
        };
        let (report, ()) = tokio::join!(emission, remove);
        assert_eq!((report.delivered(), report.skipped()), (1, 1), "{setup:?}");
        assert_eq!(unpolled.await.skipped(), 1);
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_batch_is_registered_whole_or_not_at_all() {
    let signal = Signal::<u32>::new();
    let batch = signal.batch();
    for n in 0..10_000 {
        batch.listen().key(n.to_string()).on(async |_| {}).unwrap();
    }
    let withdrawn = batch.listen().on(async |_| {}).unwrap();
    withdrawn.remove();
    batch.commit().unwrap();
    assert_eq!(signal.len(), 10_000);
    assert!(signal.contains_key("9999"));

    let batch = signal.batch();
    batch.listen().key("fresh").on(async |_| {}).unwrap();
    batch.listen().key("77").on(async |_| {}).unwrap();
    assert!(matches!(batch.commit(), Err(RegisterError::DuplicateKey { key, .. }) if key == "77"));
    let batch = signal.batch();
    batch.listen().key("twice").on(async |_| {}).unwrap();
    batch.listen().key("twice").on(async |_| {}).unwrap();
    assert!(batch.commit().is_err());
    assert_eq!(signal.len(), 10_000);
    assert!(!signal.contains_key("fresh") && !signal.contains_key("twice"));
}

#[tokio::test]
async fn a_replacement_keeps_the_place_of_the_one_before() {
    let (signal, ledger) = (Signal::<u32>::new(), Ledger::default());
    for key in ["a", "b", "c"] {
        signal.listen().key(key).on(async |_| {}).unwrap();
    }
    let notes = ledger.clone();
    signal
        .listen()
        .key("b")
        .replace()
        .on(async move |_| notes.note("new b"))
        .unwrap();
    signal.listen().key("d").replace().on(async |_| {}).unwrap();
    assert_eq!(signal.keys(), ["a", "b", "c", "d"]);
    assert_eq!(signal.emit(1).await.delivered(), 4);
    assert_eq!(ledger.take(), ["new b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_swap_under_load_is_seen_as_one_or_the_other() {
    let signal = Signal::<u32>::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let swap = |signal: &Signal<u32>| {
        let calls = Arc::clone(&calls);
        signal
            .listen()
            .key("hot")
            .replace()
            .on(async move |_| {
                calls.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap()
    };
    swap(&signal);
    let stop = Arc::new(AtomicBool::new(false));
    let emitter = tokio::spawn({
        let (signal, stop) = (signal.clone(), Arc::clone(&stop));
        async move {
            let mut emissions = 0;
            while !stop.load(Ordering::Relaxed) {
                let report = signal.emit(1).await;
                assert_eq!((report.delivered(), report.listeners()), (1, 1));
                emissions += 1;
                tokio::task::yield_now().await;
            }
            emissions
        }
    });
    for _ in 0..2_000 {
        swap(&signal);
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(emitter.await.unwrap(), calls.load(Ordering::Relaxed));
    assert_eq!(signal.len(), 1);
}

#[test]
fn a_thousand_changes_against_a_thousand_readers_lose_nothing() {
    let signal = Signal::<u32>::new();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for writer in 0..4 {
            let signal = signal.clone();
            threads.push(scope.spawn(move || {
                for n in 0..250 {
                    let key = format!("{writer}-{n}");
                    signal.listen().key(key.clone()).on(async |_| {}).unwrap();
                    assert!(signal.contains_key(&key));
                    assert!(n % 2 == 0 || signal.remove(&key));
                }
            }));
        }
        for _ in 0..2 {
            threads.push(scope.spawn(|| {
                for _ in 0..1_000 {
                    let keys = signal.keys();
                    assert!(keys.len() <= 1_000);
                    signal.contains_key("3-0");
                }
            }));
        }
        crate::support::join(threads);
    });
    assert_eq!((signal.len(), signal.keys().len()), (500, 500));
}

/// Asks the signal in its drop: a deadlock if that ran under a lock.
struct AsksInDrop(Signal<u32>);

impl Drop for AsksInDrop {
    fn drop(&mut self) {
        self.0.len();
        self.0.on(async |_| {}).remove();
    }
}

#[test]
fn what_listeners_capture_is_dropped_under_no_lock() {
    let signal = Signal::<u32>::new();
    let listen = |key: &str, replace: bool| {
        let capture = Arc::new(AsksInDrop(signal.clone()));
        let builder = signal.listen().key(key);
        let builder = if replace { builder.replace() } else { builder };
        builder.on(async move |_| drop(capture))
    };
    listen("a", false).unwrap();
    assert!(listen("a", false).is_err());
    listen("a", true).unwrap();
    signal.remove("a");
    listen("b", false).unwrap();
    signal.clear();
    assert!(signal.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_fires_exactly_once_under_simultaneous_emissions() {
    for setup in setups() {
        for _ in 0..50 {
            let calls = Arc::new(AtomicUsize::new(0));
            let (signal, count) = (setup.builder::<u32>().build(), Arc::clone(&calls));
            signal
                .listen()
                .once()
                .on(async move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                })
                .unwrap();
            let emissions: Vec<_> = (0..32)
                .map(|n| {
                    let signal = signal.clone();
                    tokio::spawn(async move { signal.emit(n).await })
                })
                .collect();
            let mut delivered = 0;
            for emission in emissions {
                delivered += emission.await.unwrap().delivered();
            }
            assert_eq!(
                (delivered, calls.load(Ordering::Relaxed)),
                (1, 1),
                "{setup:?}"
            );
            assert!(signal.is_empty());
        }
    }
}

#[tokio::test]
async fn an_attempt_uses_a_budget_up_whatever_comes_of_it() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        signal
            .listen()
            .once()
            .on(async |_| panic!("on purpose"))
            .unwrap();
        signal
            .listen()
            .times(2)
            .on(async |_| Err::<(), _>("no"))
            .unwrap();
        let filtered = signal
            .listen()
            .once()
            .filter(|n| *n == 3)
            .on(async |_| {})
            .unwrap();
        assert_eq!(signal.emit(1).await.failed(), 2);
        assert_eq!(signal.emit(2).await.failed(), 1);
        assert_eq!(signal.len(), 1, "a filter spends nothing");
        assert_eq!(signal.emit(3).await.delivered(), 1);
        assert!(signal.is_empty() && filtered.is_removed());

        let never = signal
            .listen()
            .once()
            .on(async |_| panic!("removed before it fired"))
            .unwrap();
        never.remove();
        assert!(signal.emit(4).await.is_empty());
    }
}
