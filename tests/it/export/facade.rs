//! What the `metrics` facade is told.

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare::observe::facade::Facade;
use fanfare::observe::{Family, FamilyKind, families};
use fanfare::{Bus, Metrics};
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tokio::time::{Instant, advance};

use super::{busy_bus, listen};
use crate::support::{poll_once, settle};

const SECOND: Duration = Duration::from_secs(1);

type Values = BTreeMap<String, DebugValue>;

/// What has been told since the last time: the series as `emissions_total busy orders`.
fn told(recorder: &DebuggingRecorder) -> Values {
    let all = recorder.snapshotter().snapshot().into_vec().into_iter();
    let all = all.map(|(key, _, _, value)| {
        let labels = key
            .key()
            .labels()
            .map(|label| format!(" {}", label.value()));
        let name = key.key().name().strip_prefix("fanfare_").unwrap();
        (format!("{name}{}", labels.collect::<String>()), value)
    });
    all.collect()
}

fn publish(facade: &mut Facade, recorder: &DebuggingRecorder) -> Values {
    metrics::with_local_recorder(recorder, || facade.publish());
    told(recorder)
}

fn count(values: &Values, series: &str) -> u64 {
    match values[series] {
        DebugValue::Counter(count) => count,
        ref other => panic!("{series} is {other:?}"),
    }
}

fn gauge(values: &Values, series: &str) -> f64 {
    match values[series] {
        DebugValue::Gauge(gauge) => gauge.into_inner(),
        ref other => panic!("{series} is {other:?}"),
    }
}

fn durations(values: &Values, series: &str) -> Vec<f64> {
    match &values[series] {
        DebugValue::Histogram(values) => values.iter().map(|it| it.into_inner()).collect(),
        other => panic!("{series} is {other:?}"),
    }
}

#[tokio::test]
async fn every_family_is_told_with_its_unit_and_what_it_says() {
    let bus = busy_bus().await;
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || Facade::new(&bus).publish());
    let all = recorder.snapshotter().snapshot().into_vec();
    // What a health and a monitor tell, this bus does not.
    let of_others = |family: &&Family| {
        let names = ["fanfare_live", "fanfare_ready", "fanfare_degradations"];
        family.labels[0] != "bus" || names.contains(&family.name)
    };
    for family in families().filter(|family| !of_others(family)) {
        let told = all.iter().find(|(key, ..)| key.key().name() == family.name);
        let (key, unit, help, _) = told.unwrap_or_else(|| panic!("{} is not told", family.name));
        let kind = match (family.kind, family.unit) {
            (FamilyKind::Counter, None) => MetricKind::Counter,
            (FamilyKind::Counter, Some(_)) | (FamilyKind::Gauge, _) => MetricKind::Gauge,
            (FamilyKind::Histogram, _) => MetricKind::Histogram,
        };
        assert_eq!(key.kind(), kind, "{}", family.name);
        let expected = family.unit.map_or("count", |unit| unit.as_str());
        assert_eq!(unit.as_ref().unwrap().as_str(), expected);
        assert_eq!(&**help.as_ref().unwrap(), family.help);
        let labels: Vec<&str> = key.key().labels().map(metrics::Label::key).collect();
        assert_eq!(labels, family.labels);
    }
}

#[tokio::test(start_paused = true)]
async fn each_duration_is_told_once() {
    let bus = Bus::builder().metrics(Metrics::Timed).build();
    let listen = bus.listen::<u64>().key("a");
    let _ = listen
        .on(async |millis| tokio::time::sleep(Duration::from_millis(millis)).await)
        .unwrap();
    let (mut facade, recorder) = (Facade::new(&bus), DebuggingRecorder::new());
    let series = "listener_duration_seconds bus u64 a";
    let calls = "listener_calls_total bus u64 a";
    for (event, times) in [(10, 3), (1_000, 2)] {
        for _ in 0..times {
            let _ = bus.emit(event).await;
        }
        let told = publish(&mut facade, &recorder);
        let durations = durations(&told, series);
        assert_eq!(durations.len(), times, "{durations:?}");
        let exact = Duration::from_millis(event).as_secs_f64();
        // Up to a millisecond later, as tokio's timer has it.
        let range = exact..=(exact + 0.001) * 33.0 / 32.0;
        assert!(
            durations.iter().all(|it| range.contains(it)),
            "{durations:?}"
        );
    }
    let told = publish(&mut facade, &recorder);
    assert_eq!(
        (durations(&told, series).len(), count(&told, calls)),
        (0, 5)
    );
}

