//! What can be asked, and that it is exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fanfare::{Bus, Delivery, Dispatch, Emit, Kind, Outcome, Signal};

use crate::support::{Log, join, poll_once, setups, yield_once};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_exact_under_concurrent_emissions() {
    for setup in setups() {
        let signal = setup.builder::<u32>().on_failure(|_| {}).build();
        signal
            .listen()
            .key("mixed")
            .on(async |n| match n % 4 {
                0 => Err("error"),
                1 => panic!("on purpose"),
                2 => {
                    tokio::task::yield_now().await;
                    Ok(())
                }
                _ => Ok(()),
            })
            .unwrap();
        let emitters: Vec<_> = (0..4)
            .map(|_| {
                let signal = signal.clone();
                tokio::spawn(async move {
                    for n in 0..100 {
                        signal.emit(n).await;
                    }
                })
            })
            .collect();
        for emitter in emitters {
            emitter.await.unwrap();
        }
        let mixed = signal.metadata("mixed").unwrap();
        assert_eq!(
            (
                mixed.calls(),
                mixed.errors(),
                mixed.panics(),
                mixed.running()
            ),
            (400, 100, 100, 0)
        );
        let stats = signal.stats();
        assert_eq!((stats.emissions(), stats.count(Outcome::Done)), (400, 200));
        assert_eq!(
            (stats.count(Outcome::Failed), stats.count(Outcome::Panicked)),
            (100, 100)
        );
    }
}

#[tokio::test]
async fn metadata_says_everything_about_a_listener() {
    let before = SystemTime::now();
    let signal = Signal::<u32>::builder().name("orders").build();
    // The line of `listen`.
    let line = line!() + 2;
    let audit = signal
        .listen()
        .key("audit")
        .priority(3)
        .stage(2)
        .times(5)
        .on(async |_| Err::<(), _>("no"))
        .unwrap();
    let fresh = signal.metadata("audit").unwrap();
    assert_eq!(
        (fresh.signal(), fresh.key(), fresh.id()),
        ("orders", Some("audit"), audit.id())
    );
    assert_eq!(
        (
            fresh.priority(),
            fresh.stage(),
            fresh.times(),
            fresh.is_once()
        ),
        (3, 2, Some(5), false)
    );
    assert_eq!((fresh.kind(), fresh.location().line()), (Kind::Async, line));
    assert!(fresh.added_at() >= before && fresh.added_at() <= SystemTime::now());
    assert_eq!((fresh.last_called(), fresh.last_error()), (None, None));

    signal.emit(1).await;
    let called = audit.metadata();
    let ago = SystemTime::now()
        .duration_since(called.last_called().unwrap())
        .unwrap_or_default();
    assert!(ago < Duration::from_secs(3600));
    assert_eq!(
        (called.calls(), called.last_error()),
        (1, Some("failed: no"))
    );
    assert!(signal.metadata("nobody").is_none());
    assert!(
        signal
            .listen()
            .once()
            .on(async |_| {})
            .unwrap()
            .metadata()
            .is_once()
    );
}

#[test]
fn the_place_of_registration_is_the_callers_line() {
    let (signal, bus) = (Signal::<u32>::new(), Bus::new());
    let batch = signal.batch();
    let service = || tower::service_fn(async |_: Delivery| Ok::<_, fanfare::BoxError>(()));
    let first = line!() + 2;
    let places = [
        signal.on(async |_| {}),
        signal.try_on(async |_| Ok(())),
        signal.on_sync(|_| {}),
        signal.on_shared(async |_| {}),
        signal.on_blocking(|_| {}),
        signal.service(service()),
        signal.listen().on(async |_| {}).unwrap(),
        batch.listen().on(async |_| {}).unwrap(),
        bus.on(async |_: u32| {}),
        bus.try_on(async |_: u32| Ok(())),
        bus.on_sync(|_: &u32| {}),
        bus.on_shared(async |_: Arc<u32>| {}),
        bus.on_blocking(|_: u32| {}),
        bus.service::<u32, _>(service()),
        bus.listen::<u32>().on(async |_| {}).unwrap(),
    ];
    for (place, line) in places.iter().zip(first..) {
        let location = place.location();
        assert!(location.file().ends_with("introspection.rs"), "{location}");
        assert_eq!(location.line(), line);
    }
}

