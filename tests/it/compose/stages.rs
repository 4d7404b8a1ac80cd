//! What comes through the stages that remember nothing, and what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{
    Cause, Dispatch, EmitError, OneOf2, OneOf3, OneOf4, OneOf5, OneOf6, Outcome, Pool, Signal,
};

use super::record;
use crate::support::{poll_once, setups};

/// An event that counts its clones.
struct Counted(u32, Arc<AtomicUsize>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.1.fetch_add(1, Ordering::SeqCst);
        Self(self.0, Arc::clone(&self.1))
    }
}

#[tokio::test]
async fn each_stage_does_what_its_name_says_in_every_mode() {
    for setup in setups() {
        let source = setup.builder::<u32>().build();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let chain = source
            .filter(|n| n % 2 == 0)
            .inspect(move |n| {
                count.fetch_add(*n as usize, Ordering::SeqCst);
            })
            .map(|n| n + 1)
            .filter_map(|n| (n % 3 == 0).then(|| n.to_string()));
        let log = record(&chain);
        for n in 0..10 {
            let report = source.emit(n).await;
            assert_eq!((report.delivered(), report.listeners()), (1, 1));
        }
        assert_eq!(log.take(), ["3", "9"], "{setup:?}");
        assert_eq!(seen.load(Ordering::SeqCst), 20, "{setup:?}");
        assert_eq!(chain.stats().emissions(), 2);
        assert_eq!(chain.held_back(), 0);
    }
}

#[tokio::test]
async fn what_is_filtered_out_is_not_cloned_and_the_last_is_moved() {
    for mode in [
        Dispatch::Concurrent,
        Dispatch::Sequential,
        Dispatch::Parallel,
    ] {
        let clones = Arc::new(AtomicUsize::new(0));
        let source = Signal::<Counted>::builder().dispatch(mode).build();
        let none = source.filter(|event| event.0 > 100).filter(|_| true);
        none.on_sync(|_| {});
        let first = source.filter(|event| event.0 > 50);
        first.on_sync(|_| {});
        let emit = async |n| {
            assert!(source.emit(Counted(n, Arc::clone(&clones))).await.is_ok());
            clones.swap(0, Ordering::SeqCst)
        };
        assert_eq!(emit(1).await, 0);
        let expected = usize::from(mode == Dispatch::Parallel);
        assert_eq!(emit(60).await, expected, "the last link owns its event");
    }
}

#[tokio::test]
async fn an_emission_waits_for_the_listeners_of_what_is_derived() {
    for setup in setups() {
        let source = setup.builder::<u32>().build();
        let derived = source.map(|n| *n).filter(|_| true);
        let done = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&done);
        derived.on(async move |_| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            count.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(source.emit(1).await.delivered(), 1);
        assert_eq!(done.load(Ordering::SeqCst), 1, "{setup:?}");
    }
}

#[tokio::test]
async fn a_listener_that_fails_is_named_by_the_failure_of_the_link() {
    let source = Signal::<u32>::new();
    let derived = source.map(|n| *n);
    let failing = |key: &'static str| {
        derived
            .listen()
            .key(key)
            .try_on(async |_| Err("no room".into()))
    };
    failing("db").unwrap();
    derived.on(async |_| {});
    let report = source.emit(1).await;
    assert_eq!((report.count(Outcome::Failed), report.listeners()), (1, 1));
    let failure = report.failures().next().unwrap();
    assert!(failure.location().file().ends_with("stages.rs"));
    let error = failure.cause().error().unwrap().downcast_ref::<EmitError>();
    assert_eq!(error.unwrap().report().delivered(), 1);
    let text = failure.cause().to_string();
    assert!(text.contains("`db` failed: no room"), "{text}");
}

#[tokio::test]
async fn a_stage_that_panics_has_the_link_panic_and_nobody_else() {
    let source = Signal::<u32>::new();
    let derived = source.map(|n| assert_ne!(*n, 1, "one"));
    derived.on(async |()| {});
    let other = source.filter(|_| true);
    let log = record(&other);
    let report = source.emit(1).await;
    assert_eq!(report.count(Outcome::Panicked), 1);
    let cause = report.failures().next().unwrap().cause();
    assert!(matches!(cause, Cause::Panicked(text) if text.contains("one")));
    assert!(source.emit(2).await.is_ok());
    assert_eq!(log.take(), [1, 2]);
}

#[tokio::test]
async fn dropping_an_emission_cancels_what_is_derived() {
    let source = Signal::<u32>::new();
    let derived = source.map(|n| *n);
    derived.on(async |_| std::future::pending::<()>().await);
    let mut emission = Box::pin(source.emit(1));
    assert!(poll_once(&mut emission).is_none());
    drop(emission);
    assert_eq!(derived.stats().count(Outcome::Cancelled), 1);
    assert_eq!(source.stats().count(Outcome::Cancelled), 1);
}

