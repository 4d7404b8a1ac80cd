//! Switches under load: whatever is switched when, every event is accounted for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fanfare::{Cause, Outcome, Pause, Pool, Rejection, Signal, SignalBuilder, Skip};
use tokio::task::yield_now;

use crate::support::Log;

const EMITTERS: u64 = 2;

/// What the reports of one emitter say of the one listener.
#[derive(Default)]
struct Told {
    delivered: u64,
    deferred: u64,
    skipped: u64,
    full: u64,
}

impl Told {
    fn add(&mut self, report: &fanfare::Report) {
        match report.entries().first().map(fanfare::ReportEntry::cause) {
            None => self.delivered += 1,
            Some(Cause::Deferred) => self.deferred += 1,
            Some(Cause::Skipped(Skip::Disabled | Skip::Paused)) => self.skipped += 1,
            Some(Cause::Rejected(Rejection::HoldFull { .. })) => self.full += 1,
            Some(other) => panic!("{other}"),
        }
    }
}

/// So many changes, one after another, with the emitters in between. A replacement is another listener, which notes its events in the same place.
async fn switch(
    signal: Signal<u64>,
    seen: Log<u64>,
    changes: u64,
    load: Arc<(AtomicBool, AtomicU64)>,
) -> u64 {
    let (done, emitted) = &*load;
    let mut effective = 0;
    for n in 0..changes {
        effective += u64::from(
            match n % 10 {
                0 | 5 => signal.pause("it", Pause::until_resumed().buffer(50)),
                1 | 6 => signal.resume("it"),
                2 => signal.disable("it"),
                3 | 8 => signal.enable("it"),
                4 => signal.pause("it", Duration::from_micros(n % 3_000)),
                7 => signal.pause(
                    "it",
                    Pause::for_time(Duration::from_micros(n % 2_000)).buffer(20),
                ),
                _ if n % 40 == 9 => {
                    add(&signal, &seen);
                    Ok(true)
                }
                _ => signal.enable("it"),
            }
            .unwrap(),
        );
        // In each state in turn, an event is emitted.
        if n % 3 == 0 {
            let before = emitted.load(Ordering::SeqCst);
            while emitted.load(Ordering::SeqCst) <= before + EMITTERS {
                yield_now().await;
            }
        }
    }
    let _ = signal.enable("it");
    done.store(true, Ordering::SeqCst);
    effective
}

/// A listener that notes its events, each in its own time.
fn add(signal: &Signal<u64>, seen: &Log<u64>) {
    let seen = seen.clone();
    let listen = signal.listen().key("it").replace();
    let it = async move |n: u64| {
        if n % 3 == 0 {
            yield_now().await;
        }
        seen.push(n);
    };
    listen.on(it).unwrap();
}

async fn every_event_is_accounted_for(builder: SignalBuilder<u64>, changes: u64) {
    let observed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&observed);
    let signal = builder
        .on_change(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .on_failure(|_| {})
        .build();
    let log = Log::default();
    add(&signal, &log);
    let load = Arc::new((AtomicBool::new(false), AtomicU64::new(0)));
    let emitters: Vec<_> = (0..EMITTERS)
        .map(|emitter| {
            let (signal, load) = (signal.clone(), Arc::clone(&load));
            tokio::spawn(async move {
                let mut told = Told::default();
                let mut emitted = 0;
                while !load.0.load(Ordering::SeqCst) || emitted < 100 {
                    told.add(&signal.emit(emitted * EMITTERS + emitter).await);
                    emitted += 1;
                    load.1.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                }
                (emitted, told)
            })
        })
        .collect();
    let switcher = switch(signal.clone(), log.clone(), changes, load);
    let effective = tokio::spawn(switcher).await.unwrap();
    let mut sum = Told::default();
    let mut all = Vec::new();
    for (emitter, task) in (0..).zip(emitters) {
        let (emitted, told) = task.await.unwrap();
        all.extend((0..emitted).map(|n| n * EMITTERS + emitter));
        sum.delivered += told.delivered;
        sum.deferred += told.deferred;
        sum.skipped += told.skipped;
        sum.full += told.full;
    }
    assert!(signal.shutdown(Duration::from_secs(60)).await.is_clean());

    let mut seen = log.take();
    let deliveries = seen.len() as u64;
    assert_eq!(
        deliveries,
        sum.delivered + sum.deferred,
        "delivered at once or later"
    );
    let emitted = all.len() as u64;
    assert_eq!(deliveries + sum.skipped + sum.full, emitted, "none is lost");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len() as u64, deliveries, "none is doubled");
    let stats = signal.stats();
    assert_eq!(stats.emissions(), emitted);
    assert_eq!(stats.count(Outcome::Done), deliveries);
    assert_eq!(stats.count(Outcome::Deferred), sum.deferred);
    assert_eq!(stats.count(Outcome::Skipped), sum.skipped);
    assert_eq!(stats.count(Outcome::Rejected), sum.full);
    assert_eq!(signal.metadata("it").unwrap().held(), 0);
    assert!(
        sum.delivered > 0 && sum.deferred > 0 && sum.skipped > 0,
        "each way was taken"
    );
    assert!(effective > changes / 4 && observed.load(Ordering::Relaxed) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn switches_under_load_lose_and_double_nothing() {
    every_event_is_accounted_for(Signal::builder(), 5_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn switches_under_load_lose_and_double_nothing_on_a_pool() {
    every_event_is_accounted_for(Signal::builder().pool(Pool::new(2)), 2_000).await;
}

/// One listener for good: its own counts are exact too, and its events come in the order of their emitter.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn pauses_under_load_keep_the_order_of_an_emitter() {
    let signal = Signal::<u64>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on(async move |n: u64| {
        if n % 7 == 0 {
            yield_now().await;
        }
        seen.push(n);
    });
    let done = Arc::new(AtomicBool::new(false));
    let (emits, ended) = (signal.clone(), Arc::clone(&done));
    let task = tokio::spawn(async move {
        let mut emitted = 0;
        while !ended.load(Ordering::SeqCst) || emitted < 100 {
            let report = emits.emit(emitted).await;
            assert!(report.is_ok(), "{report:?}");
            emitted += 1;
            yield_now().await;
        }
        emitted
    });
    for _ in 0..2_000 {
        sub.pause(super::holding(1 << 24)).unwrap();
        yield_now().await;
        sub.resume();
        yield_now().await;
    }
    done.store(true, Ordering::SeqCst);
    let emitted = task.await.unwrap();
    assert!(signal.shutdown(Duration::from_secs(60)).await.is_clean());
    assert_eq!(log.take(), (0..emitted).collect::<Vec<_>>());
    assert_eq!(sub.metadata().calls(), emitted);
    assert_eq!(signal.stats().emissions(), emitted);
}
