//! Every counter, gauge and histogram of a bus at one moment.

use std::time::{Duration, SystemTime};

use crate::buffer::Overflow;
use crate::bus::Bus;
use crate::dispatch::{Dispatch, Stats};
use crate::event::Event;
use crate::listener::{BreakerCounts, Kind};
use crate::metrics::{Distribution, Metrics, SlowCall, Wait};
use crate::outcome::Skip;
use crate::pool::Pool;
use crate::registry::Metadata;
use crate::signal::{AnySignal, Derived, Signal};

/// Every counter, gauge and histogram of a bus, and what is known of each listener, as plain values: [`Bus::snapshot`] makes it.
///
/// Each value is exact when it is read; they are read one after another while the bus goes on, so that two of them may be an emission apart. With the feature `serde` it is `Serialize`: durations are
/// seconds, as fields that end in `_seconds`, and times are seconds since 1970.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of the bus.
    pub bus: String,
    /// When it was taken.
    #[cfg_attr(feature = "serde", serde(with = "super::serde::time"))]
    pub taken_at: SystemTime,
    /// Whether the bus is shut down, or is about to be.
    pub closed: bool,
    /// How much is measured of the signals that have no level of their own.
    pub metrics: Metrics,
    /// What all signals have done together, and the events that no signal was there for.
    pub totals: Stats,
    /// Events of types that no signal was there for.
    pub unknown_events: u64,
    /// The signals of the bus, by name. Derived signals are not among them: see [`Derived::snapshot`](crate::Derived::snapshot).
    pub signals: Vec<SignalSnapshot>,
    /// The pools that they run on, each once.
    pub pools: Vec<PoolSnapshot>,
    /// How long the calls took of listeners that have no histogram of their own, since there are [as many as there may be](crate::BusBuilder::max_series).
    pub other_listeners: Distribution,
    /// The same of emissions.
    pub other_emissions: Distribution,
    /// The same of waits.
    pub other_waits: WaitTimes,
}

/// One signal in a [`Snapshot`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SignalSnapshot {
    /// Its name.
    pub name: String,
    /// The name of its event type.
    pub event: &'static str,
    /// How its listeners run.
    pub dispatch: Dispatch,
    /// How much is measured of it.
    pub metrics: Metrics,
    /// Whether it takes no more events.
    pub closed: bool,
    /// What it has done.
    pub stats: Stats,
    /// Its listeners, in the order of calls.
    pub listeners: Vec<ListenerSnapshot>,
    /// What is under way that a shutdown waits for: emissions that have suspended, are detached or come from the buffer, blocking threads, calls in the background, events that listeners have held, and what
    /// the signals that are derived from it do apart from its emissions. An emission in its first poll does not show.
    pub in_flight: usize,
    /// Calls that go on in the background: retries that sleep, and the like.
    pub background: usize,
    /// How many of those there may be.
    pub max_background: usize,
    /// Events in the buffer.
    pub buffered: usize,
    /// How many it can hold.
    pub buffer_capacity: usize,
    /// What becomes of an event when it is full.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::serde::words"))]
    pub overflow: Overflow,
    /// How many events are in the lane that has the most, where there are [priorities](crate::SignalBuilder::priorities); the same as `buffered` where there are none.
    pub fullest_lane: usize,
    /// How many a lane can hold.
    pub lane_capacity: usize,
    /// Whether the buffer has reached its high mark, and not fallen to the low one since.
    pub under_pressure: bool,
    /// Whether the marks were given, and are not those that follow from the size.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) own_marks: bool,
    /// Which of the [pools](Snapshot::pools) its listeners run on.
    pub pool: Option<String>,
    /// How long its emissions took that were timed, from their first poll to their report.
    pub durations: Distribution,
    /// How long they waited, for what.
    pub waits: WaitTimes,
}

