//! When a derived signal listens to its source, and when it lets go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare::{Bus, Dispatch, Kind, Pool, Signal, Window};

use super::record;
use crate::support::Captured;

#[tokio::test]
async fn a_source_has_a_link_while_somebody_listens() {
    let source = Signal::<u32>::new();
    let derived = source.filter(|_| true).map(|n| *n).inspect(|_| {});
    assert!(source.is_empty());
    let first = derived.on(async |_| {});
    assert_eq!(source.len(), 1);
    let second = derived.on(async |_| {});
    assert_eq!((source.len(), derived.len()), (1, 2));
    assert!(first.remove());
    assert_eq!(source.len(), 1);
    assert!(second.remove());
    assert!(source.is_empty() && derived.is_empty());
    derived.listen().key("k").on(async |_| {}).unwrap();
    assert_eq!((source.len(), derived.keys()), (1, vec!["k".to_owned()]));
    derived
        .listen()
        .key("k")
        .replace()
        .on(async |_| {})
        .unwrap();
    assert_eq!((source.len(), derived.len()), (1, 1));
    assert!(derived.remove("k"));
    assert!(source.is_empty());
    derived.on_sync(|_| {});
    assert_eq!(derived.clear(), 1);
    assert!(source.is_empty());
}

#[tokio::test]
async fn the_next_emission_reaches_who_has_come() {
    let source = Signal::<u32>::new();
    let derived = source.map(|n| n + 1);
    assert!(source.emit(1).await.is_empty());
    let log = record(&derived);
    assert_eq!(source.emit(2).await.delivered(), 1);
    assert_eq!(log.take(), [3]);
}

#[tokio::test]
async fn a_listener_that_is_spent_is_the_last_to_go() {
    let source = Signal::<u32>::new();
    let derived = source.window(Window::count(1)).map(|window| window[0]);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let once = async move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    };
    derived.listen().once().on(once).unwrap();
    for n in 0..3 {
        assert!(source.emit(n).await.is_ok());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(source.is_empty() && derived.is_empty());
}

#[tokio::test]
async fn a_derived_signal_that_is_dropped_lets_go_and_says_whom_it_leaves() {
    let (captured, _guard) = Captured::start();
    let source = Signal::<u32>::builder().name("source").build();
    let derived = source.filter(|_| true);
    let clone = derived.clone();
    clone.on(async |_| {});
    clone.on(async |_| {});
    drop(derived);
    assert_eq!(source.len(), 1, "a clone is left");
    assert!(captured.lines().is_empty());
    drop(clone);
    assert!(source.is_empty());
    let lines = captured.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["WARN", "source.filter", "listeners=2", "links.rs"] {
        assert!(lines[0].contains(part), "{lines:?}");
    }
    let quiet = source.filter(|_| true);
    quiet.on(async |_| {}).remove();
    drop(quiet);
    assert!(captured.lines().is_empty());
}

#[tokio::test]
async fn what_is_derived_keeps_its_source() {
    let source = Signal::<u32>::new();
    let weak = source.downgrade();
    let windows = source.window(Window::count(2));
    let sums = windows
        .map(|window| window.iter().sum::<u32>())
        .filter(|sum| *sum > 0);
    drop(windows);
    let log = record(&sums);
    assert_eq!(source.len(), 1);
    for n in 1..=4 {
        assert!(source.emit(n).await.is_ok());
    }
    assert_eq!(log.take(), [3, 7]);
    drop(source);
    assert!(weak.upgrade().is_some());
    drop(sums);
    assert!(weak.upgrade().is_none());
}

