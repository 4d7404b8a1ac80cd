//! What a report says: causes, names, order, durations; and who is told.

use std::time::Duration;

use fanfare::{Bus, Cause, Dispatch, Outcome, Signal, Timing};
use tokio::time::sleep;

use crate::support::{Log, builders};

#[derive(Debug)]
struct Numbered(u32);

impl std::fmt::Display for Numbered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error number {}", self.0)
    }
}

impl std::error::Error for Numbered {}

#[tokio::test(start_paused = true)]
async fn sixteen_distinct_errors_are_reported_in_the_order_of_the_snapshot_fifty_times() {
    for (name, builder, _) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        let mut expected = Vec::new();
        for n in 0..16_u32 {
            let priority = i32::try_from(n % 4).unwrap();
            expected.push((-priority, n));
            let listener = async move |round: u32| {
                // Which ones suspend, and who ends first, is another in each round.
                let mixed = n.wrapping_mul(7).wrapping_add(round) % 5;
                if mixed > 0 {
                    sleep(Duration::from_millis(u64::from(mixed))).await;
                }
                Err::<(), _>(Numbered(n))
            };
            let listen = signal.listen().key(n.to_string()).priority(priority);
            listen.on(listener).unwrap();
        }
        expected.sort_unstable();
        for round in 0..50 {
            let report = signal.emit(round).await;
            assert_eq!(report.failed(), 16, "{name}");
            for (entry, (_, n)) in report.failures().zip(&expected) {
                assert_eq!(entry.key(), Some(&*n.to_string()), "{name}, round {round}");
                let error = entry.cause().error().unwrap();
                assert_eq!(error.downcast_ref::<Numbered>().unwrap().0, *n);
            }
            let error = report.into_result().unwrap_err().to_string();
            assert!(error.starts_with("16 of 16 listeners of `u32`"), "{error}");
            for n in 0..16 {
                let named = format!("`{n}` failed: error number {n}");
                assert!(error.contains(&named), "{error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_names_each_listener_and_says_what_it_did() {
    for (name, builder, _) in builders::<u32>() {
        let signal = builder.name("orders").on_failure(|_| {}).build();
        let nameless = signal.on(async |_| Err::<(), _>("broken"));
        signal.listen().key("ok").on(async |_| {}).unwrap();
        let panics = signal.listen().key("panics");
        panics.on(async |n| panic!("number {n}")).unwrap();
        let filtered = signal.listen().key("filtered").filter(|n| *n > 9);
        filtered.on(async |_| {}).unwrap();
        let hangs = signal.listen().key("hangs");
        hangs
            .on(async |_| std::future::pending::<()>().await)
            .unwrap();
        let late = signal.listen().key("late").stage(1);
        late.on(async |_| {}).unwrap();

        let report = signal.emit(7).timeout(Duration::from_secs(1)).await;
        let counts = Outcome::ALL.map(|outcome| report.count(outcome));
        assert_eq!(counts, [1, 1, 1, 1, 0, 1, 0, 1], "{name}: {report}");
        let [broken, panicked, filtered, hung, late] = report.entries() else {
            panic!("{name}: {report:?}");
        };
        assert_eq!((broken.key(), broken.id()), (None, nameless.id()));
        assert_eq!(broken.location().line(), nameless.location().line());
        assert!(broken.location().file().ends_with("results.rs"));
        assert_eq!(broken.cause().to_string(), "failed: broken");
        assert_eq!(panicked.key(), Some("panics"));
        assert_eq!(panicked.cause().panic_message(), Some("number 7"));
        assert_eq!(filtered.outcome(), Outcome::Skipped);
        assert_eq!(
            (hung.key(), hung.outcome()),
            (Some("hangs"), Outcome::TimedOut)
        );
        assert_eq!(hung.cause().to_string(), "timed out after 1s");
        assert_eq!(
            (late.key(), late.outcome()),
            (Some("late"), Outcome::Cancelled)
        );
        assert_eq!(late.signal(), "orders");
    }
}

#[tokio::test(start_paused = true)]
async fn durations_are_measured_where_the_documentation_says() {
    for (name, builder, _) in builders::<u32>() {
        for timing in [Timing::Auto, Timing::On] {
            let signal = builder.clone().timing(timing).on_failure(|_| {}).build();
            signal.on(async |_| Err::<(), _>("at once"));
            signal.on(async |_| {
                sleep(Duration::from_millis(30)).await;
                Err::<(), _>("later")
            });
            let text = signal.describe().to_string();
            let tasks = text.contains("dispatch: parallel");
            let report = signal.emit(1).await;
            let [at_once, later] = report.entries() else {
                panic!("{report:?}");
            };
            let measured = tasks || timing == Timing::On;
            assert_eq!(
                at_once.duration(),
                measured.then_some(Duration::ZERO),
                "{name}"
            );
            let slept = later.duration().expect("it suspended");
            assert_eq!(slept.as_millis(), 30, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_sinks_of_bus_and_signal_are_all_called_and_one_that_panics_stops_no_other() {
    let told = Log::default();
    let sink = |name: &'static str| {
        let told = told.clone();
        move |entry: &fanfare::ReportEntry| told.push((name, entry.to_string()))
    };
    let (second, third) = (sink("signal, second"), sink("signal, third"));
    let bus = Bus::builder()
        .signal::<u32>(|signal| {
            signal
                .on_failure(|_| panic!("in the sink"))
                .on_failure(second)
                .on_failure(third)
        })
        .on_failure(sink("bus"))
        .build();
    bus.listen::<u32>()
        .key("db")
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    let report = bus.emit(1_u32).await;
    assert_eq!(report.failed(), 1);
    let said = "`db` failed: down".to_owned();
    assert_eq!(
        told.take(),
        [
            ("bus", said.clone()),
            ("signal, second", said.clone()),
            ("signal, third", said)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn sinks_are_not_told_of_success_or_of_what_was_skipped() {
    let told = Log::default();
    let sink = told.clone();
    let signal = Signal::<u32>::builder()
        .on_failure(move |entry| sink.push(entry.to_string()))
        .build();
    signal.on(async |_| {});
    signal.listen().filter(|_| false).on(async |_| {}).unwrap();
    let report = signal.emit(1).await;
    assert_eq!((report.delivered(), report.skipped()), (1, 1));
    assert_eq!(told.len(), 0);
}

#[tokio::test]
async fn the_exact_counts_of_a_signal_and_its_listeners_add_up() {
    for dispatch in crate::support::MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(dispatch)
            .on_failure(|_| {})
            .build();
        let listener = async |n: u32| match n % 3 {
            0 => Ok(()),
            1 => Err("one"),
            _ => panic!("two"),
        };
        signal.listen().key("thirds").on(listener).unwrap();
        for n in 0..30 {
            let _ = signal.emit(n).await;
        }
        let stats = signal.stats();
        let counts =
            [Outcome::Done, Outcome::Failed, Outcome::Panicked].map(|one| stats.count(one));
        assert_eq!((stats.emissions(), counts), (30, [10, 10, 10]));
        let metadata = signal.metadata("thirds").unwrap();
        assert_eq!(
            (metadata.calls(), metadata.errors(), metadata.panics()),
            (30, 10, 10)
        );
        assert_eq!(metadata.last_error(), Some("panicked: two"), "{dispatch}");
    }
}

#[test]
fn a_parallel_emission_without_a_runtime_is_rejected_and_says_why() {
    let signal = Signal::<u32>::builder()
        .dispatch(Dispatch::Parallel)
        .on_failure(|_| {})
        .build();
    signal.on(async |_| {});
    let report = futures::executor::block_on(signal.emit(1));
    assert!(matches!(
        report.entries()[0].cause(),
        Cause::Rejected(fanfare::Rejection::NoRuntime)
    ));
}