#[tokio::test]
async fn a_bus_knows_all_its_listeners() {
    let bus = Bus::builder()
        .signal::<u8>(|s| s.name("b"))
        .signal::<u16>(|s| s.name("a"))
        .build();
    assert!(bus.is_empty());
    bus.listen::<u8>().key("two").on(async |_| {}).unwrap();
    bus.listen::<u8>()
        .key("one")
        .priority(1)
        .on(async |_| {})
        .unwrap();
    bus.on(async |_: u16| {});
    assert_eq!((bus.len(), bus.listeners().len()), (3, 3));
    let pair = |signal: &str, key: &str| (signal.to_owned(), key.to_owned());
    assert_eq!(bus.keys(), [pair("b", "one"), pair("b", "two")]);
    let names: Vec<_> = bus
        .describe()
        .iter()
        .map(|d| d.signal().to_owned())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(bus.clear(), 3);
    assert!(bus.is_empty());
}

#[test]
fn the_future_of_an_emission_is_small_and_can_be_sent() {
    fn sent(emission: Emit<'_, u32>) -> impl Send {
        emission
    }
    let bus = Bus::new();
    bus.on(async |_: u32| {});
    let emission = bus.emit(1_u32);
    assert!(size_of_val(&emission) <= 512, "{}", size_of_val(&emission));
    drop(sent(emission));
}

#[test]
fn counts_are_exact_while_listeners_come_and_go() {
    const EMITTERS: u64 = 4;
    const EMISSIONS: u64 = 2_000;
    let signal = Signal::<u32>::new();
    let counted: Arc<Vec<AtomicU64>> = Arc::new((0..40).map(|_| AtomicU64::new(0)).collect());
    let listen = |n: usize| {
        let counted = Arc::clone(&counted);
        signal.on_sync(move |_| {
            counted[n].fetch_add(1, Ordering::Relaxed);
        })
    };
    let mut subs: Vec<_> = (0..10).map(&listen).collect();
    std::thread::scope(|scope| {
        let emit = || {
            for n in 0..EMISSIONS {
                let emission = signal.emit(0);
                if n % 10 == 0 {
                    drop(emission);
                } else {
                    futures::executor::block_on(emission);
                }
            }
        };
        let emitters: Vec<_> = (0..EMITTERS).map(|_| scope.spawn(emit)).collect();
        for n in 10..40 {
            subs.push(listen(n));
            subs[n - 10].remove();
            // Asking in between must change nothing.
            let _ = (signal.listeners(), signal.stats());
            std::thread::yield_now();
        }
        join(emitters);
    });
    for (sub, counted) in subs.iter().zip(counted.iter()) {
        assert_eq!(sub.metadata().calls(), counted.load(Ordering::Relaxed));
    }
    let all: u64 = counted
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum();
    let stats = signal.stats();
    assert_eq!(stats.emissions(), EMITTERS * EMISSIONS);
    assert_eq!(stats.count(Outcome::Done), all);
    assert_eq!(stats.registrations(), 40);
}

#[tokio::test]
async fn an_emission_counts_for_those_alone_that_it_called() {
    let signal = Signal::<u32>::builder().on_failure(|_| {}).build();
    let first = signal.on(async |_| yield_once().await);
    let filtered = signal.listen().filter(|n| *n > 1).on_sync(|_| ()).unwrap();
    let second = signal.listen().stage(1).on_sync(|_| ()).unwrap();
    let mut emission = Box::pin(signal.emit(1));
    assert!(poll_once(&mut emission).is_none());
    drop(emission);
    drop(signal.emit(2));
    signal.emit(3).await;
    let calls = [&first, &filtered, &second].map(|sub| sub.metadata().calls());
    assert_eq!(calls, [2, 1, 1]);
    assert_eq!(signal.stats().emissions(), 3);
}