#[tokio::test]
async fn a_listener_of_a_derived_signal_is_dropped_with_it() {
    let source = Signal::<u32>::new();
    let held = Arc::new(());
    for build in [Signal::<u32>::new(), source.clone()] {
        let derived = build.map(|n| *n).window(Window::count(2));
        let inside = Arc::clone(&held);
        derived.on_sync(move |_| drop(Arc::clone(&inside)));
        let _ = build.emit(1).await;
        assert_eq!(Arc::strong_count(&held), 2);
        drop(derived);
        crate::support::settle().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

#[test]
fn a_link_says_where_the_derived_signal_was_made() {
    let source = Signal::<u32>::builder().name("orders").build();
    let next = line!() + 1;
    let derived = source.filter(|_| true).map(|n| *n);
    derived.on_sync(|_| {});
    assert_eq!(derived.name(), "orders.filter.map");
    let links = source.listeners();
    assert_eq!(links.len(), 1);
    let link = &links[0];
    assert_eq!((link.kind(), link.key()), (Kind::Derived, None));
    assert_eq!(Kind::Derived.to_string(), "derived");
    assert!(link.location().file().ends_with("links.rs"));
    assert_eq!(link.location().line(), next);
    assert_eq!(derived.listeners().len(), 1);
    assert!(derived.describe().to_string().contains("orders.filter.map"));
    assert!(format!("{derived:?}").contains("orders.filter.map"));
}

#[tokio::test]
async fn a_source_that_is_cleared_is_linked_to_again_by_the_next_listener() {
    let source = Signal::<u32>::new();
    let other = Signal::<u32>::new();
    let derived = source.merge(&other);
    let log = record(&derived);
    assert_eq!(source.clear(), 1);
    let _ = (source.emit(1).await, other.emit(2).await);
    let second = record(&derived);
    assert_eq!((source.len(), other.len()), (1, 1), "none is linked twice");
    let _ = (source.emit(3).await, other.emit(4).await);
    assert_eq!((log.take(), second.take()), (vec![2, 3, 4], vec![3, 4]));
}

#[tokio::test]
async fn it_inherits_the_options_of_its_source() {
    let failures = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&failures);
    let source = Signal::<u32>::builder()
        .pool(Pool::new(2))
        .dispatch(Dispatch::Sequential)
        .on_failure(move |_| {
            told.fetch_add(1, Ordering::SeqCst);
        })
        .build();
    let derived = source.map(|n| *n);
    let text = derived.describe().to_string();
    assert!(text.contains("dispatch: sequential"), "{text}");
    assert!(text.contains("pool: 2 permits"), "{text}");
    derived.try_on(async |_| Err("no".into()));
    assert_eq!(source.emit(1).await.failed(), 1);
    assert_eq!(
        failures.load(Ordering::SeqCst),
        2,
        "the listener, and the link to it"
    );
}

#[tokio::test]
async fn keys_of_the_source_keep_their_order_in_what_is_derived() {
    let source = Signal::<u32>::builder()
        .keyed_by(|n: &u32| n % 2)
        .lanes(4)
        .build();
    let derived = source.map(|n| *n);
    let text = derived.describe().to_string();
    assert!(text.contains("pool: none\n"), "{text}");
    let log = crate::support::Log::default();
    let seen = log.clone();
    derived.on(async move |n| {
        tokio::task::yield_now().await;
        seen.push(n);
    });
    for n in 0..20 {
        source.enqueue(n).await.unwrap();
    }
    assert!(
        source
            .shutdown(std::time::Duration::from_secs(1))
            .await
            .is_clean()
    );
    let all = log.take();
    for key in [0, 1] {
        let of_key: Vec<u32> = all.iter().copied().filter(|n| n % 2 == key).collect();
        assert!(of_key.is_sorted() && of_key.len() == 10, "{all:?}");
    }
}

#[tokio::test]
async fn signals_of_a_bus_can_be_derived_from() {
    let bus = Bus::new();
    let even = bus.signal::<u32>().filter(|n| n % 2 == 0);
    let log = record(&even);
    for n in 0..4_u32 {
        assert!(bus.emit(n).await.is_ok());
    }
    assert_eq!(log.take(), [0, 2]);
    drop(even);
    assert!(bus.signal::<u32>().is_empty());
}

/// Its drop comes back to the signal that it listened to.
struct Returns(fanfare::Derived<u32>);

impl Drop for Returns {
    fn drop(&mut self) {
        self.0.on_sync(|_| {}).remove();
    }
}

#[tokio::test]
async fn a_listener_whose_drop_registers_another_is_dropped_where_no_lock_is_held() {
    let source = Signal::<u32>::new();
    let derived = source.filter(|_| true);
    let returns = Returns(derived.clone());
    let sub = derived.on_sync(move |_| assert_eq!(returns.0.len(), 1));
    assert!(source.emit(1).await.is_ok());
    assert!(sub.remove());
    drop(sub);
    assert!(source.is_empty());
}
