//! What collectors are told.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use fanfare::layer::CircuitBreaker;
use fanfare::observe::{Collector, Distribution, Family, Label, Snapshot, Total, collect_all};
use fanfare::{Bus, Metrics, Pool, Signal};

/// Each series, in the order in which they came.
#[derive(Default)]
pub(super) struct Told {
    series: Vec<(&'static str, String)>,
    values: BTreeMap<String, f64>,
    histograms: BTreeMap<String, Distribution>,
    most: Option<usize>,
}

impl Told {
    fn of(snapshots: &[Snapshot]) -> Self {
        Self::with(snapshots, None)
    }

    fn with(snapshots: &[Snapshot], most: Option<usize>) -> Self {
        let mut told = Self {
            most,
            ..Self::default()
        };
        collect_all(snapshots, &mut told);
        told
    }

    /// The value of a series, as in `emissions_total bus u32`.
    fn value(&self, series: &str) -> Option<f64> {
        self.values.get(series).copied()
    }

    fn names(&self, family: &str) -> Vec<&str> {
        let all = self.series.iter().filter(|(name, _)| *name == family);
        all.map(|(_, series)| &**series).collect()
    }

    fn put(&mut self, family: &Family, labels: &[Label<'_>]) -> String {
        let labels = labels.iter().map(|(_, value)| format!(" {value}"));
        let name = family.name.strip_prefix("fanfare_").unwrap();
        let series = format!("{name}{}", labels.collect::<String>());
        self.series.push((name, series.clone()));
        series
    }
}

impl Collector for Told {
    fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total) {
        let series = self.put(family, labels);
        assert!(self.values.insert(series, value.as_f64()).is_none());
    }

    fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
        let series = self.put(family, labels);
        assert!(self.values.insert(series, value).is_none());
    }

    fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution) {
        let series = self.put(family, labels);
        assert!(self.histograms.insert(series, value.clone()).is_none());
    }

    fn max_listeners(&self) -> usize {
        self.most.unwrap_or(1_000)
    }
}

fn millis(durations: impl IntoIterator<Item = u64>) -> Distribution {
    durations.into_iter().map(Duration::from_millis).collect()
}

