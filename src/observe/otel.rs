//! OpenTelemetry: everything that is measured, told to the global meter provider. Feature `otel`.
//!
//! Only OpenTelemetry's API is used: what exports it, and where to, is up to the provider that the program sets with `opentelemetry::global::set_meter_provider`, before it makes the
//! [`Instruments`]. Spans do not need them: they go through `tracing` ([`Trace`](crate::layer::Trace)) and the layer of `tracing-opentelemetry`.
//!
//! # Failures
//!
//! - **The provider is set later**: the instruments are those of a provider that does nothing.
//! - **The bus is gone**: nothing is observed any more.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::metrics::{AsyncInstrument, Meter};
use opentelemetry::{InstrumentationScope, KeyValue, global};

use super::collect::{
    Collector, Family, FamilyKind, Label, Places, Total, Unit, collect_in, snapshot_families,
};
use crate::bus::{Bus, WeakBus};
use crate::metrics::Distribution;
use crate::sync::Mutex;

/// The instruments of one bus. While it lives, each collection of the meter provider observes the bus, as it is then. Dropping it ends that.
///
/// A [`Family`] of a [`Snapshot`](crate::observe::Snapshot) is an instrument of OpenTelemetry's kind of name: `fanfare_listener_calls_total` is the counter `fanfare.listener.calls`, and labels are attributes. A histogram is three,
/// since the API has none that can be observed: the gauge `fanfare.listener.duration`, with an attribute `quantile` (`0.5`, `0.9`, `0.99` and `max`), and the counters
/// `fanfare.listener.duration.count` and `fanfare.listener.duration.sum`. Times are in seconds, of the unit `s`.
///
/// Those of a [`Health`](crate::observe::Health) and a [`RuntimeReading`](crate::observe::RuntimeReading) are none.
///
/// It holds the bus weakly. Two buses of one process need names of their own.
///
/// # Examples
///
/// ```
/// use fanfare::Bus;
/// use fanfare::observe::otel::Instruments;
///
/// let bus = Bus::builder().name("shop").build();
/// let instruments = Instruments::of(&bus); // observed from here on
/// drop(instruments); // and from here on no more
/// ```
#[must_use = "dropping it ends the observation"]
pub struct Instruments {
    source: Arc<Source>,
}

impl Instruments {
    /// Makes them with the meter provider that is set now. See [`Instruments`].
    pub fn of(bus: &Bus) -> Self {
        let source = Arc::new(Source {
            bus: bus.downgrade(),
            round: Mutex::default(),
        });
        let scope = InstrumentationScope::builder("fanfare")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let meter = global::meter_with_scope(scope);
        for family in snapshot_families() {
            register(&meter, family, &source);
        }
        Self { source }
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instruments")
            .field("bus_is_alive", &self.source.bus.upgrade().is_some())
            .finish_non_exhaustive()
    }
}

/// The name of a family, as OpenTelemetry has names: `fanfare.listener.calls` for `fanfare_listener_calls_total`.
fn name_of(family: &Family) -> String {
    let name = family.name.strip_suffix("_total").unwrap_or(family.name);
    let name = name.strip_suffix("_seconds").unwrap_or(name);
    let name = name.strip_prefix("fanfare_").unwrap_or(name);
    let spaces = [
        "bus", "signal", "listener", "pool", "emission", "buffer", "wait",
    ];
    match name.split_once('_') {
        Some((space, rest)) if spaces.contains(&space) => format!("fanfare.{space}.{rest}"),
        _ => format!("fanfare.{name}"),
    }
}

/// What of a family one instrument is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Whole,
    Count,
    Sum,
}

fn register(meter: &Meter, family: &'static Family, source: &Arc<Source>) {
    let name = name_of(family);
    let unit = match family.unit {
        Some(Unit::Seconds) => "s",
        None => "",
    };
    let whole = || Callback::new(source, family, Part::Whole);
    match (family.kind, family.unit) {
        (FamilyKind::Counter, None) => counter(meter, name, family.help, whole()),
        (FamilyKind::Counter, Some(_)) => {
            let counter = meter.f64_observable_counter(name).with_unit(unit);
            let counter = counter.with_description(family.help);
            counter.with_callback(whole().seconds()).build();
        }
        (FamilyKind::Gauge, _) => {
            let gauge = meter.f64_observable_gauge(name).with_unit(unit);
            let gauge = gauge.with_description(family.help);
            gauge.with_callback(whole().gauge()).build();
        }
        (FamilyKind::Histogram, _) => {
            let gauge = meter.f64_observable_gauge(name.clone()).with_unit(unit);
            let gauge = gauge.with_description(family.help);
            gauge.with_callback(whole().quantiles()).build();
            let count = Callback::new(source, family, Part::Count);
            counter(meter, format!("{name}.count"), family.help, count);
            let sum = meter.f64_observable_counter(format!("{name}.sum"));
            let sum = sum.with_unit(unit).with_description(family.help);
            let callback = Callback::new(source, family, Part::Sum);
            sum.with_callback(callback.seconds()).build();
        }
    }
}

fn counter(meter: &Meter, name: impl Into<Cow<'static, str>>, help: &'static str, of: Callback) {
    let counter = meter.u64_observable_counter(name).with_description(help);
    counter.with_callback(of.count()).build();
}

