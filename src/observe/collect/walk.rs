//! Telling everything to a collector.

use super::families::{ROWS, Read, Row};
use super::family::{Family, Label};
use super::grouped::{Grouped, Groups, OTHER};
use super::places::Places;
use super::value::{Total, Value};
use crate::bus::Bus;
use crate::metrics::Distribution;
use crate::observe::snapshot::Snapshot;
use crate::observe::{health, monitor};

/// What takes everything that is exported, one series after another: for a sink of your own. [`Bus::collect`] and [`Snapshot::collect`] tell it.
///
/// The series of a family come in a row, and no labels come twice in it: what shares its labels is summed up, such as listeners that were registered in a loop. The labels are those that
/// [`Family::labels`] names, in that order. What is measured at [`Metrics::Off`](crate::Metrics::Off) is left out, and so is a histogram that nothing was recorded in.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Bus;
/// use fanfare::observe::{Collector, Distribution, Family, Label, Total};
///
/// struct Lines(Vec<String>);
///
/// impl Collector for Lines {
///     fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total) {
///         self.0.push(format!("{} {labels:?} {value}", family.name));
///     }
///
///     fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
///         self.0.push(format!("{} {labels:?} {value}", family.name));
///     }
///
///     fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution) {
///         self.0.push(format!("{} {labels:?} {value:?}", family.name));
///     }
/// }
///
/// let bus = Bus::new();
/// bus.listen::<u32>().key("audit").on(async |_| {})?;
/// let _ = bus.emit(1_u32).await;
///
/// let mut lines = Lines(Vec::new());
/// bus.collect(&mut lines);
/// let calls = r#"fanfare_listener_calls_total [("bus", "bus"), ("signal", "u32"), ("listener", "audit")] 1"#;
/// assert!(lines.0.iter().any(|line| line == calls));
/// # Ok(()) }
/// ```
pub trait Collector {
    /// Takes a counter.
    fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total);

    /// Takes a gauge.
    fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64);

    /// Takes a histogram.
    fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution);

    /// How many listeners, of all buses and signals, have series of their own: those that were registered first. What the others of a signal did is summed up as its listener "other". Default:
    /// 1,000.
    ///
    /// Each collection decides anew: when one with a series of its own goes, the next leaves "other" with all that it has done, and the counters of "other" fall by that.
    fn max_listeners(&self) -> usize {
        1_000
    }
}

/// Those of a [`Snapshot`].
#[cfg(any(feature = "metrics-facade", feature = "otel"))]
pub(in crate::observe) fn snapshot_families() -> impl Iterator<Item = &'static Family> {
    ROWS.iter().map(|row| &row.family)
}

/// Every family there is, in the order in which collectors are told them: those of a [`Snapshot`], then those of a [`Health`](crate::observe::Health) and of a
/// [`RuntimeReading`](crate::observe::RuntimeReading), which are told by their own `collect`.
///
/// ```
/// let mut names = fanfare::observe::families().map(|family| family.name);
/// assert!(names.any(|name| name == "fanfare_emissions_total"));
/// ```
pub fn families() -> impl Iterator<Item = &'static Family> {
    let rows = ROWS.iter().map(|row| &row.family);
    rows.chain(health::FAMILIES).chain(monitor::families())
}

/// Tells what is in several snapshots, as if they were one: of several buses, that have names of their own. See [`Collector`](crate::observe::Collector).
pub fn collect_all(snapshots: &[Snapshot], collector: &mut dyn Collector) {
    collect_in(snapshots, &mut Places::default(), collector);
}

/// The same, and each listener keeps its place from one time to the next.
pub(in crate::observe) fn collect_in(
    snapshots: &[Snapshot],
    places: &mut Places,
    collector: &mut dyn Collector,
) {
    places.assign(snapshots, collector.max_listeners());
    let grouped = Grouped::new(snapshots, places);
    for row in ROWS {
        for series in row.series(&grouped, snapshots) {
            series.tell(&row.family, collector);
        }
    }
}

impl Snapshot {
    /// Tells everything to a collector. See [`Collector`](crate::observe::Collector).
    pub fn collect(&self, collector: &mut dyn Collector) {
        collect_all(std::slice::from_ref(self), collector);
    }
}