/// One listener in a [`Snapshot`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ListenerSnapshot {
    /// Its number, unique in the process.
    pub id: u64,
    /// Its key, if it has one.
    pub key: Option<String>,
    /// What names it across restarts: its key, or the place in the source where it was registered, as `src/main.rs:10`. Listeners registered in a loop share one.
    pub label: String,
    /// How it takes its event.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::serde::words"))]
    pub kind: Kind,
    /// Higher starts first.
    pub priority: i32,
    /// Lower ones finish before it starts.
    pub stage: u32,
    /// How much is measured of it.
    pub metrics: Metrics,
    /// How often it was called.
    pub calls: u64,
    /// How many calls returned an error.
    pub errors: u64,
    /// How many calls panicked.
    pub panics: u64,
    /// How many calls a deadline ended.
    pub timeouts: u64,
    /// How many calls were rejected: no permit, a limit, an open breaker.
    pub rejections: u64,
    /// How many calls were cancelled.
    pub cancellations: u64,
    /// How many calls were handed to the background, or held while it was paused.
    pub deferrals: u64,
    /// How often it was passed over.
    pub skips: u64,
    /// How many attempts its calls have begun beyond the first of each.
    pub retries: u64,
    /// How many of its calls led to a dead letter.
    pub dead_letters: u64,
    /// In which states its circuit breakers are, if it has some.
    pub breakers: Option<BreakerCounts>,
    /// How many run now, beyond their first poll.
    pub running: usize,
    /// How many events it holds, as it is or was paused.
    pub held: usize,
    /// Why it is not called now, if it is switched off.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::serde::words_if_any")
    )]
    pub switched_off: Option<Skip>,
    /// Whether it [waits to be ready](crate::ListenBuilder::hold_until_ready): registered so, and never resumed.
    pub awaits_ready: bool,
    /// When it was registered.
    #[cfg_attr(feature = "serde", serde(with = "super::serde::time"))]
    pub added_at: SystemTime,
    /// When it was last called, to the second.
    #[cfg_attr(feature = "serde", serde(with = "super::serde::time_if_any"))]
    pub last_called: Option<SystemTime>,
    /// The last error or panic, as text. It is the listener's own, and may name what it worked on.
    pub last_error: Option<String>,
    /// What is around it, outermost first.
    pub layers: Vec<String>,
    /// How long its calls took that were timed, all attempts and waits between them included. Empty if it records among the others.
    pub durations: Distribution,
}

/// One pool in a [`Snapshot`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// Its name; "pool" for the one that a bus was given without a name, the signal's name for one of its own.
    pub name: String,
    /// The number of permits.
    pub size: usize,
    /// How many are held.
    pub in_use: usize,
    /// How many have been taken, wrapping.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) taken: u32,
    /// How many emissions and tasks wait for one.
    pub waiting: usize,
    /// How long those that wait now have waited so far, added up.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "waiting_seconds", with = "super::serde::seconds")
    )]
    pub waiting_time: Duration,
    /// How long permits were held, added up.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "busy_seconds", with = "super::serde::seconds")
    )]
    pub busy_time: Duration,
    /// How long permits were free, added up.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "idle_seconds", with = "super::serde::seconds")
    )]
    pub idle_time: Duration,
    /// How many began to wait.
    pub waits: u64,
    /// How long those waited that have waited to the end, added up.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "wait_seconds", with = "super::serde::seconds")
    )]
    pub wait_time: Duration,
    /// Emissions that were rejected, as it was full.
    pub rejections: u64,
}

/// How long emissions waited before their listeners were called, by what for.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WaitTimes {
    /// In the buffer.
    pub buffer: Distribution,
    /// For the turn of the key.
    pub turn: Distribution,
    /// For the limit on emissions.
    pub limit: Distribution,
    /// For a permit of the pool.
    pub permit: Distribution,
}

impl WaitTimes {
    fn of(mut wait: impl FnMut(Wait) -> Distribution) -> Self {
        Self {
            buffer: wait(Wait::Buffer),
            turn: wait(Wait::Turn),
            limit: wait(Wait::Limit),
            permit: wait(Wait::Permit),
        }
    }

    /// Those for this. See [`WaitTimes`](crate::observe::WaitTimes).
    pub fn of_kind(&self, wait: Wait) -> &Distribution {
        match wait {
            Wait::Buffer => &self.buffer,
            Wait::Turn => &self.turn,
            Wait::Limit => &self.limit,
            Wait::Permit => &self.permit,
        }
    }
}

impl Bus {
    /// Every counter, gauge and histogram, and what is known of each listener, as plain values. O(n) in signals and listeners; nothing waits for it. Derived signals have
    /// [snapshots of their own](crate::Derived::snapshot). See [`Snapshot`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::{Bus, Metrics};
    ///
    /// let bus = Bus::builder().metrics(Metrics::Timed).build();
    /// bus.listen::<u32>().key("audit").on(async |_| {})?;
    /// let _ = bus.emit(1_u32).await;
    ///
    /// let snapshot = bus.snapshot();
    /// let audit = &snapshot.signals[0].listeners[0];
    /// assert_eq!((audit.label.as_str(), audit.calls, audit.durations.count()), ("audit", 1, 1));
    /// # Ok(()) }
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        let (listeners, emissions, waits) = self.board().others();
        let mut pools = Pools::default();
        if let Some(pool) = self.pool() {
            pools.name(pool, "pool");
        }
        let all = self.signals();
        let signals = all.iter().map(|signal| of_signal(&**signal, &mut pools));
        Snapshot {
            signals: signals.collect(),
            bus: self.home().name.to_string(),
            taken_at: SystemTime::now(),
            closed: self.is_closed(),
            metrics: self.metrics(),
            totals: self.stats(),
            unknown_events: self.unknown_events(),
            pools: pools.0.into_iter().map(of_pool).collect(),
            other_listeners: listeners,
            other_emissions: emissions,
            other_waits: {
                let mut waits = waits;
                WaitTimes::of(|wait| std::mem::take(&mut waits[wait as usize]))
            },
        }
    }

    /// The latest timed calls that took as long as [`slow_after`](crate::BusBuilder::slow_after) or longer, the oldest first; at most 64. See [`SlowCall`].
    pub fn slow_calls(&self) -> Vec<SlowCall> {
        self.board().slow_calls()
    }
}