/// What an instrument asks at each collection. The API has no way to take it back, so it holds its source weakly.
struct Callback {
    source: Weak<Source>,
    family: &'static str,
    part: Part,
}

impl Callback {
    fn new(source: &Arc<Source>, family: &Family, part: Part) -> Self {
        Self {
            source: Arc::downgrade(source),
            family: family.name,
            part,
        }
    }

    fn each(&self, mut observe: impl FnMut(&Value, &[KeyValue])) {
        let Some(source) = self.source.upgrade() else {
            return;
        };
        let series = source.series(self.family, self.part);
        for (attributes, value) in series
            .iter()
            .filter_map(|all| all.get(self.family))
            .flatten()
        {
            observe(value, attributes);
        }
    }

    fn count(self) -> impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync {
        move |instrument| {
            self.each(|value, attributes| match value {
                Value::Total(Total::Count(count)) => instrument.observe(*count, attributes),
                Value::Durations(durations) => instrument.observe(durations.count(), attributes),
                _ => {}
            });
        }
    }

    fn seconds(self) -> impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync {
        move |instrument| {
            self.each(|value, attributes| match value {
                Value::Total(total) => instrument.observe(total.as_f64(), attributes),
                Value::Durations(durations) => {
                    instrument.observe(durations.sum().as_secs_f64(), attributes);
                }
                Value::Gauge(_) => {}
            });
        }
    }

    fn gauge(self) -> impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync {
        move |instrument| {
            self.each(|value, attributes| {
                if let Value::Gauge(gauge) = value {
                    instrument.observe(*gauge, attributes);
                }
            });
        }
    }

    fn quantiles(self) -> impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync {
        move |instrument| {
            self.each(|value, attributes| {
                let Value::Durations(durations) = value else {
                    return;
                };
                let at = |quantile| durations.quantile(quantile).unwrap_or_default();
                let quantiles: [(&str, Duration); 4] = [
                    ("0.5", at(0.5)),
                    ("0.9", at(0.9)),
                    ("0.99", at(0.99)),
                    ("max", durations.max()),
                ];
                for (quantile, time) in quantiles {
                    let mut attributes = attributes.to_vec();
                    attributes.push(KeyValue::new("quantile", quantile));
                    instrument.observe(time.as_secs_f64(), &attributes);
                }
            });
        }
    }
}

/// What the callbacks of one bus share.
struct Source {
    bus: WeakBus,
    round: Mutex<Round>,
}

/// One collection: all instruments are of one moment, although each asks for itself.
#[derive(Default)]
struct Round {
    series: Option<Arc<Series>>,
    places: Places,
    /// Who has asked since it was made. One that asks again begins another.
    asked: HashSet<(&'static str, Part)>,
}

type Series = HashMap<&'static str, Vec<(Vec<KeyValue>, Value)>>;

impl Source {
    fn series(&self, family: &'static str, part: Part) -> Option<Arc<Series>> {
        // Outside of the lock: it may be the last of its handles.
        let bus = self.bus.upgrade()?;
        let mut round = self.round.lock();
        if !round.asked.insert((family, part)) || round.series.is_none() {
            let mut series = Gathered(Series::default());
            collect_in(&[bus.snapshot()], &mut round.places, &mut series);
            round.series = Some(Arc::new(series.0));
            round.asked.clear();
            round.asked.insert((family, part));
        }
        round.series.clone()
    }
}

enum Value {
    Total(Total),
    Gauge(f64),
    Durations(Box<Distribution>),
}

struct Gathered(Series);

impl Gathered {
    fn push(&mut self, family: &Family, labels: &[Label<'_>], value: Value) {
        let attributes = labels
            .iter()
            .map(|(name, value)| KeyValue::new(*name, (*value).to_owned()));
        let series = self.0.entry(family.name).or_default();
        series.push((attributes.collect(), value));
    }
}

impl Collector for Gathered {
    fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total) {
        self.push(family, labels, Value::Total(value));
    }

    fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
        self.push(family, labels, Value::Gauge(value));
    }

    fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution) {
        self.push(family, labels, Value::Durations(Box::new(value.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_name_of_its_own_which_leads_back_to_it() {
        let mut names = HashSet::new();
        for family in snapshot_families() {
            let name = name_of(family);
            assert!(name.starts_with("fanfare."), "{name}");
            assert!(
                !name.contains("total") && !name.contains("seconds"),
                "{name}"
            );
            // As Prometheus makes names of OpenTelemetry's; of a histogram there is none of that name.
            let unit = family.unit.map_or("", |_| "_seconds");
            let total = match family.kind {
                FamilyKind::Counter => "_total",
                FamilyKind::Gauge | FamilyKind::Histogram => "",
            };
            let back = format!("{}{unit}{total}", name.replace('.', "_"));
            assert_eq!(family.name, back, "{name}");
            for part in ["", ".count", ".sum"] {
                let histogram = family.kind == FamilyKind::Histogram;
                if part.is_empty() || histogram {
                    assert!(names.insert(format!("{name}{part}")), "{name}{part}");
                }
            }
        }
        assert!(!names.contains("fanfare.live") && !names.contains("fanfare.runtime_workers"));
        assert!(names.contains("fanfare.listener.calls"));
        assert!(names.contains("fanfare.emissions_in_flight"));
        assert!(names.contains("fanfare.listener.duration.sum"));
    }
}
