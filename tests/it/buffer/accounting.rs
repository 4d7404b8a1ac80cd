//! Every event is delivered, dropped and told, given back, or waits; and at ten times what the listener takes, those who wait until they are ready lose nothing.

use std::pin::pin;
use std::time::Duration;

use fanfare::{DropReason, EnqueueError, Outcome, Overflow, Signal, SignalBuilder};
use futures::FutureExt as _;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use super::{LONG, Slow};
use crate::support::{Gauge, settle};

#[derive(Clone, Copy, Debug)]
struct Make {
    overflow: Overflow,
    capacity: usize,
    lanes: usize,
    latest: bool,
    at_once: usize,
}

impl Make {
    fn builder(self) -> SignalBuilder<u32> {
        let builder = Signal::builder()
            .overflow(self.overflow)
            .buffer(self.capacity)
            .enqueue_concurrency(self.at_once);
        let builder = match self.lanes {
            1 => builder,
            lanes => builder.priorities(lanes, |n: &u32| (n % 7) as usize),
        };
        if self.latest {
            builder.latest_by(|n| n % 5)
        } else {
            builder
        }
    }
}

fn makes() -> impl Strategy<Value = Make> {
    let overflow = prop_oneof![
        Just(Overflow::Wait),
        Just(Overflow::WaitUpTo(Duration::from_millis(30))),
        Just(Overflow::Reject),
        Just(Overflow::DropOldest),
        Just(Overflow::DropNewest),
    ];
    (overflow, 1..6_usize, 1..4_usize, any::<bool>(), 1..3_usize).prop_map(
        |(overflow, capacity, lanes, latest, at_once)| Make {
            overflow,
            capacity,
            lanes,
            latest,
            at_once,
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Try,
    /// An `enqueue` that is given up after so many milliseconds, if it waits.
    Enqueue(u64),
    /// The same of one that waits until it is ready.
    Ready(u64),
    /// Is ready, keeps the room for a while, and does not use it.
    Keep(u64),
    Take(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Try),
        4 => (0..100_u64).prop_map(Step::Enqueue),
        4 => (0..100_u64).prop_map(Step::Ready),
        1 => (0..100_u64).prop_map(Step::Keep),
        6 => (1..4_usize).prop_map(Step::Take),
        2 => (1..50_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..80)
}

/// What came of an event, as its producer knows it.
#[derive(Debug, PartialEq)]
enum Came {
    Taken,
    GivenBack,
    /// Dropped with the future that had it.
    Left,
}

fn came(result: Result<(), EnqueueError<u32>>, event: u32) -> Came {
    match result {
        Ok(()) => Came::Taken,
        Err(refused) => {
            assert_eq!(refused.into_event(), event);
            Came::GivenBack
        }
    }
}

async fn until<F: Future>(millis: u64, future: F) -> Option<F::Output> {
    tokio::time::timeout(Duration::from_millis(millis), future)
        .await
        .ok()
}

async fn send(signal: Signal<u32>, step: Step, event: u32) -> Option<Came> {
    Some(match step {
        Step::Try => came(signal.try_enqueue(event), event),
        Step::Enqueue(millis) => match until(millis, signal.enqueue(event)).await {
            Some(result) => came(result, event),
            None => Came::Left,
        },
        Step::Ready(millis) => match until(millis, signal.ready()).await {
            Some(ready) => came(ready.unwrap().enqueue(event), event),
            None => Came::Left,
        },
        Step::Keep(millis) => {
            if let Ok(_ready) = signal.ready().await {
                sleep(Duration::from_millis(millis)).await;
            }
            return None;
        }
        Step::Take(_) | Step::Pass(_) => return None,
    })
}

async fn run(make: Make, steps: Vec<Step>) {
    let slow = Slow::new(make.builder());
    let mut sent = Vec::new();
    for (event, step) in (0..).zip(steps) {
        match step {
            Step::Take(events) => slow.take(events).await,
            Step::Pass(millis) => sleep(Duration::from_millis(millis)).await,
            step => sent.push(tokio::spawn(send(slow.signal.clone(), step, event))),
        }
        settle().await;
        let stats = slow.signal.stats();
        let waiting = slow.signal.buffered().0 as u64;
        let done = stats.emissions();
        let dropped = stats.dropped() - stats.dropped_by(DropReason::Newest);
        assert_eq!(stats.enqueued(), done + waiting + dropped, "{make:?}");
        assert!(waiting <= (make.capacity * make.lanes) as u64);
    }
    slow.permits.add_permits(1 << 20);
    let mut came = Vec::new();
    for sent in sent {
        came.extend(sent.await.unwrap());
    }
    // Whatever was lost on the way would be missing now.
    let room = slow.signal.buffered().1;
    let mut kept = Vec::new();
    settle().await;
    while let Some(ready) = slow.signal.ready().now_or_never() {
        kept.push(ready.unwrap());
        assert!(kept.len() <= make.capacity, "more than there were");
    }
    assert_eq!(kept.len(), make.capacity, "of {room}: {make:?}");
    drop(kept);
    let delivered = slow.finish().await.len() as u64;
    let dropped = slow.dropped.take();
    let count = |which: Came| came.iter().filter(|came| **came == which).count() as u64;
    let stats = slow.signal.stats();
    assert_eq!(
        count(Came::Taken),
        delivered + dropped.len() as u64,
        "{make:?}"
    );
    assert_eq!(count(Came::GivenBack), stats.refused(), "{make:?}");
    assert_eq!(stats.count(Outcome::Done), delivered);
    for reason in [
        DropReason::Oldest,
        DropReason::Newest,
        DropReason::Superseded,
        DropReason::Shutdown,
        DropReason::RuntimeEnded,
    ] {
        let told = dropped.iter().filter(|(_, why)| *why == reason).count() as u64;
        assert_eq!(stats.dropped_by(reason), told, "{reason}");
    }
    assert_eq!(stats.dropped(), dropped.len() as u64);
}

proptest! {
    #![proptest_config(crate::support::cases(64))]

    #[test]
    fn what_was_taken_is_delivered_dropped_or_waits_whatever_is_given_up_on_the_way(
        make in makes(),
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(make, steps));
    }
}

/// Ten producers, each as fast as the listener.
#[tokio::test(start_paused = true)]
async fn those_who_wait_until_they_are_ready_lose_nothing_at_ten_times_what_is_taken() {
    const EACH: u64 = 500;
    for overflow in [
        Overflow::Wait,
        Overflow::Reject,
        Overflow::DropOldest,
        Overflow::DropNewest,
    ] {
        for at_once in [1, 4] {
            let alive = Gauge::default();
            let signal = Signal::<u64>::builder()
                .buffer(100)
                .enqueue_concurrency(at_once)
                .overflow(overflow)
                .build();
            let count = alive.clone();
            signal.on(async move |_| {
                let _inside = count.enter();
                sleep(Duration::from_micros(1_000 * at_once as u64)).await;
            });
            let began = Instant::now();
            let producers = (0..10).map(|_| {
                let signal = signal.clone();
                tokio::spawn(async move {
                    for n in 0..EACH {
                        sleep(Duration::from_millis(1)).await;
                        signal.ready().await.unwrap().enqueue(n).unwrap();
                    }
                })
            });
            for producer in producers.collect::<Vec<_>>() {
                producer.await.unwrap();
            }
            assert!(signal.shutdown(LONG).await.is_clean());
            let stats = signal.stats();
            assert_eq!(stats.enqueued(), 10 * EACH, "{overflow:?}");
            assert_eq!(stats.count(Outcome::Done), 10 * EACH, "{overflow:?}");
            assert_eq!((stats.dropped(), stats.refused()), (0, 0), "{overflow:?}");
            // The listener was never without work.
            let needed = Duration::from_millis(10 * EACH);
            assert!(began.elapsed() < needed * 11 / 10, "{:?}", began.elapsed());
        }
    }
}

/// The same producers without it, for what it saves.
#[tokio::test(start_paused = true)]
async fn those_who_do_not_wait_are_refused_or_lose_events_and_each_is_counted() {
    for overflow in [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest] {
        let signal = Signal::<u64>::builder()
            .buffer(100)
            .overflow(overflow)
            .build();
        signal.on(async |_| sleep(Duration::from_millis(10)).await);
        for n in 0..10_000 {
            let _ = signal.try_enqueue(n);
            sleep(Duration::from_millis(1)).await;
        }
        let mut closing = pin!(signal.shutdown(LONG));
        assert!(closing.as_mut().await.is_clean());
        let stats = signal.stats();
        let sum = stats.count(Outcome::Done) + stats.dropped() + stats.refused();
        assert_eq!(sum, 10_000, "{overflow:?}");
        assert!(stats.count(Outcome::Done) < 1_200, "{overflow:?}");
    }
}
