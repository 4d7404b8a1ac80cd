//! Histograms within their stated error, against an exact sort, and whole under many threads.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use fanfare::observe::Distribution;
use fanfare::{Bus, Dispatch, Metrics, Signal};
use futures::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::cases;

/// What takes longer counts as this: a nanosecond less than 2^40, 18 minutes.
const LONGEST: Duration = Duration::from_nanos((1 << 40) - 1);

/// Of every magnitude, each as likely as the others, the ends and what lies beyond included.
fn durations(most: usize) -> impl Strategy<Value = Vec<Duration>> {
    let duration = prop_oneof![
        8 => (0..44_u32, any::<u64>()).prop_map(|(bits, n)| Duration::from_nanos(n % (1 << bits))),
        1 => Just(Duration::ZERO),
        1 => Just(LONGEST),
        1 => Just(LONGEST + Duration::from_nanos(1)),
        1 => (19..1_000_u64).prop_map(|minutes| Duration::from_secs(60 * minutes)),
        1 => Just(Duration::MAX),
    ];
    vec(duration, 0..most)
}

/// What an exact sort has at this share.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few hundred durations"
)]
fn exact(sorted: &[Duration], quantile: f64) -> Duration {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted[rank.max(1) - 1]
}

fn of(durations: &[Duration]) -> Distribution {
    durations.iter().copied().collect()
}

fn counted(durations: &[Duration]) -> Vec<Duration> {
    let all = durations.iter();
    all.map(|duration| (*duration).min(LONGEST)).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_quantile_is_never_below_an_exact_sort_and_at_most_a_32nd_above(
        durations in durations(300),
        quantiles in vec(0.0..=1.0_f64, 8),
    ) {
        let read = of(&durations);
        let mut sorted = counted(&durations);
        sorted.sort();
        prop_assert_eq!(read.count(), sorted.len() as u64);
        prop_assert_eq!(read.sum(), sorted.iter().sum());
        prop_assert_eq!(read.max(), sorted.last().copied().unwrap_or_default());
        for quantile in quantiles.into_iter().chain([0.0, 0.5, 0.9, 0.99, 0.999, 1.0]) {
            let Some(said) = read.quantile(quantile) else {
                prop_assert!(sorted.is_empty());
                continue;
            };
            let exact = exact(&sorted, quantile);
            prop_assert!(said >= exact, "{}: {:?} for {:?}", quantile, said, exact);
            prop_assert!(said <= exact + exact / 32, "{}: {:?} for {:?}", quantile, said, exact);
            if exact < Duration::from_nanos(64) {
                prop_assert_eq!(said, exact);
            }
        }
    }

    #[test]
    fn buckets_have_what_falls_in_them(durations in durations(300)) {
        let durations = counted(&durations);
        let mut from = None;
        for bucket in of(&durations).buckets() {
            let inside = |at: &&Duration| from.is_none_or(|from| **at > from) && **at <= bucket.upper;
            prop_assert_eq!(bucket.count, durations.iter().filter(inside).count() as u64);
            from = Some(bucket.upper);
        }
        prop_assert!(durations.iter().max() <= from.as_ref());
    }

    #[test]
    fn merging_is_recording_all_of_them_in_any_order_and_since_takes_it_back(
        parts in vec(durations(60), 1..5),
    ) {
        let all = of(&parts.concat());
        let mut forwards = Distribution::default();
        for part in &parts {
            forwards.merge(&of(part));
        }
        let mut backwards = Distribution::default();
        for part in parts.iter().rev() {
            backwards.merge(&of(part));
        }
        prop_assert_eq!(&forwards, &all);
        prop_assert_eq!(&backwards, &all);

        let (first, rest) = (of(&parts[0]), of(&parts[1..].concat()));
        let since = all.since(&first);
        prop_assert_eq!((since.count(), since.sum()), (rest.count(), rest.sum()));
        prop_assert!(since.buckets().eq(rest.buckets()));
        prop_assert_eq!(all.since(&Distribution::default()), all.clone());
        prop_assert!(all.since(&all).is_empty());
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn what_is_recorded_is_what_was_slept(millis in vec(0..2_000_000_u64, 1..40)) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let slept: Vec<_> = millis.iter().copied().map(Duration::from_millis).collect();
        runtime.block_on(async {
            let signal = Signal::<Duration>::builder().metrics(Metrics::Timed).build();
            let sub = signal.on(sleep);
            for time in &slept {
                let _ = signal.emit(*time).await;
            }
            assert_eq!(sub.durations(), of(&slept));
            assert_eq!(signal.snapshot().durations, of(&slept));
        });
    }
}

