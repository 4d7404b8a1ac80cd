//! The text that Prometheus scrapes.

use std::time::Duration;

use fanfare::Bus;
use fanfare::observe::prometheus::{Endpoint, Format};
use fanfare::observe::{Distribution, HealthCheck, RuntimeMonitor, Snapshot};
use proptest::prelude::*;
use tokio::runtime::Handle;

use super::parsed::Parsed;
use super::{busy_bus, listen};
use crate::support::cases;

const BOTH: [Format; 2] = [Format::Prometheus, Format::OpenMetrics];

fn parsed(endpoint: &Endpoint, snapshot: &Snapshot, format: Format) -> Parsed {
    let text = endpoint.text_of(std::slice::from_ref(snapshot), format);
    Parsed::of(&text, format == Format::OpenMetrics)
}

#[tokio::test]
async fn both_formats_say_the_same() {
    let bus = busy_bus().await;
    let endpoint = Endpoint::new(&bus);
    let snapshot = bus.snapshot();
    let [text, open] = BOTH.map(|format| parsed(&endpoint, &snapshot, format));
    assert_eq!(text.samples, open.samples);
    assert_eq!(text.types["fanfare_emissions_total"], "counter");
    assert_eq!(open.types["fanfare_emissions"], "counter");
    assert_eq!(open.types["fanfare_listener_duration_seconds"], "histogram");
    assert_eq!(open.types["fanfare_pool_permits"], "gauge");
    assert_eq!(open.units["fanfare_pool_busy_seconds"], "seconds");
    assert_eq!(open.units["fanfare_wait_duration_seconds"], "seconds");
    let calls = [("bus", "busy"), ("signal", "orders"), ("listener", "works")];
    assert_eq!(open.value("fanfare_listener_calls_total", &calls), 2.0);
    let (empty, empty_open) = (
        endpoint.text_of(&[], Format::Prometheus),
        endpoint.text_of(&[], Format::OpenMetrics),
    );
    assert_eq!((&*empty, &*empty_open), ("", "# EOF\n"));
}

#[test]
fn an_endpoint_reads_its_buses_anew_each_time() {
    let (one, two) = (
        Bus::builder().name("one").build(),
        Bus::builder().name("two").build(),
    );
    let endpoint = Endpoint::builder(&one).bus(&two).build();
    let count = |endpoint: &Endpoint| {
        let text = Parsed::of(&endpoint.text(Format::Prometheus), false);
        text.of_name("fanfare_listeners", &[])
            .map(|(_, count)| count)
            .sum::<f64>()
    };
    assert_eq!(count(&endpoint), 0.0);
    listen(&one, "a");
    listen(&two, "b");
    assert_eq!(count(&endpoint), 2.0);
}

