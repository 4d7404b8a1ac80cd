//! The catalogue: every family, and what of a snapshot its values are.

use super::family::{Family, FamilyKind, Unit};
use super::value::Value;
use crate::buffer::DropReason;
use crate::dispatch::Dispatch;
use crate::metrics::{Distribution, Wait};
use crate::observe::snapshot::{ListenerSnapshot, PoolSnapshot, SignalSnapshot, Snapshot};
use crate::outcome::Outcome;

/// A family, and where its values are.
pub(super) struct Row {
    pub(super) family: Family,
    pub(super) read: Read,
    /// What was recorded among others: all labels but the bus's say so.
    pub(super) others: Option<Others>,
}

pub(super) type Others = fn(&Snapshot) -> Vec<(&'static str, &Distribution)>;

/// Of what there is a series each, and the value of one.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Bus(fn(&Snapshot) -> Value<'_>),
    Signal(fn(&SignalSnapshot) -> Value<'_>),
    /// Several a signal, by one more label.
    SignalBy(fn(&SignalSnapshot) -> Vec<(&'static str, Value<'_>)>),
    Listener(fn(&ListenerSnapshot) -> Value<'_>),
    /// The same of a listener.
    ListenerBy(fn(&ListenerSnapshot) -> Vec<(&'static str, Value<'_>)>),
    Pool(fn(&PoolSnapshot) -> Value<'_>),
}

const BUS: &[&str] = &["bus"];
const SIGNAL: &[&str] = &["bus", "signal"];
const LISTENER: &[&str] = &["bus", "signal", "listener"];
const POOL: &[&str] = &["bus", "pool"];

impl Read {
    const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Bus(_) => BUS,
            Self::Signal(_) | Self::SignalBy(_) => SIGNAL,
            Self::Listener(_) | Self::ListenerBy(_) => LISTENER,
            Self::Pool(_) => POOL,
        }
    }
}

const fn row(name: &'static str, help: &'static str, kind: FamilyKind, read: Read) -> Row {
    Row {
        family: Family {
            name,
            help,
            kind,
            unit: None,
            labels: read.labels(),
        },
        read,
        others: None,
    }
}

const fn counter(name: &'static str, help: &'static str, read: Read) -> Row {
    row(name, help, FamilyKind::Counter, read)
}

const fn gauge(name: &'static str, help: &'static str, read: Read) -> Row {
    row(name, help, FamilyKind::Gauge, read)
}

const fn durations(name: &'static str, help: &'static str, read: Read, others: Others) -> Row {
    let mut row = row(name, help, FamilyKind::Histogram, read).in_seconds();
    row.others = Some(others);
    row
}

impl Row {
    const fn in_seconds(mut self) -> Self {
        self.family.unit = Some(Unit::Seconds);
        self
    }

    /// With one more label than what it is read of has.
    const fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.family.labels = labels;
        self
    }
}

