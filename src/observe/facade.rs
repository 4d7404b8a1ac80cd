//! Everything that is measured, told to the `metrics` facade. Feature `metrics-facade`.
//!
//! A [`Facade`] tells the recorder that the application has installed what has changed since the last time: never an event at a time, so that an emission costs the same with it and without.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use std::time::Duration;
//! use fanfare::Bus;
//! use fanfare::observe::facade::Facade;
//!
//! let bus = Bus::new();
//! let mut facade = Facade::new(&bus);
//! tokio::spawn(async move { facade.run(Duration::from_secs(10)).await });
//! # }
//! ```
//!
//! The names and labels are those of the [catalogue](crate::observe::families), without those of a [`Health`](super::Health) and a [`RuntimeReading`](super::RuntimeReading), which it does not tell. Counters are told by `absolute`, gauges by `set`. Counters of time (`_seconds_total`) are told as gauges, as the
//! facade's counters are whole numbers. Of a histogram each bucket is one `record_many` with its longest duration, which is at most 1/32 above what was measured; what a recorder makes of that, and
//! whether it keeps each value, is its own affair.
//!
//! # Failure modes
//!
//! ## No recorder
//!
//! Whatever is told before one is installed goes nowhere: counters and gauges catch up with the next time, durations do not.
//!
//! ## A listener goes while others share its label
//!
//! Their sum falls, and it cannot be seen how much came in between: nothing is told of that time, and counting goes on from there. So a counter never tells anything twice, and may miss what was done
//! between two times. The same goes for a listener that is replaced.
//!
//! ## Something is gone
//!
//! Its gauges are set to 0, once. What was told of its counters and durations is remembered: if it comes back, as when it was [`Off`](crate::Metrics::Off) for a while, what came since is told; if it
//! has fewer by then, it is taken for another of its labels, and all of it is told. Another that has more by then is not told from the others, and as many are missed.
//!
//! Of what is gone, 10,000 counters and 1,000 histograms are remembered. Of what is gone for longer, a counter begins with what it is then, and durations are told again if it comes back.
//!
//! ## Two buses have one name
//!
//! Each has a `Facade` that knows nothing of the other: what one tells overwrites the other's counters and gauges. Give each a [name](crate::BusBuilder::name).

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use ::metrics::{self as facade, Key, KeyName, Level, Metadata, Recorder};

use super::collect::{Places, collect_in, snapshot_families};
use super::{Collector, Family, FamilyKind, Label, Snapshot, Total, Unit};
use crate::bus::{Bus, WeakBus};
use crate::metrics::Distribution;

static METADATA: Metadata<'static> =
    Metadata::new("fanfare", Level::INFO, Some("fanfare::observe::facade"));

/// Tells the `metrics` facade what a bus has measured. See [the module](crate::observe::facade).
///
/// It remembers what it has told, so that a bus should have one. It does not keep its bus.
pub struct Facade {
    bus: WeakBus,
    told: HashMap<Key, Told>,
    places: Places,
    max_listeners: usize,
    /// How often it was told.
    times: u64,
}

impl Facade {
    /// Tells of a bus. See [`Facade`].
    pub fn new(bus: &Bus) -> Self {
        Self {
            bus: bus.downgrade(),
            told: HashMap::new(),
            places: Places::default(),
            max_listeners: 1_000,
            times: 0,
        }
    }

    /// How many listeners have series of their own: those that were registered first. The others of a signal are told as one, "other". Default: 1,000; there is no limit, and 0 is none.
    ///
    /// Each is told as the same for as long as it is there: a place that becomes free goes to one that comes later.
    #[must_use]
    pub fn max_listeners(mut self, listeners: usize) -> Self {
        self.max_listeners = listeners;
        self
    }

    /// Tells the recorder of this thread, or of the process, what is measured now.
    ///
    /// ```
    /// use fanfare::Bus;
    /// use fanfare::observe::facade::Facade;
    /// use metrics_util::debugging::DebuggingRecorder;
    ///
    /// let bus = Bus::new();
    /// let mut facade = Facade::new(&bus);
    /// let recorder = DebuggingRecorder::new();
    /// metrics::with_local_recorder(&recorder, || facade.publish());
    /// assert_eq!(recorder.snapshotter().snapshot().into_vec().len(), 2); // of the bus: it has no signal
    /// ```
    pub fn publish(&mut self) {
        let snapshot = self.bus.upgrade().map(|bus| bus.snapshot());
        self.publish_all(snapshot.as_slice());
    }

    fn gone(&self) -> usize {
        let gone = |told: &&Told| told.when != self.times;
        self.told.values().filter(gone).count()
    }

    fn publish_all(&mut self, snapshots: &[Snapshot]) {
        self.times += 1;
        facade::with_recorder(|recorder| {
            describe(recorder);
            let mut teller = Teller {
                recorder,
                told: &mut self.told,
                max_listeners: self.max_listeners,
                now: self.times,
            };
            collect_in(snapshots, &mut self.places, &mut teller);
            teller.end();
        });
    }