#[tokio::test]
async fn a_pool_of_one_is_enough_for_a_chain() {
    let source = Signal::<u32>::builder().pool(Pool::new(1)).build();
    let derived = source
        .map(|n| *n)
        .window(fanfare::Window::count(1))
        .map(|w| w[0]);
    let log = record(&derived);
    assert!(source.emit(1).await.is_ok());
    assert_eq!(log.take(), [1]);
}

#[tokio::test]
async fn a_merge_has_the_events_of_all_and_waits_for_its_listeners() {
    let [a, b, c] = [(); 3].map(|()| Signal::<u32>::new());
    let merged = a.merge(b.map(|n| n * 10)).merge_all([&c, &c]);
    assert_eq!(merged.name(), "u32.merge.merge");
    let log = record(&merged);
    assert_eq!((a.len(), b.len(), c.len()), (1, 1, 2));
    for (n, signal) in [&a, &b, &c].into_iter().enumerate() {
        assert!(signal.emit(u32::try_from(n).unwrap() + 1).await.is_ok());
    }
    assert_eq!(log.take(), [1, 20, 3, 3]);
    drop(merged);
    assert!(a.is_empty() && b.is_empty() && c.is_empty());
}

#[tokio::test]
async fn a_partition_has_each_event_in_its_part() {
    let source = Signal::<u32>::builder().name("n").build();
    let (small, large) = source.partition(|n| match n {
        0..10 => OneOf2::A(u8::try_from(*n).unwrap()),
        _ => OneOf2::B(n.to_string()),
    });
    assert_eq!(
        (small.name(), large.name()),
        ("n.partition.1", "n.partition.2")
    );
    let small = record(&small).take_with(small);
    assert_eq!(source.len(), 1, "the other part is not listened to");
    let large = record(&large).take_with(large);
    for n in [3, 30, 4] {
        assert!(source.emit(n).await.is_ok());
    }
    assert_eq!(small.0.take(), [3, 4]);
    assert_eq!(large.0.take(), ["30"]);
}

#[tokio::test]
async fn a_partition_may_have_up_to_six_parts() {
    let source = Signal::<u32>::new();
    let (a, b, c) = source.partition(|n| match n % 3 {
        0 => OneOf3::A(*n),
        1 => OneOf3::B(*n),
        _ => OneOf3::C(*n),
    });
    let four = source.partition(|n| match n % 4 {
        0 => OneOf4::A(*n),
        1 => OneOf4::B(*n),
        2 => OneOf4::C(*n),
        _ => OneOf4::D(*n),
    });
    let five = source.partition(|n| match n % 5 {
        0 => OneOf5::A(*n),
        1 => OneOf5::B(*n),
        2 => OneOf5::C(*n),
        3 => OneOf5::D(*n),
        _ => OneOf5::E(*n),
    });
    let six = source.partition(|n| match n % 6 {
        0 => OneOf6::A(*n),
        1 => OneOf6::B(*n),
        2 => OneOf6::C(*n),
        3 => OneOf6::D(*n),
        4 => OneOf6::E(*n),
        _ => OneOf6::F(*n),
    });
    let parts = [
        vec![a, b, c],
        vec![four.0, four.1, four.2, four.3],
        vec![five.0, five.1, five.2, five.3, five.4],
        vec![six.0, six.1, six.2, six.3, six.4, six.5],
    ];
    for parts in parts {
        let logs: Vec<_> = parts.iter().map(record).collect();
        for n in 0..60 {
            assert!(source.emit(n).await.is_ok());
        }
        let of = u32::try_from(parts.len()).unwrap();
        for (part, log) in (0..).zip(logs) {
            let expected: Vec<u32> = (0..60).filter(|n| n % of == part).collect();
            assert_eq!(log.take(), expected);
        }
    }
}

trait With<T>: Sized {
    fn take_with(self, other: T) -> (Self, T);
}

impl<L, T> With<T> for L {
    fn take_with(self, other: T) -> (Self, T) {
        (self, other)
    }
}

#[tokio::test]
async fn listeners_of_every_kind_can_listen() {
    let source = Signal::<u32>::new();
    let derived = source.map(ToString::to_string);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = || {
        let calls = Arc::clone(&calls);
        move || {
            calls.fetch_add(1, Ordering::SeqCst);
        }
    };
    let [owned, fallible, borrowed, shared, blocking] = [(); 5].map(|()| count());
    derived.on(async move |_| owned());
    derived.try_on(async move |text| {
        let _: u32 = text.parse()?;
        fallible();
        Ok(())
    });
    derived.on_sync(move |_| borrowed());
    derived.on_shared(async move |_| shared());
    let listen = derived.listen().stage(1);
    listen.on_blocking(move |_| blocking()).unwrap();
    assert!(source.emit(1).await.is_ok());
    assert_eq!(calls.load(Ordering::SeqCst), 5);
}