/// Many emitters on several threads, while somebody else reads: each call and each emission is in a histogram, whether it is the listener's own or the one of those beyond the limit.
#[test]
fn no_call_is_lost_however_many_record_at_once() {
    const TASKS: u64 = 8;
    const EACH: u64 = 500;
    const LISTENERS: u64 = 4;
    let modes = [
        Dispatch::Concurrent,
        Dispatch::Sequential,
        Dispatch::Parallel,
    ];
    for mode in modes {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(4).enable_all().build().unwrap();
        // The histograms of two listeners, and none for the signal.
        let bus = Bus::builder()
            .dispatch(mode)
            .metrics(Metrics::Timed)
            .max_series(2)
            .build();
        for _ in 0..LISTENERS {
            bus.on(async |_: u64| {});
        }
        runtime.block_on(async {
            let mut emitters = JoinSet::new();
            for _ in 0..TASKS {
                let bus = bus.clone();
                emitters.spawn(async move {
                    for n in 0..EACH {
                        let _ = bus.emit(n).await;
                    }
                });
            }
            let mut before = 0;
            while let Some(ended) = emitters.join_next().await {
                ended.unwrap();
                let now = listeners(&bus);
                assert!(now >= before, "{mode}: it falls from {before} to {now}");
                before = now;
            }
        });
        assert_eq!(listeners(&bus), TASKS * EACH * LISTENERS, "{mode}");
        let snapshot = bus.snapshot();
        let others = &snapshot.other_listeners;
        assert_eq!(others.count(), TASKS * EACH * (LISTENERS - 2), "{mode}");
        let emissions = snapshot.signals[0].durations.count() + snapshot.other_emissions.count();
        assert_eq!(emissions, TASKS * EACH, "{mode}");
        let in_buckets: u64 = others.buckets().map(|bucket| bucket.count).sum();
        assert_eq!(in_buckets, others.count(), "{mode}");
        assert!(others.sum() >= others.max(), "{mode}");
    }
}

/// The first calls of all listeners, all at once, and as many histograms as there are listeners: each has its own, and none of its calls is among the others', not even while it is made.
#[test]
fn a_histogram_that_many_make_at_once_is_made_once() {
    const THREADS: usize = 4;
    const LISTENERS: usize = 2;
    for round in 0..400 {
        // One more is the signal's.
        let bus = Bus::builder()
            .metrics(Metrics::Timed)
            .max_series(LISTENERS + 1)
            .build();
        for _ in 0..LISTENERS {
            bus.on(async |_: u64| {});
        }
        let together = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    together.wait();
                    let _ = bus.emit(0_u64).now_or_never();
                });
            }
        });
        let snapshot = bus.snapshot();
        let calls = (THREADS * LISTENERS) as u64;
        assert_eq!(listeners(&bus), calls, "round {round}");
        assert_eq!(snapshot.other_listeners.count(), 0, "round {round}");
        assert_eq!(snapshot.other_emissions.count(), 0, "round {round}");
    }
}

/// The calls in all histograms of listeners.
fn listeners(bus: &Bus) -> u64 {
    let snapshot = bus.snapshot();
    let own = snapshot.signals.iter().flat_map(|it| &it.listeners);
    let own: u64 = own.map(|listener| listener.durations.count()).sum();
    own + snapshot.other_listeners.count()
}
