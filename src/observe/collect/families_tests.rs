//! Each family has the value that its name says.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::*;
use crate::bus::Bus;
use crate::dispatch::Stats;
use crate::listener::BreakerCounts;
use crate::observe::{Collector, Label, Total, WaitTimes};
use crate::outcome::Skip;
use crate::pool::Pool;

/// Each series as text, and its value; of a histogram, the count.
#[derive(Default)]
struct Told(BTreeMap<String, f64>);

impl Told {
    fn put(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
        let names: Vec<_> = labels.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, family.labels, "{}", family.name);
        let own = labels.iter().skip(1).map(|(_, value)| format!(" {value}"));
        let name = family.name.strip_prefix("fanfare_").unwrap();
        let series = format!("{name}{}", own.collect::<String>());
        assert!(self.0.insert(series, value).is_none());
    }
}

impl Collector for Told {
    fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total) {
        let is_time = matches!(value, Total::Time(_));
        assert_eq!(family.kind, FamilyKind::Counter);
        assert_eq!(family.unit.is_some(), is_time, "{}", family.name);
        self.put(family, labels, value.as_f64());
    }

    fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
        assert_eq!(family.kind, FamilyKind::Gauge);
        self.put(family, labels, value);
    }

    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution) {
        assert_eq!(family.kind, FamilyKind::Histogram);
        self.put(family, labels, value.count() as f64);
    }
}

fn some(count: usize) -> Distribution {
    std::iter::repeat_n(Duration::from_millis(1), count).collect()
}

fn waited(first: usize) -> WaitTimes {
    WaitTimes {
        buffer: some(first),
        turn: some(first + 1),
        limit: some(first + 2),
        permit: some(first + 3),
    }
}

/// A bus in which no two numbers are the same.
fn distinct() -> Snapshot {
    let bus = Bus::builder().pool(Pool::new(3)).build();
    let signal = bus.signal::<u32>();
    let _ = bus.listen::<u32>().key("a").on(async |_| {}).unwrap();
    let mut snapshot = bus.snapshot();
    snapshot.closed = true;
    snapshot.unknown_events = 10;
    snapshot.other_listeners = some(11);
    snapshot.other_emissions = some(12);
    snapshot.other_waits = waited(13);
    let pool = &mut snapshot.pools[0];
    (pool.size, pool.in_use, pool.waiting) = (20, 21, 22);
    (pool.waits, pool.rejections) = (23, 24);
    [pool.busy_time, pool.idle_time, pool.wait_time] = [25, 26, 27].map(Duration::from_secs);
    let told = &mut snapshot.signals[0];
    told.name = "s".to_owned();
    told.stats = Stats {
        emissions: 30,
        dead: 31,
        enqueued: 32,
        dropped: std::array::from_fn(|n| 40 + n as u64),
        refused: 33,
        suppressed: 34,
        follow_ups_lost: 35,
        registrations: 36,
        removals: 37,
        retries: 38,
        dead_letters: 39,
        outcomes: std::array::from_fn(|n| 50 + n as u64),
    };
    (told.in_flight, told.background, told.max_background) = (60, 61, 62);
    (told.buffered, told.buffer_capacity) = (63, 64);
    (told.under_pressure, told.closed) = (true, false);
    told.durations = some(65);
    told.waits = waited(66);
    let listener = &mut told.listeners[0];
    (listener.calls, listener.errors, listener.panics) = (70, 71, 72);
    (listener.running, listener.held) = (73, 74);
    (
        listener.timeouts,
        listener.rejections,
        listener.cancellations,
    ) = (80, 81, 82);
    (listener.deferrals, listener.skips) = (83, 84);
    (listener.retries, listener.dead_letters) = (85, 86);
    listener.breakers = Some(BreakerCounts {
        closed: 87,
        open: 88,
        half_open: 89,
    });
    listener.switched_off = Some(Skip::Disabled);
    listener.durations = some(75);
    drop(signal);
    snapshot
}

#[test]
fn each_family_has_the_value_that_its_name_says() {
    let mut told = Told::default();
    distinct().collect(&mut told);
    let lines = told
        .0
        .iter()
        .map(|(series, value)| format!("{series} = {value}"));
    let expected = "\
background_calls s = 61
background_calls_limit s = 62
buffer_capacity s = 64
buffer_under_pressure s = 1
buffered_events s = 63
bus_closed = 1
dead_events_total s = 31
dead_letters_total s = 39
deliveries_total s = 371
dropped_events_total s newest = 41
dropped_events_total s oldest = 40
dropped_events_total s released = 44
dropped_events_total s runtime_ended = 45
dropped_events_total s shutdown = 46
dropped_events_total s stream_dropped = 43
dropped_events_total s superseded = 42
emission_duration_seconds other = 12
emission_duration_seconds s = 65
emissions_in_flight s = 60
emissions_total s = 30
enqueued_events_total s = 32
follow_ups_lost_total s = 35
listener_breakers s a closed = 87
listener_breakers s a half_open = 89
listener_breakers s a open = 88
listener_calls_total s a = 70
listener_dead_letters_total s a = 86
listener_duration_seconds other other = 11
listener_duration_seconds s a = 75
listener_enabled s a = 0
listener_errors_total s a = 71
listener_held_events s a = 74
listener_outcomes_total s a cancelled = 82
listener_outcomes_total s a deferred = 83
listener_outcomes_total s a failed = 71
listener_outcomes_total s a panicked = 72
listener_outcomes_total s a rejected = 81
listener_outcomes_total s a skipped = 84
listener_outcomes_total s a timed_out = 80
listener_panics_total s a = 72
listener_retries_total s a = 85
listener_running_calls s a = 73
listeners s = 1
outcomes_total s cancelled = 55
outcomes_total s deferred = 56
outcomes_total s done = 50
outcomes_total s failed = 51
outcomes_total s panicked = 52
outcomes_total s rejected = 54
outcomes_total s skipped = 57
outcomes_total s timed_out = 53
pool_busy_seconds_total pool = 25
pool_idle_seconds_total pool = 26
pool_permits pool = 20
pool_permits_in_use pool = 21
pool_rejections_total pool = 24
pool_wait_seconds_total pool = 27
pool_waiting pool = 22
pool_waits_total pool = 23
refused_events_total s = 33
registrations_total s parallel = 36
removals_total s parallel = 37
retries_total s = 38
signal_closed s = 0
suppressed_log_lines_total s = 34
unknown_events_total = 10
wait_duration_seconds other buffer = 13
wait_duration_seconds other limit = 15
wait_duration_seconds other permit = 16
wait_duration_seconds other turn = 14
wait_duration_seconds s buffer = 66
wait_duration_seconds s limit = 68
wait_duration_seconds s permit = 69
wait_duration_seconds s turn = 67";
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn the_catalogue_is_named_as_prometheus_names_things() {
    let mut names = HashSet::new();
    for Row { family, .. } in ROWS {
        let name = family.name;
        let base = name.strip_suffix("_total").unwrap_or(name);
        assert!(names.insert(base), "{name} is there twice");
        assert!(name.starts_with("fanfare_"), "{name}");
        let simple = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(name.chars().all(simple), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            family.kind == FamilyKind::Counter,
            "{name}"
        );
        assert_eq!(base.ends_with("_seconds"), family.unit.is_some(), "{name}");
        assert!(family.help.ends_with('.'), "{name}");
        // So that it needs no escape.
        assert!(!family.help.contains(['\\', '\n', '"']), "{name}");
        for ending in ["_bucket", "_sum", "_count", "_created", "_info"] {
            assert!(!name.ends_with(ending), "{name}");
        }
    }
}