    /// Publishes at once and then every so often, at least a millisecond apart, until the bus is gone. Needs tokio's timer.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped at any time, and begun again: what was told is remembered. [`publish`](Self::publish) once more for what has come since the last time.
    pub async fn run(&mut self, every: Duration) {
        let every = every.max(Duration::from_millis(1));
        loop {
            self.publish();
            if self.bus.upgrade().is_none() {
                return;
            }
            tokio::time::sleep(every).await;
        }
    }
}

impl fmt::Debug for Facade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facade")
            .field("series", &(self.told.len() - self.gone()))
            .field("gone", &self.gone())
            .field("max_listeners", &self.max_listeners)
            .finish_non_exhaustive()
    }
}

/// What was told of one series, and when last.
struct Told {
    value: Value,
    when: u64,
}

enum Value {
    /// A counter: what it was, and what was told, which does not fall.
    Count {
        last: u64,
        told: u64,
    },
    Gauge,
    Durations(Distribution),
}

/// What is remembered of counters that are gone, and of histograms, which are 9 KiB each.
const MOST_COUNTERS: usize = 10_000;
const MOST_HISTOGRAMS: usize = 1_000;

/// Before anything is told: the recorder may be another than the last time.
fn describe(recorder: &dyn Recorder) {
    for family in snapshot_families() {
        let name = KeyName::from_const_str(family.name);
        let unit = match family.unit {
            Some(Unit::Seconds) => facade::Unit::Seconds,
            None => facade::Unit::Count,
        };
        let (unit, help) = (Some(unit), family.help.into());
        match (family.kind, family.unit) {
            (FamilyKind::Counter, None) => recorder.describe_counter(name, unit, help),
            (FamilyKind::Counter, Some(_)) | (FamilyKind::Gauge, _) => {
                recorder.describe_gauge(name, unit, help);
            }
            (FamilyKind::Histogram, _) => recorder.describe_histogram(name, unit, help),
        }
    }
}

struct Teller<'a> {
    recorder: &'a dyn Recorder,
    told: &'a mut HashMap<Key, Told>,
    max_listeners: usize,
    now: u64,
}

impl Teller<'_> {
    /// What was told of this series before, or of one that has nothing yet, and whether it was gone the last time.
    fn told(&mut self, key: &Key, new: Value) -> (&mut Value, bool) {
        let told = self.told.entry(key.clone());
        let told = told.or_insert(Told {
            value: new,
            when: self.now,
        });
        let returns = told.when + 1 < self.now;
        told.when = self.now;
        (&mut told.value, returns)
    }

    fn set(&mut self, key: &Key, value: f64) {
        self.told(key, Value::Gauge);
        self.recorder.register_gauge(key, &METADATA).set(value);
    }

    /// Sets the gauges of what is gone to zero, and remembers the rest for when it comes back: what has been gone for longest is forgotten beyond the limits.
    fn end(self) {
        let Self {
            recorder,
            told,
            now,
            ..
        } = self;
        let (mut counters, mut histograms) = (Vec::new(), Vec::new());
        told.retain(|key, told| {
            if told.when == now {
                return true;
            }
            match &told.value {
                Value::Count { .. } => counters.push((told.when, key.clone())),
                Value::Durations(_) => histograms.push((told.when, key.clone())),
                Value::Gauge => recorder.register_gauge(key, &METADATA).set(0.0),
            }
            !matches!(told.value, Value::Gauge)
        });
        for (mut gone, most) in [(counters, MOST_COUNTERS), (histograms, MOST_HISTOGRAMS)] {
            gone.sort_unstable_by_key(|(when, _)| *when);
            for (_, key) in gone.iter().take(gone.len().saturating_sub(most)) {
                told.remove(key);
            }
        }
    }
}

impl Collector for Teller<'_> {
    fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total) {
        let key = key(family, labels);
        let Total::Count(count) = value else {
            return self.set(&key, value.as_f64());
        };
        let new = Value::Count { last: 0, told: 0 };
        if let (Value::Count { last, told }, returns) = self.told(&key, new) {
            // Less than there was is of another.
            let is_another = returns && count < *last;
            *told += if is_another {
                count
            } else {
                count.saturating_sub(*last)
            };
            *last = count;
            let told = *told;
            self.recorder
                .register_counter(&key, &METADATA)
                .absolute(told);
        }
    }

    fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
        self.set(&key(family, labels), value);
    }

    fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution) {
        let key = key(family, labels);
        let histogram = self.recorder.register_histogram(&key, &METADATA);
        let new = Value::Durations(Distribution::default());
        if let (Value::Durations(last), returns) = self.told(&key, new) {
            // All of it, if some of it has gone.
            let since = value.since(last);
            let rose = returns || since.count() + last.count() == value.count();
            *last = value.clone();
            for bucket in since.buckets().filter(|_| rose) {
                let times = usize::try_from(bucket.count).unwrap_or(usize::MAX);
                histogram.record_many(bucket.upper.as_secs_f64(), times);
            }
        }
    }

    fn max_listeners(&self) -> usize {
        self.max_listeners
    }
}

fn key(family: &Family, labels: &[Label<'_>]) -> Key {
    let labels = labels.iter();
    let labels = labels.map(|(name, value)| facade::Label::new(*name, (*value).to_owned()));
    Key::from_parts(family.name, labels.collect::<Vec<_>>())
}