impl Bus {
    /// Tells everything to a collector, as it is now. See [`Collector`](crate::observe::Collector).
    pub fn collect(&self, collector: &mut dyn Collector) {
        self.snapshot().collect(collector);
    }
}

/// One series: its labels, of which a family has the first, and its value.
struct Series<'a> {
    labels: [&'a str; 4],
    value: Value<'a>,
}

impl Series<'_> {
    fn tell(&self, family: &Family, collector: &mut dyn Collector) {
        let names = family.labels.iter().copied();
        let labels: Vec<Label<'_>> = names.zip(self.labels).collect();
        match &self.value {
            Value::Total(total) => collector.counter(family, &labels, *total),
            Value::Gauge(gauge) => collector.gauge(family, &labels, *gauge),
            Value::Durations(durations) => collector.histogram(family, &labels, durations),
        }
    }
}

impl Row {
    fn series<'a>(&self, grouped: &Grouped<'a>, snapshots: &'a [Snapshot]) -> Vec<Series<'a>> {
        let mut all = match self.read {
            Read::Bus(read) => one_each(&grouped.buses, read),
            Read::Signal(read) => one_each(&grouped.signals, read),
            Read::SignalBy(read) => several_each(&grouped.signals, read),
            Read::Listener(read) => one_each(&grouped.listeners, read),
            Read::ListenerBy(read) => several_each(&grouped.listeners, read),
            Read::Pool(read) => one_each(&grouped.pools, read),
        };
        if let Some(others) = self.others {
            for bus in snapshots.iter().filter(|bus| is_any_on(bus)) {
                for (last, durations) in others(bus) {
                    let last = if last.is_empty() { OTHER } else { last };
                    let labels = [&*bus.bus, OTHER, last];
                    add(&mut all, &labels[..self.family.labels.len()], durations);
                }
            }
        }
        all.retain(|series| series.value.is_series());
        all
    }
}

/// Whether something of the bus may have recorded among others, and still does.
fn is_any_on(bus: &Snapshot) -> bool {
    let mut signals = bus.signals.iter();
    bus.metrics.is_on() || signals.any(|signal| signal.metrics.is_on())
}

fn one_each<'a, T, const N: usize>(
    groups: &Groups<'a, T, N>,
    read: fn(&T) -> Value<'_>,
) -> Vec<Series<'a>> {
    let sums = groups.iter().filter_map(|(labels, group)| {
        let sum = group.iter().map(|one| read(one)).reduce(plus)?;
        Some(Series {
            labels: padded(labels),
            value: sum,
        })
    });
    sums.collect()
}

fn several_each<'a, T, const N: usize>(
    groups: &Groups<'a, T, N>,
    read: fn(&T) -> Vec<(&'static str, Value<'_>)>,
) -> Vec<Series<'a>> {
    let mut all = Vec::new();
    for (labels, group) in groups.iter() {
        let begin = all.len();
        for (last, value) in group.iter().flat_map(|one| read(one)) {
            let mut labels = padded(labels);
            labels[N] = last;
            sum_up(&mut all, begin, labels, value);
        }
    }
    all
}

/// Adds what was recorded among others to the series that has these labels already, or as one more.
fn add<'a>(all: &mut Vec<Series<'a>>, labels: &[&'a str], durations: &'a Distribution) {
    if !durations.is_empty() {
        sum_up(all, 0, padded(labels), Value::durations(durations));
    }
}

/// Adds to one of those from `begin` on, or puts one more at the end.
fn sum_up<'a>(all: &mut Vec<Series<'a>>, begin: usize, labels: [&'a str; 4], value: Value<'a>) {
    let known = all[begin..].iter_mut();
    match known.into_iter().find(|series| series.labels == labels) {
        Some(series) => series.value.add(value),
        None => all.push(Series { labels, value }),
    }
}

fn plus<'a>(mut sum: Value<'a>, more: Value<'a>) -> Value<'a> {
    sum.add(more);
    sum
}

fn padded<'a>(labels: &[&'a str]) -> [&'a str; 4] {
    let mut padded = [""; 4];
    padded[..labels.len()].copy_from_slice(labels);
    padded
}