/// All there are, in the order in which they are told.
pub(super) static ROWS: &[Row] = &[
    // Of a bus.
    gauge(
        "fanfare_bus_closed",
        "1 if the bus is shut down or about to be.",
        Read::Bus(|bus| Value::flag(bus.closed)),
    ),
    counter(
        "fanfare_unknown_events_total",
        "Events of types that no signal was there for.",
        Read::Bus(|bus| Value::count(bus.unknown_events)),
    ),
    // Of a signal.
    counter(
        "fanfare_emissions_total",
        "Emissions that were begun, dead and cancelled ones included.",
        Read::Signal(|signal| Value::count(signal.stats.emissions())),
    ),
    counter(
        "fanfare_dead_events_total",
        "Emissions that nobody listened to.",
        Read::Signal(|signal| Value::count(signal.stats.dead())),
    ),
    counter(
        "fanfare_deliveries_total",
        "Outcomes that listeners had, all but skipped; one that is deferred and then fails has two.",
        Read::Signal(|signal| Value::count(signal.stats.deliveries())),
    ),
    counter(
        "fanfare_outcomes_total",
        "How many times a listener had this outcome.",
        Read::SignalBy(outcomes),
    )
    .by(&["bus", "signal", "outcome"]),
    counter(
        "fanfare_retries_total",
        "Attempts of retries beyond the first of each call.",
        Read::Signal(|signal| Value::count(signal.stats.retries())),
    ),
    counter(
        "fanfare_dead_letters_total",
        "Calls that were given up and led to a dead letter.",
        Read::Signal(|signal| Value::count(signal.stats.dead_letters())),
    ),
    counter(
        "fanfare_enqueued_events_total",
        "Events that the buffer took.",
        Read::Signal(|signal| Value::count(signal.stats.enqueued())),
    ),
    counter(
        "fanfare_dropped_events_total",
        "Events that the buffer or a stream took, or was offered, and dropped.",
        Read::SignalBy(drops),
    )
    .by(&["bus", "signal", "reason"]),
    counter(
        "fanfare_refused_events_total",
        "Events that were given back to whoever wanted to enqueue them.",
        Read::Signal(|signal| Value::count(signal.stats.refused())),
    ),
    counter(
        "fanfare_follow_ups_lost_total",
        "Follow-up events of the signal's listeners that were not emitted.",
        Read::Signal(|signal| Value::count(signal.stats.follow_ups_lost())),
    ),
    counter(
        "fanfare_suppressed_log_lines_total",
        "Log lines about failures that the rate limit held back.",
        Read::Signal(|signal| Value::count(signal.stats.suppressed())),
    ),
    counter(
        "fanfare_registrations_total",
        "Listeners that have been registered, with the dispatch mode of their signal.",
        Read::SignalBy(|signal| by_mode(signal, signal.stats.registrations())),
    )
    .by(&["bus", "signal", "dispatch"]),
    counter(
        "fanfare_removals_total",
        "Listeners that have gone: removed, spent and replaced ones, with the dispatch mode of their signal.",
        Read::SignalBy(|signal| by_mode(signal, signal.stats.removals())),
    )
    .by(&["bus", "signal", "dispatch"]),
    gauge(
        "fanfare_listeners",
        "Listeners that are registered.",
        Read::Signal(|signal| Value::gauge(signal.listeners.len())),
    ),
    gauge(
        "fanfare_emissions_in_flight",
        "Emissions, blocking threads and background calls under way that a shutdown waits for.",
        Read::Signal(|signal| Value::gauge(signal.in_flight)),
    ),
    gauge(
        "fanfare_background_calls",
        "Calls that go on in the background: retries that sleep, and the like.",
        Read::Signal(|signal| Value::gauge(signal.background)),
    ),
    gauge(
        "fanfare_background_calls_limit",
        "How many calls may go on in the background.",
        Read::Signal(|signal| Value::gauge(signal.max_background)),
    ),
    gauge(
        "fanfare_buffered_events",
        "Events in the buffer.",
        Read::Signal(|signal| Value::gauge(signal.buffered)),
    ),
    gauge(
        "fanfare_buffer_capacity",
        "How many events the buffer can hold.",
        Read::Signal(|signal| Value::gauge(signal.buffer_capacity)),
    ),
    gauge(
        "fanfare_buffer_under_pressure",
        "1 if the buffer has reached its high mark, and not fallen to the low one since.",
        Read::Signal(|signal| Value::flag(signal.under_pressure)),
    ),
    gauge(
        "fanfare_signal_closed",
        "1 if the signal takes no more events.",
        Read::Signal(|signal| Value::flag(signal.closed)),
    ),
    durations(
        "fanfare_emission_duration_seconds",
        "How long the emissions took that were timed, from their first poll to their report.",
        Read::Signal(|signal| Value::durations(&signal.durations)),
        |bus| vec![("", &bus.other_emissions)],
    ),
    durations(
        "fanfare_wait_duration_seconds",
        "How long emissions that were timed waited before their listeners were called, by what for.",
        Read::SignalBy(waits),
        |bus| Vec::from(Wait::ALL.map(|kind| (kind.as_str(), bus.other_waits.of_kind(kind)))),
    )
    .by(&["bus", "signal", "kind"]),
    // Of a listener.
    counter(
        "fanfare_listener_calls_total",
        "How often the listener was called.",
        Read::Listener(|listener| Value::count(listener.calls)),
    ),
    counter(
        "fanfare_listener_errors_total",
        "How many calls of the listener returned an error.",
        Read::Listener(|listener| Value::count(listener.errors)),
    ),
    counter(
        "fanfare_listener_panics_total",
        "How many calls of the listener panicked.",
        Read::Listener(|listener| Value::count(listener.panics)),
    ),
    counter(
        "fanfare_listener_outcomes_total",
        "How many times the listener had this outcome; those that were done are not among them.",
        Read::ListenerBy(listener_outcomes),
    )
    .by(&["bus", "signal", "listener", "outcome"]),
    counter(
        "fanfare_listener_retries_total",
        "Attempts of the listener's calls beyond the first of each.",
        Read::Listener(|listener| Value::count(listener.retries)),
    ),
    counter(
        "fanfare_listener_dead_letters_total",
        "Calls of the listener that were given up and led to a dead letter.",
        Read::Listener(|listener| Value::count(listener.dead_letters)),
    ),
    gauge(
        "fanfare_listener_breakers",
        "How many circuit breakers of the listener are in this state; nothing of one that has none.",
        Read::ListenerBy(breakers),
    )
    .by(&["bus", "signal", "listener", "state"]),
    gauge(
        "fanfare_listener_running_calls",
        "How many calls of the listener run now, beyond their first poll.",
        Read::Listener(|listener| Value::gauge(listener.running)),
    ),
    gauge(
        "fanfare_listener_held_events",
        "How many events the listener holds, as it is or was paused.",
        Read::Listener(|listener| Value::gauge(listener.held)),
    ),
    gauge(
        "fanfare_listener_enabled",
        "1 if the listener is called, 0 if it is switched off; how many are, where several share a label.",
        Read::Listener(|listener| Value::flag(listener.switched_off.is_none())),
    ),
    durations(
        "fanfare_listener_duration_seconds",
        "How long the calls took that were timed, all attempts and waits between them included.",
        Read::Listener(|listener| Value::durations(&listener.durations)),
        |bus| vec![("", &bus.other_listeners)],
    ),
    // Of a pool.
    gauge(
        "fanfare_pool_permits",
        "The number of permits.",
        Read::Pool(|pool| Value::gauge(pool.size)),
    ),
    gauge(
        "fanfare_pool_permits_in_use",
        "How many permits are held.",
        Read::Pool(|pool| Value::gauge(pool.in_use)),
    ),
    gauge(
        "fanfare_pool_waiting",
        "How many emissions and tasks wait for a permit.",
        Read::Pool(|pool| Value::gauge(pool.waiting)),
    ),
    counter(
        "fanfare_pool_busy_seconds_total",
        "How long permits were held, added up.",
        Read::Pool(|pool| Value::time(pool.busy_time)),
    )
    .in_seconds(),
    counter(
        "fanfare_pool_idle_seconds_total",
        "How long permits were free, added up.",
        Read::Pool(|pool| Value::time(pool.idle_time)),
    )
    .in_seconds(),
    counter(
        "fanfare_pool_waits_total",
        "How many began to wait for a permit.",
        Read::Pool(|pool| Value::count(pool.waits)),
    ),
    counter(
        "fanfare_pool_wait_seconds_total",
        "How long those waited for a permit that have waited to the end, added up.",
        Read::Pool(|pool| Value::time(pool.wait_time)),
    )
    .in_seconds(),
    counter(
        "fanfare_pool_rejections_total",
        "Emissions that were rejected, as the pool was full.",
        Read::Pool(|pool| Value::count(pool.rejections)),
    ),
];