#[tokio::test]
async fn durations_are_not_told_again_when_one_of_a_label_goes() {
    let bus = Bus::builder().metrics(Metrics::Timed).build();
    let listeners: Vec<_> = (0..2).map(|_| bus.on(async |_: u64| {})).collect();
    let (mut facade, recorder) = (Facade::new(&bus), DebuggingRecorder::new());
    let mut emit = async |times: u64| {
        for _ in 0..times {
            let _ = bus.emit(1_u64).await;
        }
        let told = publish(&mut facade, &recorder);
        let mut series = told.keys();
        let series = series.find(|series| series.starts_with("listener_duration"));
        durations(&told, series.unwrap()).len()
    };
    assert_eq!(emit(5).await, 10);
    listeners[0].remove();
    assert_eq!(emit(0).await, 0);
    assert_eq!(emit(3).await, 3);
}

#[tokio::test]
async fn counters_never_fall_and_never_tell_twice() {
    let bus = Bus::new();
    let (mut facade, recorder) = (Facade::new(&bus), DebuggingRecorder::new());
    let series = "listener_calls_total bus u64 a";
    let mut emit = async |times: u64| {
        for _ in 0..times {
            let _ = bus.emit(1_u64).await;
        }
        count(&publish(&mut facade, &recorder), series)
    };
    let first = listen(&bus, "a");
    assert_eq!(emit(5).await, 5);
    // Another takes its place in between: what that did first is missed, and it goes on from there.
    first.remove();
    let second = listen(&bus, "a");
    assert_eq!(emit(2).await, 5);
    assert_eq!(emit(4).await, 9);
    // It was seen that it was gone: then the next begins at zero.
    second.remove();
    // A snapshot of the recorder takes what was told: of what is gone, nothing is.
    assert_eq!(emit(1).await, 0);
    listen(&bus, "a");
    assert_eq!(emit(3).await, 12);
}

#[tokio::test]
async fn what_was_off_for_a_while_is_not_told_again() {
    let bus = Bus::builder().metrics(Metrics::Timed).build();
    listen(&bus, "a");
    let (mut facade, recorder) = (Facade::new(&bus), DebuggingRecorder::new());
    let series = "listener_duration_seconds bus u64 a";
    let emit = async |times: u64| {
        for _ in 0..times {
            let _ = bus.emit(1_u64).await;
        }
    };
    emit(5).await;
    let told = publish(&mut facade, &recorder);
    assert_eq!(durations(&told, series).len(), 5);
    bus.set_metrics(Metrics::Off).unwrap();
    publish(&mut facade, &recorder);
    publish(&mut facade, &recorder);
    bus.set_metrics(Metrics::Timed).unwrap();
    let told = publish(&mut facade, &recorder);
    assert_eq!(count(&told, "emissions_total bus u64"), 5);
    assert_eq!(count(&told, "listener_calls_total bus u64 a"), 5);
    assert_eq!(durations(&told, series).len(), 0);
    emit(2).await;
    let told = publish(&mut facade, &recorder);
    assert_eq!(count(&told, "emissions_total bus u64"), 7);
    assert_eq!(durations(&told, series).len(), 2);
}

#[test]
fn what_is_remembered_of_what_is_gone_has_a_limit() {
    let bus = Bus::new();
    let mut facade = Facade::new(&bus);
    let listeners: Vec<_> = (0..1_000).map(|n| listen(&bus, &n.to_string())).collect();
    facade.publish();
    for listener in listeners {
        listener.remove();
    }
    for _ in 0..2 {
        facade.publish();
        let printed = format!("{facade:?}");
        assert!(printed.contains("gone: 10000,"), "{printed}");
    }
}

#[tokio::test]
async fn who_was_among_the_others_stays_there() {
    let bus = Bus::builder().metrics(Metrics::Timed).build();
    let first = listen(&bus, "first");
    let second = listen(&bus, "second");
    let (mut facade, recorder) = (Facade::new(&bus).max_listeners(1), DebuggingRecorder::new());
    let mut emit = async |times: u64| {
        for _ in 0..times {
            let _ = bus.emit(1_u64).await;
        }
        let told = publish(&mut facade, &recorder);
        // Of what is gone, the recorder has no news.
        let calls = told.iter().filter_map(|(series, value)| {
            let name = series.strip_prefix("listener_calls_total bus u64 ")?;
            match value {
                DebugValue::Counter(0) => None,
                DebugValue::Counter(count) => Some((name.to_owned(), *count)),
                other => panic!("{series} is {other:?}"),
            }
        });
        calls.collect::<Vec<_>>()
    };
    let of = |all: &[(&str, u64)]| -> Vec<(String, u64)> {
        all.iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    assert_eq!(emit(5).await, of(&[("first", 5), ("other", 5)]));
    first.remove();
    assert_eq!(emit(0).await, of(&[("other", 5)]));
    assert_eq!(emit(3).await, of(&[("other", 8)]));
    // Its place goes to one that comes later.
    let third = listen(&bus, "third");
    assert_eq!(emit(2).await, of(&[("other", 10), ("third", 2)]));
    // One that is off for a while keeps it.
    third.set_metrics(Some(Metrics::Off)).unwrap();
    listen(&bus, "fourth");
    assert_eq!(emit(0).await, of(&[("other", 10)]));
    third.set_metrics(None).unwrap();
    assert_eq!(emit(1).await, of(&[("other", 12), ("third", 3)]));
    drop(second);
}

#[tokio::test]
async fn what_a_health_and_a_monitor_tell_is_not_described() {
    let bus = busy_bus().await;
    let recorder = Described::default();
    metrics::with_local_recorder(&recorder, || Facade::new(&bus).publish());
    let names = recorder.0.lock().unwrap();
    assert!(names.iter().any(|name| name == "fanfare_emissions_total"));
    for name in ["fanfare_live", "fanfare_runtime_workers"] {
        assert!(!names.iter().any(|described| described == name), "{name}");
    }
}

/// What was described.
#[derive(Default)]
struct Described(std::sync::Mutex<Vec<String>>);

impl Described {
    fn put(&self, key: &metrics::KeyName) {
        self.0.lock().unwrap().push(key.as_str().to_owned());
    }
}

impl metrics::Recorder for Described {
    fn describe_counter(
        &self,
        key: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        self.put(&key);
    }

    fn describe_gauge(
        &self,
        key: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        self.put(&key);
    }

    fn describe_histogram(
        &self,
        key: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        self.put(&key);
    }

    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        metrics::Counter::noop()
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }

    fn register_histogram(
        &self,
        _: &metrics::Key,
        _: &metrics::Metadata<'_>,
    ) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}