impl<E: Event> Signal<E> {
    /// The same of one signal. See [`Bus::snapshot`].
    pub fn snapshot(&self) -> SignalSnapshot {
        of_signal(&*self.inner, &mut Pools::default())
    }
}

impl<E: Event> Derived<E> {
    /// The same of a derived signal, which is in no snapshot of a bus, and not in [`Bus::stats`](crate::Bus::stats): its emissions are parts of those of its source. See [`Bus::snapshot`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let bus = fanfare::Bus::new();
    /// let even = bus.signal::<u32>().filter(|n| n % 2 == 0);
    /// even.on(async |_| {});
    /// for n in 1_u32..=4 {
    ///     let _ = bus.emit(n).await;
    /// }
    /// assert_eq!((bus.snapshot().signals.len(), bus.stats().emissions()), (1, 4));
    /// assert_eq!(even.snapshot().stats.emissions(), 2);
    /// # }
    /// ```
    pub fn snapshot(&self) -> SignalSnapshot {
        self.inner_signal().snapshot()
    }
}

/// Each pool once, with its name.
#[derive(Default)]
struct Pools(Vec<(Pool, String)>);

impl Pools {
    fn name(&mut self, pool: &Pool, otherwise: &str) -> String {
        let known = self.0.iter().find(|(known, _)| known.is(pool));
        if let Some((_, name)) = known {
            return name.clone();
        }
        let wish = pool.name().unwrap_or(otherwise);
        let taken = |name: &str| self.0.iter().any(|(_, known)| known == name);
        let mut names = (2..).map(|n| format!("{wish}-{n}"));
        let name = if taken(wish) {
            names.find(|name| !taken(name)).expect("they go on")
        } else {
            wish.to_owned()
        };
        self.0.push((pool.clone(), name.clone()));
        name
    }
}

fn of_signal(signal: &dyn AnySignal, pools: &mut Pools) -> SignalSnapshot {
    let core = signal.core();
    let meters = &core.home.meters;
    let (buffered, buffer_capacity) = signal.buffered();
    let (fullest_lane, lane_capacity) = signal.fullest_lane();
    let pool = core.options.pool.as_ref();
    let metrics = meters.level();
    let listeners = signal.metadata();
    SignalSnapshot {
        name: core.name.to_string(),
        event: core.event_type,
        dispatch: core.options.mode(),
        metrics,
        closed: core.gate.is_closed(),
        stats: core.stats(),
        listeners: listeners
            .into_iter()
            .map(|listener| of_listener(listener, metrics))
            .collect(),
        in_flight: core.gate.inside(),
        background: core.in_background(),
        max_background: core.options.max_background,
        buffered,
        buffer_capacity,
        overflow: core.options.overflow,
        fullest_lane,
        lane_capacity,
        under_pressure: signal.is_under_pressure(),
        own_marks: core.options.marks.is_some(),
        pool: pool.map(|pool| pools.name(pool, &core.name)),
        durations: meters.emissions(),
        waits: WaitTimes::of(|wait| meters.wait_times(wait)),
    }
}

fn of_listener(listener: Metadata, signal: Metrics) -> ListenerSnapshot {
    let location = listener.location();
    let label = match listener.key() {
        Some(key) => key.to_owned(),
        None => format!("{}:{}", location.file(), location.line()),
    };
    ListenerSnapshot {
        id: listener.id(),
        key: listener.key().map(str::to_owned),
        label,
        kind: listener.kind(),
        priority: listener.priority(),
        stage: listener.stage(),
        metrics: listener.level.unwrap_or(signal),
        calls: listener.calls(),
        errors: listener.errors(),
        panics: listener.panics(),
        timeouts: listener.timeouts(),
        rejections: listener.rejections(),
        cancellations: listener.cancellations(),
        deferrals: listener.deferrals(),
        skips: listener.skips(),
        retries: listener.retries(),
        dead_letters: listener.dead_letters(),
        breakers: listener.breakers(),
        running: listener.running(),
        held: listener.held(),
        switched_off: listener.switched_off(),
        awaits_ready: listener.unready,
        added_at: listener.added_at(),
        last_called: listener.last_called(),
        last_error: listener.last_error().map(str::to_owned),
        layers: listener.layers().to_vec(),
        durations: listener.durations,
    }
}

fn of_pool((pool, name): (Pool, String)) -> PoolSnapshot {
    PoolSnapshot {
        name,
        size: pool.size(),
        in_use: pool.in_use(),
        taken: pool.taken(),
        waiting: pool.waiting(),
        waiting_time: pool.waiting_time(),
        busy_time: pool.busy_time(),
        idle_time: pool.idle_time(),
        waits: pool.waits(),
        wait_time: pool.wait_time(),
        rejections: pool.rejections(),
    }
}
