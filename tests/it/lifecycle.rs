//! Listeners that come and go, as those are told who want to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use fanfare::{Bus, Dispatch, Kind, Lifecycle, Milestone, Signal, WeakSignal};
use proptest::prelude::*;

use crate::support::{Log, cases, join};

fn line(told: &Lifecycle) -> String {
    format!(
        "{} {} {}",
        told.key().unwrap_or("-"),
        told.milestone(),
        told.listeners()
    )
}

/// A signal, and what is told of it, each as "key milestone number-of-listeners".
fn observed() -> (Signal<u32>, Log<String>) {
    let log = Log::default();
    let sink = log.clone();
    let builder = Signal::builder().name("orders");
    let signal = builder.on_lifecycle(move |told| sink.push(line(told)));
    (signal.build(), log)
}

#[tokio::test]
async fn each_way_to_come_and_to_go_is_told_once() {
    let (signal, log) = observed();
    let said = |lines: &[&str]| assert_eq!(log.take(), lines);
    let with_key = |key| signal.listen().key(key);

    let a = with_key("a").on(async |_| {}).unwrap();
    let guard = with_key("b").on(async |_| {}).unwrap().scoped();
    said(&["a registered 1", "b registered 2"]);
    assert!(with_key("a").on(async |_| {}).is_err());
    drop(guard);
    said(&["b removed 1"]);
    with_key("a").replace().on(async |_| {}).unwrap();
    said(&["a replaced 1", "a registered 1"]);
    assert!(!a.remove());
    said(&[]);
    assert!(signal.remove("a"));
    assert!(!signal.remove("a"));
    said(&["a removed 0"]);

    with_key("once").once().on(async |_| {}).unwrap();
    with_key("twice").times(2).on(async |_| {}).unwrap();
    said(&["once registered 1", "twice registered 2"]);
    let _ = signal.emit(1).await;
    said(&["once spent 1"]);
    let _ = signal.emit(2).await;
    let _ = signal.emit(3).await;
    said(&["twice spent 0"]);

    signal.on(async |_| {});
    with_key("c").on(async |_| {}).unwrap();
    assert_eq!(signal.clear(), 2);
    said(&[
        "- registered 1",
        "c registered 2",
        "- cleared 0",
        "c cleared 0",
    ]);
    assert_eq!(signal.clear(), 0);
    said(&[]);
}

#[tokio::test]
async fn a_batch_is_told_with_the_number_of_all_and_one_that_fails_is_not() {
    let (signal, log) = observed();
    let batch = signal.batch();
    for key in ["a", "b", "c"] {
        let sub = batch.listen().key(key).on(async |_| {}).unwrap();
        if key == "b" {
            sub.remove();
        }
    }
    assert!(log.take().is_empty());
    batch.commit().unwrap();
    assert_eq!(log.take(), ["a registered 2", "c registered 2"]);

    let batch = signal.batch();
    for key in ["d", "c"] {
        batch.listen().key(key).on(async |_| {}).unwrap();
    }
    batch.commit().unwrap_err();
    assert!(log.take().is_empty());

    // The second of a key takes the place of the first in the same step.
    let batch = signal.batch();
    for _ in 0..2 {
        batch.listen().key("e").replace().on(async |_| {}).unwrap();
    }
    batch.commit().unwrap();
    assert_eq!(
        log.take(),
        ["e registered 3", "e replaced 3", "e registered 3"]
    );
}

#[tokio::test]
async fn all_that_is_known_of_a_listener_is_told() {
    let log = Log::default();
    let (of_bus, of_signal) = (log.clone(), log.clone());
    let bus = Bus::builder()
        .on_lifecycle(|_| panic!("an observer"))
        .on_lifecycle(move |told| of_bus.push(("bus", told.clone())))
        .signal::<u32>(move |signal| {
            signal
                .name("orders")
                .dispatch(Dispatch::Parallel)
                .on_lifecycle(move |told| of_signal.push(("signal", told.clone())))
        })
        .build();
    let before = std::time::SystemTime::now();
    let sub = bus.listen::<u32>().on_sync(|_| {}).unwrap();
    bus.on(async |_: String| {});
    let told = log.take();
    assert_eq!(
        told.iter().map(|it| it.0).collect::<Vec<_>>(),
        ["bus", "signal", "bus"]
    );
    let first = &told[0].1;
    assert_eq!((first.signal(), first.key()), ("orders", None));
    assert_eq!(first.listener_id(), sub.id());
    assert_eq!(first.location(), sub.location());
    assert_eq!(first.kind(), Kind::Sync);
    assert_eq!(first.dispatch(), Dispatch::Parallel);
    assert!(first.at() >= before);
    assert_eq!(
        first.to_string(),
        format!(
            "listener at {} of `orders` (parallel): registered, 1 listener",
            sub.location()
        )
    );
    assert_eq!(told[2].1.dispatch(), Dispatch::Concurrent);
}

