//! What exports are told of health, and of a runtime.

use fanfare::Bus;
use fanfare::observe::families;
use fanfare::observe::{Collector, Distribution, Family, FamilyKind, Label, RuntimeMonitor, Total};
use tokio::runtime::Handle;

use super::{SECOND, check};

/// A line for each series.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, kind: FamilyKind, family: &Family, labels: &[Label<'_>], value: &str) {
        assert_eq!(kind, family.kind, "{}", family.name);
        let names: Vec<_> = labels.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, family.labels, "{}", family.name);
        assert!(families().any(|known| known == family), "{}", family.name);
        let labels: Vec<_> = labels.iter().map(|(_, value)| *value).collect();
        let line = format!("{} {} {value}", family.name, labels.join(" "));
        self.0.push(line);
    }

    fn value(&self, series: &str) -> &str {
        let found = self.0.iter().find_map(|line| line.strip_prefix(series));
        found.unwrap_or_else(|| panic!("{series}: {:?}", self.0))
    }
}

impl Collector for Lines {
    fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total) {
        self.add(FamilyKind::Counter, family, labels, &value.to_string());
    }

    fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
        self.add(FamilyKind::Gauge, family, labels, &value.to_string());
    }

    fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution) {
        let count = value.count().to_string();
        self.add(FamilyKind::Histogram, family, labels, &count);
    }
}

#[tokio::test(start_paused = true)]
async fn a_health_is_told_with_how_many_reasons_there_are_of_each_name() {
    let bus = Bus::builder().name("shop").build();
    let check = check(&bus).build();
    let told = || {
        let mut lines = Lines::default();
        check.health().collect(&mut lines);
        lines
    };
    let well = told();
    assert_eq!(well.value("fanfare_live shop "), "1");
    assert_eq!(well.value("fanfare_ready shop "), "1");
    let reasons = well
        .0
        .iter()
        .filter(|line| line.starts_with("fanfare_degradations shop "));
    let reasons: Vec<_> = reasons.collect();
    assert_eq!(reasons.len(), 18);
    assert!(
        reasons.iter().all(|line| line.ends_with(" 0")),
        "{reasons:?}"
    );

    for key in ["a", "b"] {
        let sub = bus.listen::<u32>().key(key).on(async |_| {}).unwrap();
        sub.disable();
    }
    assert_eq!(told().value("fanfare_degradations shop switched_off "), "2");
    assert_eq!(told().value("fanfare_ready shop "), "1");
    let _ = bus.shutdown(SECOND).await;
    assert_eq!(told().value("fanfare_degradations shop closed "), "1");
    assert_eq!(told().value("fanfare_ready shop "), "0");
    assert_eq!(told().value("fanfare_live shop "), "1");
}

#[tokio::test]
async fn a_reading_is_told_in_full() {
    let monitor = RuntimeMonitor::builder(Handle::current())
        .name("io")
        .build();
    let mut reading = monitor.reading();
    while reading.delays.is_empty() {
        tokio::task::yield_now().await;
        reading = monitor.reading();
    }
    let mut lines = Lines::default();
    reading.collect(&mut lines);
    assert_eq!(lines.value("fanfare_runtime_workers io "), "1");
    let delays = lines.value("fanfare_runtime_scheduling_duration_seconds io ");
    assert_eq!(delays, reading.delays.count().to_string());
    let stalls = lines.value("fanfare_runtime_stalls_total io ");
    assert_eq!(stalls, reading.stall_count.to_string());
    let alive = lines.value("fanfare_runtime_alive_tasks io ");
    assert_eq!(alive, reading.alive_tasks.to_string());
    let of_runtimes = families().filter(|family| family.labels == ["runtime"]);
    assert_eq!(lines.0.len(), of_runtimes.count());
}