#[tokio::test]
async fn the_gauges_of_what_is_gone_are_zero() {
    let bus = Bus::new();
    let (mut facade, recorder) = (Facade::new(&bus), DebuggingRecorder::new());
    // Reading a recorder sets its gauges to zero: so it is read once, and another is told the rest.
    let publish_unread = |facade: &mut Facade, recorder: &DebuggingRecorder| {
        metrics::with_local_recorder(recorder, || facade.publish());
    };
    let (enabled, limit) = (
        "listener_enabled bus u64 a",
        "background_calls_limit bus u64",
    );
    let listener = listen(&bus, "a");
    publish_unread(&mut facade, &recorder);
    listener.remove();
    let told = publish(&mut facade, &recorder);
    assert_eq!((gauge(&told, enabled), gauge(&told, limit)), (0.0, 1_000.0));

    publish_unread(&mut facade, &recorder);
    drop((bus, listener));
    let told = publish(&mut facade, &recorder);
    assert_eq!(gauge(&told, limit), 0.0);
}

#[tokio::test]
async fn counters_catch_up_with_a_recorder_that_comes_late() {
    let bus = Bus::new();
    let mut facade = Facade::new(&bus);
    listen(&bus, "a");
    let _ = bus.emit(1_u64).await;
    facade.publish();
    let _ = bus.emit(1_u64).await;
    let told = publish(&mut facade, &DebuggingRecorder::new());
    assert_eq!(count(&told, "emissions_total bus u64"), 2);
}

#[test]
fn the_cap_on_listeners_holds() {
    let bus = Bus::new();
    for key in ["a", "b", "c"] {
        listen(&bus, key);
    }
    for (most, last) in [(2, "other"), (3, "c")] {
        let mut facade = Facade::new(&bus).max_listeners(most);
        let told = publish(&mut facade, &DebuggingRecorder::new());
        let enabled = told
            .keys()
            .filter(|key| key.starts_with("listener_enabled"));
        let enabled: Vec<&str> = enabled.map(|key| key.rsplit(' ').next().unwrap()).collect();
        assert_eq!(enabled, ["a", "b", last]);
    }
}

#[tokio::test(start_paused = true)]
async fn it_publishes_at_once_then_every_so_often_until_the_bus_is_gone() {
    let bus = Bus::new();
    listen(&bus, "a");
    let recorder = DebuggingRecorder::new();
    let _local = metrics::set_default_local_recorder(&recorder);
    let emissions = || count(&told(&recorder), "emissions_total bus u64");
    let mut facade = Facade::new(&bus);
    {
        let mut run = Box::pin(facade.run(10 * SECOND));
        assert!(poll_once(&mut run).is_none());
        assert_eq!(emissions(), 0);
        let _ = bus.emit(1_u64).await;
        advance(9 * SECOND).await;
        assert!(poll_once(&mut run).is_none());
        assert_eq!(emissions(), 0);
        advance(2 * SECOND).await;
        assert!(poll_once(&mut run).is_none());
        assert_eq!(emissions(), 1);
    }
    // Dropped and begun again: nothing is told twice, nothing is lost.
    let _ = bus.emit(1_u64).await;
    let mut run = Box::pin(facade.run(Duration::ZERO));
    assert!(poll_once(&mut run).is_none());
    assert_eq!(emissions(), 2);
    drop(bus);
    settle().await;
    let begin = Instant::now();
    let ended = tokio::time::timeout(SECOND, run).await;
    ended.expect("the bus is gone");
    assert!(begin.elapsed() <= 2 * Duration::from_millis(1));
}
