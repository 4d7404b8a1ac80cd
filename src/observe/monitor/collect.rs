//! What is exported of a runtime.

use std::time::Duration;

use super::RuntimeReading;
use crate::metrics::Distribution;
use crate::observe::{Collector, Family, FamilyKind, Total, Unit};

/// A family, and what of a reading its value is.
struct Row {
    family: Family,
    read: Read,
}

#[derive(Clone, Copy)]
enum Read {
    Count(fn(&RuntimeReading) -> u64),
    Time(fn(&RuntimeReading) -> Duration),
    Gauge(fn(&RuntimeReading) -> usize),
    Durations(fn(&RuntimeReading) -> &Distribution),
}

const fn row(name: &'static str, help: &'static str, read: Read) -> Row {
    let (kind, unit) = match read {
        Read::Count(_) => (FamilyKind::Counter, None),
        Read::Time(_) => (FamilyKind::Counter, Some(Unit::Seconds)),
        Read::Gauge(_) => (FamilyKind::Gauge, None),
        Read::Durations(_) => (FamilyKind::Histogram, Some(Unit::Seconds)),
    };
    Row {
        family: Family {
            name,
            help,
            kind,
            unit,
            labels: &["runtime"],
        },
        read,
    }
}

/// In the order in which they are told.
static ROWS: [Row; 8] = [
    row(
        "fanfare_runtime_workers",
        "The workers of the runtime.",
        Read::Gauge(|reading| reading.workers),
    ),
    row(
        "fanfare_runtime_blocked_workers",
        "Workers that have neither parked nor got on for long: something blocks their threads.",
        Read::Gauge(|reading| reading.blocked_workers),
    ),
    row(
        "fanfare_runtime_busy_seconds_total",
        "How long the workers were busy, added up.",
        Read::Time(|reading| reading.busy_time),
    ),
    row(
        "fanfare_runtime_alive_tasks",
        "Tasks that are spawned and have not ended.",
        Read::Gauge(|reading| reading.alive_tasks),
    ),
    row(
        "fanfare_runtime_queued_tasks",
        "Tasks that wait in the global queue of the runtime.",
        Read::Gauge(|reading| reading.queue_depth),
    ),
    row(
        "fanfare_runtime_stalls_total",
        "Times in which the runtime polled nothing for long.",
        Read::Count(|reading| reading.stall_count),
    ),
    row(
        "fanfare_runtime_stalled_seconds_total",
        "How long those lasted, added up.",
        Read::Time(|reading| reading.stalled_time),
    ),
    row(
        "fanfare_runtime_scheduling_duration_seconds",
        "How long a task that is ready waits to be polled.",
        Read::Durations(|reading| &reading.delays),
    ),
];

pub(in crate::observe) fn families() -> impl Iterator<Item = &'static Family> {
    ROWS.iter().map(|row| &row.family)
}

impl RuntimeReading {
    /// Tells everything to a collector. See [`Collector`](crate::observe::Collector).
    pub fn collect(&self, collector: &mut dyn Collector) {
        collect_all(std::slice::from_ref(self), collector);
    }
}

/// Tells of several: of runtimes that have names of their own.
pub(in crate::observe) fn collect_all(readings: &[RuntimeReading], collector: &mut dyn Collector) {
    for Row { family, read } in &ROWS {
        for reading in readings {
            let labels = [("runtime", reading.runtime.as_str())];
            match read {
                Read::Count(read) => {
                    collector.counter(family, &labels, Total::Count(read(reading)));
                }
                Read::Time(read) => collector.counter(family, &labels, Total::Time(read(reading))),
                Read::Gauge(read) => {
                    let number = u32::try_from(read(reading)).unwrap_or(u32::MAX);
                    collector.gauge(family, &labels, f64::from(number));
                }
                Read::Durations(read) => {
                    let durations = read(reading);
                    if !durations.is_empty() {
                        collector.histogram(family, &labels, durations);
                    }
                }
            }
        }
    }
}