#[test]
fn health_of_one_name_is_told_once_and_the_worst_of_it() {
    let (well, closed) = (Bus::new(), Bus::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let _ = runtime.unwrap().block_on(closed.shutdown(Duration::ZERO));
    let checks = [&well, &closed, &well].map(|bus| HealthCheck::builder(bus).build());
    let endpoint = checks
        .iter()
        .fold(Endpoint::builder(&well), |endpoint, check| {
            endpoint.health(check)
        });
    // What is parsed has no series twice.
    let text = Parsed::of(&endpoint.build().text(Format::OpenMetrics), true);
    let of = |check: &HealthCheck| {
        let health = check.health();
        (health.is_live(), health.is_ready(), health.reasons.len())
    };
    let each = checks.each_ref().map(of);
    assert!(each[0].1 && !each[1].1, "{each:?}");
    let flag = |is_so: bool| f64::from(u8::from(is_so));
    assert_eq!(text.value("fanfare_live", &[]), flag(each[1].0));
    assert_eq!(text.value("fanfare_ready", &[]), 0.0);
    let reasons = text.of_name("fanfare_degradations", &[]);
    let sum: f64 = reasons.map(|(_, count)| count).sum();
    assert_eq!(sum, each.iter().map(|it| it.2 as f64).sum::<f64>());
}

#[tokio::test]
async fn two_monitors_of_one_name_are_refused() {
    let bus = Bus::new();
    let of = |names: &[&str]| {
        let monitors = names.iter().map(|name| {
            let monitor = RuntimeMonitor::builder(Handle::current());
            monitor.name(*name).build()
        });
        let endpoint = monitors.fold(Endpoint::builder(&bus), |endpoint, it| {
            endpoint.monitor(&it)
        });
        endpoint
            .try_build()
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(of(&["io", "work"]), Ok(()));
    let refused = "option `monitor` cannot be a second one named \"io\": it takes monitors that have names of their own";
    assert_eq!(of(&["io", "work", "io"]), Err(refused.to_owned()));
}

#[test]
fn the_cap_on_listeners_holds() {
    let bus = Bus::new();
    for key in ["a", "b", "c"] {
        listen(&bus, key);
    }
    for (most, label) in [(2, "other"), (3, "c")] {
        let endpoint = Endpoint::builder(&bus).max_listeners(most).build();
        let text = Parsed::of(&endpoint.text(Format::Prometheus), false);
        let enabled = text.of_name("fanfare_listener_enabled", &[]);
        let labels: Vec<&str> = enabled.map(|(labels, _)| &*labels["listener"]).collect();
        assert_eq!(labels, ["a", "b", label]);
    }
}

#[tokio::test]
async fn who_was_among_the_others_stays_there_from_scrape_to_scrape() {
    let bus = Bus::new();
    let first = listen(&bus, "first");
    listen(&bus, "second");
    let endpoint = Endpoint::builder(&bus).max_listeners(1).build();
    let calls = || {
        let text = Parsed::of(&endpoint.text(Format::Prometheus), false);
        let calls = text.of_name("fanfare_listener_calls_total", &[]);
        let calls = calls.map(|(labels, count)| format!("{} {count}", labels["listener"]));
        calls.collect::<Vec<_>>()
    };
    let _ = bus.emit(1_u64).await;
    assert_eq!(calls(), ["first 1", "other 1"]);
    first.remove();
    let _ = bus.emit(1_u64).await;
    assert_eq!(calls(), ["other 2"]);
    listen(&bus, "third");
    let _ = bus.emit(1_u64).await;
    assert_eq!(calls(), ["other 3", "third 1"]);
}

#[test]
fn bounds_are_checked() {
    let bus = Bus::new();
    let check = |bounds: &[u64]| {
        let bounds = bounds.iter().map(|bound| Duration::from_nanos(*bound));
        let made = Endpoint::builder(&bus).buckets(bounds).try_build();
        made.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(check(&[1]), Ok(()));
    assert_eq!(check(&[1, 1 << 40]), Ok(()));
    assert_eq!(check(&(1..=100).collect::<Vec<_>>()), Ok(()));
    let refused = [
        (vec![], "0 bounds: it takes 1 to 100 bounds"),
        ((1..=101).collect(), "101 bounds: it takes 1 to 100 bounds"),
        (
            vec![0],
            "0ns: it takes bounds above zero and up to 18 minutes",
        ),
        (
            vec![1, 1 + (1 << 40)],
            "1099.511627777s: it takes bounds above zero and up to 18 minutes",
        ),
        (vec![5, 5], "5ns before 5ns: it takes bounds that rise"),
    ];
    for (bounds, why) in refused {
        let refused = format!("option `buckets` cannot be {why}");
        assert_eq!(check(&bounds), Err(refused));
    }
}

#[test]
fn series_are_as_many_as_the_book_says() {
    let bus = Bus::new();
    let endpoint = Endpoint::new(&bus);
    let count = |snapshot: &Snapshot| {
        parsed(&endpoint, snapshot, Format::Prometheus)
            .samples
            .len()
    };
    let empty = count(&bus.snapshot());
    bus.signal::<u64>();
    let signal = count(&bus.snapshot());
    assert_eq!(signal - empty, 34);
    listen(&bus, "a");
    let listener = count(&bus.snapshot());
    assert_eq!(listener - signal, 15);
    let mut timed = bus.snapshot();
    timed.signals[0].listeners[0].durations = [Duration::ZERO].into_iter().collect();
    assert_eq!(count(&timed) - listener, 27);
}

fn strange() -> impl Strategy<Value = String> {
    let letters = prop_oneof![
        Just('\\'),
        Just('"'),
        Just('\n'),
        Just('\r'),
        Just('}'),
        Just(','),
        Just('n'),
        Just('ö'),
        any::<char>(),
    ];
    proptest::collection::vec(letters, 1..12).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn labels_come_back_as_they_were(bus in strange(), signal in strange(), listener in strange()) {
        let mut snapshot = {
            let bus = Bus::new();
            listen(&bus, "a");
            bus.snapshot()
        };
        snapshot.bus.clone_from(&bus);
        snapshot.signals[0].name.clone_from(&signal);
        snapshot.signals[0].listeners[0].label.clone_from(&listener);
        for format in BOTH {
            let parsed = parsed(&Endpoint::new(&Bus::new()), &snapshot, format);
            let labels = [("bus", &*bus), ("signal", &*signal), ("listener", &*listener)];
            prop_assert_eq!(parsed.value("fanfare_listener_enabled", &labels), 1.0);
        }
    }

    #[test]
    fn buckets_agree_with_an_exact_count(
        nanos in proptest::collection::vec((0_u32..40).prop_flat_map(|power| 0..=1_u64 << power), 1..200),
        bounds in proptest::collection::btree_set((0_u32..40).prop_flat_map(|power| 1..=1_u64 << power), 1..20),
    ) {
        let mut snapshot = {
            let bus = Bus::new();
            listen(&bus, "a");
            bus.snapshot()
        };
        snapshot.signals[0].listeners[0].durations = nanos.iter().copied().map(Duration::from_nanos).collect::<Distribution>();
        let bounds: Vec<_> = bounds.into_iter().map(Duration::from_nanos).collect();
        let endpoint = Endpoint::builder(&Bus::new()).buckets(bounds.clone()).build();
        let text = parsed(&endpoint, &snapshot, Format::Prometheus);
        let name = "fanfare_listener_duration_seconds";
        let buckets: Vec<_> = text.of_name("fanfare_listener_duration_seconds_bucket", &[]).collect();
        prop_assert_eq!(buckets.len(), bounds.len() + 1);
        let at_most = |most: u64| nanos.iter().filter(|nanos| **nanos <= most).count() as f64;
        for ((labels, count), bound) in buckets.iter().zip(bounds) {
            let bound_nanos = u64::try_from(bound.as_nanos()).unwrap();
            prop_assert_eq!(labels["le"].parse::<f64>().unwrap(), bound.as_secs_f64());
            // Whole buckets of at most 1/32 of their durations.
            prop_assert!(*count <= at_most(bound_nanos), "{labels:?}");
            prop_assert!(*count >= at_most(bound_nanos - bound_nanos.div_ceil(32)), "{labels:?}");
        }
        let (last, count) = buckets[buckets.len() - 1];
        prop_assert_eq!((&*last["le"], count), ("+Inf", nanos.len() as f64));
        prop_assert_eq!(text.value(&format!("{name}_count"), &[]), nanos.len() as f64);
        let sum = Duration::from_nanos(nanos.iter().map(|nanos| *nanos.min(&((1 << 40) - 1))).sum());
        prop_assert_eq!(text.value(&format!("{name}_sum"), &[]), sum.as_secs_f64());
    }
}

#[test]
fn the_default_bounds_go_from_a_microsecond_to_a_minute() {
    let bus = Bus::new();
    let mut snapshot = bus.snapshot();
    snapshot.other_emissions = [Duration::from_secs(61)].into_iter().collect();
    let text = parsed(&Endpoint::new(&bus), &snapshot, Format::OpenMetrics);
    let buckets = text.of_name("fanfare_emission_duration_seconds_bucket", &[]);
    let bounds: Vec<&str> = buckets.map(|(labels, _)| &*labels["le"]).collect();
    let micros = "1e-06 2.5e-06 5e-06 1e-05 2.5e-05 5e-05 0.0001 0.00025 0.0005";
    let millis = "0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5";
    let expected = format!("{micros} {millis} 1.0 2.5 5.0 10.0 30.0 60.0 +Inf");
    assert_eq!(bounds.join(" "), expected);
}
