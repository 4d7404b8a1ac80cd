//! What a signal keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Bus, One, Outcome, RegisterError, Signal, WeakSignal};

use super::{keeping, late};
use crate::support::{Captured, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_last_events_are_kept_whoever_listens_and_however_they_are_emitted() {
    let signal = keeping(3);
    assert_eq!((signal.last(), signal.history()), (None, vec![]));
    let _ = signal.emit(1).await;
    assert_eq!((signal.last(), signal.history()), (Some(1), vec![1]));
    signal.emit_detached(2).unwrap();
    signal.try_enqueue(3).unwrap();
    signal.enqueue(4).await.unwrap();
    settle().await;
    assert_eq!((signal.last(), signal.history()), (Some(4), vec![2, 3, 4]));
    // From its call on, whatever comes of it.
    drop(signal.emit(5));
    assert_eq!(signal.history(), [3, 4, 5]);
    assert!(Signal::<u32>::new().history().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sticky_signal_keeps_one() {
    let signal = Signal::<u32>::builder().sticky().build();
    for n in 0..3 {
        let _ = signal.emit(n).await;
    }
    assert_eq!((signal.last(), signal.history()), (Some(2), vec![2]));
}

#[tokio::test(start_paused = true)]
async fn keyed_events_nested_ones_and_those_that_follow_are_kept() {
    let bus = Bus::builder().replay(10).build();
    let numbers = bus.signal::<u32>();
    let nested = numbers.downgrade();
    bus.on(async move |n: u8| drop(nested.upgrade().unwrap().emit(n.into()).await));
    bus.follow(async |n: u16| One(u32::from(n)));
    bus.emit(1_u8).await.into_result().unwrap();
    bus.emit(2_u16).await.into_result().unwrap();
    assert_eq!(numbers.history(), [1, 2]);

    let keyed = Signal::<u32>::builder().keyed_by(|n| n % 2).replay(10);
    let keyed = keyed.build();
    for n in 0..4 {
        keyed.try_enqueue(n).unwrap();
    }
    settle().await;
    let mut kept = keyed.history();
    kept.sort_unstable();
    assert_eq!(kept, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_bus_keeps_the_events_of_signals_that_nobody_has_asked_for_yet() {
    let bus = Bus::builder().sticky().build();
    let _ = bus.emit(7_u32).await;
    bus.emit_detached(8_u64).unwrap();
    settle().await;
    assert_eq!(bus.signal::<u32>().last(), Some(7));
    assert_eq!(bus.signal::<u64>().last(), Some(8));
    let plain = Bus::new();
    let _ = plain.emit(7_u32).await;
    assert_eq!(
        (plain.unknown_events(), plain.signal::<u32>().last()),
        (1, None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_signal_keeps_what_it_has() {
    let signal = keeping(3);
    signal.try_enqueue(1).unwrap();
    assert!(signal.shutdown(SECOND).await.is_clean());
    assert!(signal.emit(2).await.is_closed());
    assert_eq!(signal.history(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_falls_out_is_dropped_then_and_no_later() {
    let signal = Signal::<Arc<()>>::builder().replay(2).build();
    let event = Arc::new(());
    for _ in 0..5 {
        let _ = signal.emit(Arc::clone(&event)).await;
    }
    assert_eq!(Arc::strong_count(&event), 3);
}

/// An event whose `Clone` registers a listener with a replay, which takes all locks there are, or panics.
struct Odd {
    signal: WeakSignal<Odd>,
    panics: bool,
    registered: Arc<AtomicUsize>,
}

impl Odd {
    fn register(&self) {
        if let Some(signal) = self.signal.upgrade() {
            self.registered.fetch_add(1, Ordering::Relaxed);
            signal.listen().replay().on_sync(|_| ()).unwrap().remove();
        }
    }
}

impl Clone for Odd {
    fn clone(&self) -> Self {
        assert!(!self.panics, "it cannot be cloned");
        self.register();
        Self {
            signal: self.signal.clone(),
            panics: false,
            registered: Arc::clone(&self.registered),
        }
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.register();
    }
}

#[tokio::test(start_paused = true)]
async fn no_code_of_an_event_runs_under_the_lock_and_its_panic_is_logged() {
    let (log, _guard) = Captured::start();
    let signal = Signal::<Odd>::builder().replay(1).build();
    let registered = Arc::new(AtomicUsize::new(0));
    let odd = |panics| Odd {
        signal: signal.downgrade(),
        panics,
        registered: Arc::clone(&registered),
    };
    for _ in 0..3 {
        let _ = signal.emit(odd(false)).await;
    }
    assert!(registered.load(Ordering::Relaxed) >= 5, "clones and drops");
    log.lines();
    signal.on_sync(|_| ());
    assert_eq!(signal.emit(odd(true)).await.delivered(), 1);
    let lines = log.lines();
    let told = |line: &String| line.contains("is not kept for late listeners");
    assert_eq!(
        lines.iter().filter(|line| told(line)).count(),
        1,
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn options_that_make_no_sense_are_refused_by_name() {
    for events in [0, 1_000_001] {
        let error = Signal::<u32>::builder().replay(events).try_build();
        let error = error.unwrap_err();
        assert_eq!(
            (error.option(), error.value()),
            ("replay", &*events.to_string())
        );
        let error = Bus::builder().replay(events).try_build().unwrap_err();
        assert_eq!(error.option(), "replay");
    }
    assert!(
        Signal::<u32>::builder()
            .replay(1_000_000)
            .try_build()
            .is_ok()
    );
    let (keeps, plain) = (keeping(3), Signal::<u32>::new());
    let refused = [
        (
            plain.listen().replay(),
            "replay",
            "on a signal that keeps nothing",
        ),
        (
            plain.listen().replay_last(1),
            "replay_last",
            "on a signal that keeps nothing",
        ),
        (keeps.listen().replay_last(0), "replay_last", "0"),
        (
            keeps.listen().replay_last(1_000_001),
            "replay_last",
            "1000001",
        ),
        (
            keeps.listen().replay_last(usize::MAX),
            "replay_last",
            "18446744073709551615",
        ),
        (
            keeps.listen().replay().replace(),
            "replay",
            "with `replace`",
        ),
        (plain.listen().hold_until_ready(0), "hold_until_ready", "0"),
        (
            plain.listen().hold_until_ready((1 << 24) + 1),
            "hold_until_ready",
            "16777217",
        ),
    ];
    for (listen, option, value) in refused {
        let error = match listen.on(async |_| {}).unwrap_err() {
            RegisterError::Option(error) => error,
            other => panic!("{other}"),
        };
        assert_eq!(error.option(), option);
        assert!(error.value().ends_with(value), "{error}");
    }
    assert!(plain.is_empty() && keeps.is_empty());
    keeps
        .listen()
        .replay_last(1_000_000)
        .on(async |_| {})
        .unwrap();
    plain
        .listen()
        .hold_until_ready(1 << 24)
        .on(async |_| {})
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_counts_of_a_replay_are_those_of_any_other_call() {
    let signal = keeping(3);
    for n in 0..3 {
        let _ = signal.emit(n).await;
    }
    let (log, sub) = late(&signal);
    settle().await;
    assert_eq!(log.take(), [0, 1, 2]);
    let stats = signal.stats();
    assert_eq!((stats.emissions(), stats.count(Outcome::Done)), (3, 3));
    assert_eq!((sub.metadata().calls(), sub.metadata().held()), (3, 0));
}