fn outcomes(signal: &SignalSnapshot) -> Vec<(&'static str, Value<'_>)> {
    let count = |it| (Outcome::as_str(it), Value::count(signal.stats.count(it)));
    Vec::from(Outcome::ALL.map(count))
}

fn listener_outcomes(listener: &ListenerSnapshot) -> Vec<(&'static str, Value<'_>)> {
    let counts = [
        (Outcome::Failed, listener.errors),
        (Outcome::Panicked, listener.panics),
        (Outcome::TimedOut, listener.timeouts),
        (Outcome::Rejected, listener.rejections),
        (Outcome::Cancelled, listener.cancellations),
        (Outcome::Deferred, listener.deferrals),
        (Outcome::Skipped, listener.skips),
    ];
    let counts = counts.map(|(outcome, count)| (outcome.as_str(), Value::count(count)));
    Vec::from(counts)
}

fn breakers(listener: &ListenerSnapshot) -> Vec<(&'static str, Value<'_>)> {
    let Some(counts) = listener.breakers else {
        return Vec::new();
    };
    let states = [
        ("closed", counts.closed),
        ("open", counts.open),
        ("half_open", counts.half_open),
    ];
    Vec::from(states.map(|(state, count)| (state, Value::gauge(count))))
}

fn drops(signal: &SignalSnapshot) -> Vec<(&'static str, Value<'_>)> {
    let dropped = |reason| Value::count(signal.stats.dropped_by(reason));
    Vec::from(DropReason::ALL.map(|reason| (reason.as_str(), dropped(reason))))
}

fn waits(signal: &SignalSnapshot) -> Vec<(&'static str, Value<'_>)> {
    let waited = |kind| Value::durations(signal.waits.of_kind(kind));
    Vec::from(Wait::ALL.map(|kind| (kind.as_str(), waited(kind))))
}

fn by_mode(signal: &SignalSnapshot, count: u64) -> Vec<(&'static str, Value<'_>)> {
    let mode = match signal.dispatch {
        Dispatch::Concurrent => "concurrent",
        Dispatch::Parallel => "parallel",
        Dispatch::Sequential => "sequential",
    };
    vec![(mode, Value::count(count))]
}

#[cfg(test)]
#[path = "families_tests.rs"]
mod tests;