async fn emit(bus: &Bus, times: usize) {
    for _ in 0..times {
        let _ = bus.emit(1_u32).await;
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_of_one_label_are_one_series() {
    let bus = Bus::new();
    for n in 0..3 {
        bus.on(async move |_: u32| assert!(n != 1, "on purpose"));
    }
    emit(&bus, 2).await;
    let mut snapshot = bus.snapshot();
    let label = snapshot.signals[0].listeners[0].label.clone();
    assert!(label.starts_with("tests/it/export/collect.rs:"), "{label}");
    for (n, listener) in (1..).zip(&mut snapshot.signals[0].listeners) {
        listener.durations = millis([n, 10 * n]);
    }
    let told = Told::of(&[snapshot]);
    let series = format!("listener_calls_total bus u32 {label}");
    assert_eq!(told.names("listener_calls_total"), [&*series]);
    assert_eq!(told.value(&series), Some(6.0));
    let panics = format!("listener_panics_total bus u32 {label}");
    assert_eq!(told.value(&panics), Some(2.0));
    let enabled = format!("listener_enabled bus u32 {label}");
    assert_eq!(told.value(&enabled), Some(3.0));
    let durations = format!("listener_duration_seconds bus u32 {label}");
    assert_eq!(told.histograms[&durations], millis([1, 2, 3, 10, 20, 30]));
}

#[tokio::test]
async fn signals_of_one_name_and_buses_of_one_name_are_one_series() {
    let bus = || {
        Bus::builder()
            .signal::<u32>(|signal| signal.name("numbers"))
            .signal::<u64>(|signal| signal.name("numbers"))
            .build()
    };
    let (one, two) = (bus(), bus());
    for bus in [&one, &two] {
        bus.on(async |_: u32| {});
        bus.on(async |_: u64| {});
        emit(bus, 1).await;
        let _ = bus.emit(1_u64).await;
        let _ = bus.emit("unknown").await;
    }
    let told = Told::of(&[one.snapshot(), two.snapshot()]);
    assert_eq!(told.value("emissions_total bus numbers"), Some(4.0));
    assert_eq!(told.value("unknown_events_total bus"), Some(2.0));
    assert_eq!(
        told.value("registrations_total bus numbers concurrent"),
        Some(4.0)
    );
    assert_eq!(told.value("outcomes_total bus numbers done"), Some(4.0));
}

#[test]
fn what_is_called_other_is_one_series_with_the_others() {
    let bus = Bus::builder()
        .signal::<u32>(|signal| signal.name("other"))
        .build();
    let _ = bus.listen::<u32>().key("other").on(async |_| {}).unwrap();
    let mut snapshot = bus.snapshot();
    snapshot.signals[0].durations = millis([1]);
    snapshot.signals[0].waits.turn = millis([2]);
    snapshot.signals[0].listeners[0].durations = millis([3]);
    snapshot.other_emissions = millis([10]);
    snapshot.other_waits.turn = millis([20]);
    snapshot.other_waits.limit = millis([25]);
    snapshot.other_listeners = millis([30]);
    let told = Told::of(&[snapshot]);
    let expected = [
        ("emission_duration_seconds bus other", millis([1, 10])),
        ("listener_duration_seconds bus other other", millis([3, 30])),
        ("wait_duration_seconds bus other limit", millis([25])),
        ("wait_duration_seconds bus other turn", millis([2, 20])),
    ];
    let expected = expected.map(|(series, durations)| (series.to_owned(), durations));
    assert_eq!(told.histograms, BTreeMap::from(expected));
}

#[tokio::test]
async fn the_series_of_a_family_come_in_a_row() {
    let buses = [Bus::new(), Bus::builder().name("two").build()];
    for bus in &buses {
        bus.on(async |_: u32| {});
        bus.on(async |_: u64| {});
        emit(bus, 1).await;
    }
    let told = Told::of(&buses.map(|bus| bus.snapshot()));
    let mut over = HashSet::new();
    let mut last = "";
    for (name, _) in &told.series {
        if *name != last {
            assert!(over.insert(*name), "{name} comes again");
            last = name;
        }
    }
    assert_eq!(told.names("emissions_total").len(), 4);
}

#[tokio::test]
async fn what_is_off_is_left_out() {
    let bus = Bus::builder()
        .signal::<u32>(|signal| signal.name("on"))
        .signal::<u64>(|signal| signal.name("off").metrics(Metrics::Off))
        .build();
    let listen = |key| bus.listen::<u32>().key(key).on(async |_| {}).unwrap();
    let (_told, untold) = (listen("told"), listen("untold"));
    bus.on(async |_: u64| {});
    untold.set_metrics(Some(Metrics::Off)).unwrap();
    emit(&bus, 1).await;
    let told = Told::of(&[bus.snapshot()]);
    assert!(!told.series.iter().any(|(_, series)| series.contains("off")));
    assert_eq!(
        told.names("listener_calls_total"),
        ["listener_calls_total bus on told"]
    );
    // The counts of the signal are of all its listeners.
    assert_eq!(told.value("deliveries_total bus on"), Some(2.0));
    assert_eq!(told.value("bus_closed bus"), Some(0.0));

    bus.set_metrics(Metrics::Off).unwrap();
    let mut snapshot = bus.snapshot();
    snapshot.other_listeners = millis([1]);
    snapshot.other_waits.turn = millis([1]);
    assert!(Told::of(&[snapshot.clone()]).series.is_empty());
    // What one of its signals may have recorded there is told.
    snapshot.signals[0].metrics = Metrics::Timed;
    let told = Told::of(&[snapshot]);
    assert_eq!(told.names("wait_duration_seconds").len(), 1);
}

#[test]
fn the_pool_of_a_signal_is_told_of_with_it() {
    let bus = Bus::builder()
        .metrics(Metrics::Off)
        .signal::<u32>(|signal| signal.pool(Pool::builder(1).name("one").build()))
        .signal::<u64>(|signal| signal.pool(Pool::builder(2).name("two").build()))
        .build();
    let (_, on): (Signal<u32>, Signal<u64>) = (bus.signal(), bus.signal());
    on.set_metrics(Some(Metrics::Counting)).unwrap();
    let told = Told::of(&[bus.snapshot()]);
    assert_eq!(told.names("pool_permits"), ["pool_permits bus two"]);
}

#[test]
fn what_came_of_the_calls_of_a_listener_is_told_by_outcome() {
    let bus = Bus::new();
    for _ in 0..2 {
        bus.listen::<u32>()
            .circuit_breaker(CircuitBreaker::new())
            .on(async |_| {})
            .unwrap();
    }
    let _ = bus.listen::<u32>().key("plain").on(async |_| {}).unwrap();
    let mut snapshot = bus.snapshot();
    let label = snapshot.signals[0].listeners[0].label.clone();
    for (n, listener) in (0..).zip(&mut snapshot.signals[0].listeners) {
        (listener.errors, listener.panics, listener.timeouts) = (10 + n, 20 + n, 30 + n);
        (listener.rejections, listener.cancellations) = (40 + n, 50 + n);
        (listener.deferrals, listener.skips) = (60 + n, 70 + n);
        (listener.retries, listener.dead_letters) = (80 + n, 90 + n);
    }
    let told = Told::of(&[snapshot]);
    let outcomes = [
        ("failed", 21.0),
        ("panicked", 41.0),
        ("timed_out", 61.0),
        ("rejected", 81.0),
        ("cancelled", 101.0),
        ("deferred", 121.0),
        ("skipped", 141.0),
    ];
    for (outcome, count) in outcomes {
        let series = format!("listener_outcomes_total bus u32 {label} {outcome}");
        assert_eq!(told.value(&series), Some(count), "{series}");
    }
    let value = |name: &str| told.value(&format!("{name} bus u32 {label}"));
    assert_eq!(value("listener_retries_total"), Some(161.0));
    assert_eq!(value("listener_dead_letters_total"), Some(181.0));
    // Of those that have some.
    let breakers = ["closed", "open", "half_open"];
    let breakers = breakers.map(|state| format!("listener_breakers bus u32 {label} {state}"));
    assert_eq!(told.names("listener_breakers"), breakers);
    assert_eq!(
        breakers.map(|it| told.value(&it)),
        [2.0, 0.0, 0.0].map(Some)
    );
}

#[tokio::test]
async fn listeners_above_the_cap_are_one() {
    let bus = Bus::new();
    // The one that is called first is not the one that was registered first.
    for (n, key) in ["a", "b", "c", "d", "other"].into_iter().enumerate() {
        let listen = bus.listen::<u32>().key(key);
        let _ = listen
            .priority(i32::try_from(n).unwrap())
            .on(async |_| {})
            .unwrap();
    }
    let _ = bus.listen::<u64>().key("e").on(async |_| {}).unwrap();
    emit(&bus, 3).await;
    let _ = bus.emit(1_u64).await;
    let mut snapshot = bus.snapshot();
    for listener in &mut snapshot.signals[0].listeners {
        listener.durations = millis([1]);
    }
    snapshot.other_listeners = millis([7, 8]);
    let snapshots = [snapshot];

    let told = Told::with(&snapshots, Some(2));
    let mut names = told.names("listener_calls_total");
    names.sort_unstable();
    let own = ["a", "b", "other"].map(|key| format!("listener_calls_total bus u32 {key}"));
    assert_eq!(names[..3], own);
    assert_eq!(names[3..], ["listener_calls_total bus u64 other"]);
    assert_eq!(told.value(&own[0]), Some(3.0));
    assert_eq!(told.value(&own[2]), Some(9.0));
    let other = &told.histograms["listener_duration_seconds bus u32 other"];
    assert_eq!(other.count(), 3);
    let shared = &told.histograms["listener_duration_seconds bus other other"];
    assert_eq!(shared.count(), 2);

    let count = |most| {
        Told::with(&snapshots, Some(most))
            .names("listener_calls_total")
            .len()
    };
    // One of them is called "other".
    assert_eq!([0, 1, 3, 4, 5, 6].map(count), [2, 3, 5, 6, 6, 6]);
}

#[test]
fn the_cap_is_a_thousand_unless_a_collector_says_otherwise() {
    struct Default(usize);
    impl Collector for Default {
        fn counter(&mut self, family: &Family, _: &[Label<'_>], _: Total) {
            self.0 += usize::from(family.name == "fanfare_listener_calls_total");
        }
        fn gauge(&mut self, _: &Family, _: &[Label<'_>], _: f64) {}
        fn histogram(&mut self, _: &Family, _: &[Label<'_>], _: &Distribution) {}
    }
    let bus = Bus::builder().max_listeners(2_000).build();
    for n in 0..1_003 {
        let listen = bus.listen::<u32>().key(n.to_string());
        let _ = listen.on(async |_| {}).unwrap();
    }
    let mut told = Default(0);
    bus.collect(&mut told);
    assert_eq!(told.0, 1_001);
}