#[tokio::test]
async fn what_leads_to_a_derived_signal_is_told_as_a_listener_of_its_kind() {
    let log = Log::default();
    let sink = log.clone();
    let signal = Signal::<u32>::builder()
        .name("orders")
        .on_lifecycle(move |told| {
            sink.push((told.signal().to_owned(), told.kind(), told.milestone()));
        })
        .build();
    let even = signal.filter(|n| n % 2 == 0);
    assert_eq!(log.len(), 0);
    let sub = even.on(async |_| {});
    let name = even.name().to_owned();
    let link = |milestone| ("orders".to_owned(), Kind::Derived, milestone);
    let listener = |milestone| (name.clone(), Kind::Async, milestone);
    assert_eq!(
        log.take(),
        [listener(Milestone::Registered), link(Milestone::Registered)]
    );
    sub.remove();
    assert_eq!(
        log.take(),
        [listener(Milestone::Removed), link(Milestone::Removed)]
    );
}

#[tokio::test]
async fn what_a_callback_changes_is_told_after_it_and_no_lock_is_held() {
    let log = Log::default();
    let sink = log.clone();
    let own: Arc<OnceLock<WeakSignal<u32>>> = Arc::default();
    let weak = Arc::clone(&own);
    let signal = Signal::<u32>::builder()
        .on_lifecycle(move |told| {
            let signal = weak.get().and_then(WeakSignal::upgrade).unwrap();
            sink.push(format!("begin {}", line(told)));
            if told.key() == Some("a") && told.milestone() == Milestone::Registered {
                assert_eq!(signal.len(), 1);
                signal.listen().key("b").on(async |_| {}).unwrap();
                signal.remove("a");
            }
            sink.push(format!("end {}", line(told)));
        })
        .build();
    own.set(signal.downgrade()).unwrap();
    signal.listen().key("a").on(async |_| {}).unwrap();
    assert_eq!(
        log.take(),
        [
            "begin a registered 1",
            "end a registered 1",
            "begin b registered 2",
            "end b registered 2",
            "begin a removed 1",
            "end a removed 1",
        ]
    );
}

/// What one thread does with the listeners.
#[derive(Clone, Copy, Debug)]
enum Act {
    Register,
    Once,
    Replace(u8),
    RemoveOwn,
    RemoveKey(u8),
    Emit,
    Clear,
}

fn acts() -> impl Strategy<Value = Vec<Vec<Act>>> {
    let act = prop_oneof![
        4 => Just(Act::Register),
        2 => Just(Act::Once),
        3 => (0..3_u8).prop_map(Act::Replace),
        4 => Just(Act::RemoveOwn),
        2 => (0..3_u8).prop_map(Act::RemoveKey),
        2 => Just(Act::Emit),
        1 => Just(Act::Clear),
    ];
    prop::collection::vec(prop::collection::vec(act, 0..30), 1..4)
}

fn act_all(signal: &Signal<u32>, acts: Vec<Act>) {
    let mut own = Vec::new();
    let key = |n: u8| format!("key-{n}");
    for act in acts {
        match act {
            Act::Register => own.push(signal.on(async |_| {})),
            Act::Once => own.push(signal.listen().once().on(async |_| {}).unwrap()),
            Act::Replace(n) => {
                let listen = signal.listen().key(key(n)).replace();
                own.push(listen.on(async |_| {}).unwrap());
            }
            Act::RemoveOwn => {
                if let Some(sub) = own.pop() {
                    sub.remove();
                }
            }
            Act::RemoveKey(n) => {
                signal.remove(&key(n));
            }
            Act::Emit => {
                let _ = futures::executor::block_on(signal.emit(1));
            }
            Act::Clear => {
                signal.clear();
            }
        }
    }
}

/// The numbers that are told follow from what is told, in the order in which it is.
fn check(told: &[Lifecycle], signal: &Signal<u32>) {
    let mut there: HashMap<u64, bool> = HashMap::new();
    let mut replaced = false;
    let mut cleared = None;
    for it in told {
        let known = there.get(&it.listener_id()).copied();
        let begins = it.milestone() == Milestone::Registered;
        assert_eq!(known, (!begins).then_some(true), "{it}");
        there.insert(it.listener_id(), begins);
        let len = there.values().filter(|there| **there).count();
        match it.milestone() {
            // The one that takes its place comes in the same step.
            Milestone::Replaced => assert_eq!(it.listeners(), len + 1, "{it}"),
            Milestone::Cleared => {
                let left = cleared.unwrap_or(len + 1) - 1;
                assert_eq!((it.listeners(), left), (0, len), "{it}");
                cleared = (left > 0).then_some(left);
            }
            _ => {
                assert_eq!(it.listeners(), len, "{it}");
                assert!(!replaced || begins, "{it}");
            }
        }
        replaced = it.milestone() == Milestone::Replaced;
    }
    assert!(cleared.is_none(), "a clearing takes all that are there");
    let len = there.values().filter(|there| **there).count();
    assert_eq!(len, signal.len());
    let stats = signal.stats();
    assert_eq!(stats.registrations(), there.len() as u64);
    assert_eq!(stats.removals(), (there.len() - len) as u64);
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn threads_are_told_of_in_the_order_of_their_changes_each_once(acts in acts()) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let signal = Signal::<u32>::builder()
            .on_lifecycle(move |it| sink.lock().unwrap().push(it.clone()))
            .build();
        std::thread::scope(|scope| {
            let spawn = |acts| {
                let signal = &signal;
                scope.spawn(move || act_all(signal, acts))
            };
            join(acts.into_iter().map(spawn).collect());
        });
        check(&told.lock().unwrap(), &signal);
    }
}