#[tokio::test]
async fn an_emission_that_is_polled_late_sees_and_reports_what_was_there_when_it_was_made() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let listen = |name: &'static str, priority| {
        let log = log.clone();
        let listener = signal.listen().key(name).priority(priority);
        listener.on_sync(move |_| log.push(name)).unwrap()
    };
    let (a, b) = (listen("a", 3), listen("b", 2));
    listen("c", 1);
    let emission = signal.emit(1);
    b.remove();
    listen("late", 9);
    let line = log.clone();
    let replaces = signal.listen().key("c").replace();
    replaces
        .on_sync(move |_| line.push("c, the second"))
        .unwrap();
    a.remove();
    listen("a", 4);
    let report = emission.await;
    assert_eq!(log.take(), ["c, the second"]);
    let skipped: Vec<_> = report
        .entries()
        .iter()
        .map(|one| (one.key(), one.id()))
        .collect();
    assert_eq!(skipped, [(Some("a"), a.id()), (Some("b"), b.id())]);
    assert_eq!((report.delivered(), report.skipped()), (1, 2));
    assert_eq!(signal.emit(2).await.delivered(), 3);
}

#[tokio::test]
async fn a_count_is_exact_while_an_emission_of_an_earlier_list_goes_on() {
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| yield_once().await);
    let mut emission = Box::pin(signal.emit(1));
    assert!(poll_once(&mut emission).is_none());
    for expected in 1..3 {
        signal.on_sync(|_| {});
        assert_eq!(sub.metadata().calls(), expected);
        let _ = signal.emit(2).await;
    }
    assert!(emission.await.is_ok());
    assert_eq!(sub.metadata().calls(), 3);
}

#[tokio::test]
async fn an_emission_made_before_a_batch_was_committed_sees_none_of_it() {
    let signal = Signal::<u32>::new();
    let batch = signal.batch();
    let staged = batch.listen().on_sync(|_| ()).unwrap();
    signal.on_sync(|_| {});
    let emission = signal.emit(1);
    batch.commit().unwrap();
    assert_eq!(emission.await.listeners(), 1);
    assert_eq!(staged.metadata().calls(), 0);
    assert_eq!(signal.emit(2).await.listeners(), 2);
}

#[tokio::test]
async fn an_emission_that_is_polled_late_says_nothing_of_those_that_were_gone_before_it_was_made() {
    let signal = Signal::<u32>::new();
    signal.on_sync(|_| {}).remove();
    let removed_since = signal.on_sync(|_| {});
    let emission = signal.emit(1);
    removed_since.remove();
    signal.on_sync(|_| {}).remove();
    let report = emission.await;
    assert_eq!((report.listeners(), report.skipped()), (1, 1));
    assert_eq!(report.entries()[0].id(), removed_since.metadata().id());
}

#[tokio::test]
async fn a_listener_that_is_replaced_before_its_turn_leaves_the_call_to_its_successor() {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        signal.on(async |_| yield_once().await);
        let listen = |log: &Log<u32>| {
            let log = log.clone();
            let listener = signal.listen().stage(1).key("swapped").replace();
            listener.on_sync(move |n| log.push(*n)).unwrap()
        };
        let (before, after) = (Log::default(), Log::default());
        let old = listen(&before);
        let mut emission = Box::pin(signal.emit(1));
        assert!(poll_once(&mut emission).is_none());
        let new = listen(&after);
        assert!(emission.await.is_ok());
        assert_eq!((before.take(), after.take()), (vec![], vec![1]), "{mode}");
        let calls = [&old, &new].map(|sub| sub.metadata().calls());
        assert_eq!(calls, [0, 1], "{mode}");
        assert_eq!(signal.stats().count(Outcome::Done), 2, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_long_is_noted_as_called_by_its_later_polls() {
    const SECOND: Duration = Duration::from_secs(1);
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| {
        for _ in 0..100 {
            tokio::time::sleep(SECOND).await;
        }
    });
    let ago = || {
        let called = sub.metadata().last_called().unwrap();
        SystemTime::now().duration_since(called).unwrap_or_default()
    };
    let mut emission = Box::pin(signal.emit(1));
    assert!(poll_once(&mut emission).is_none());
    assert!(ago() < 50 * SECOND);
    let not_yet = tokio::time::timeout(99 * SECOND, &mut emission).await;
    assert!(not_yet.is_err());
    // One poll in 31 notes the time, and there was one a second.
    assert!(ago() < 50 * SECOND, "{:?}", ago());
}
