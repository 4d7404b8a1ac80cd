//! What all emissions of one signal share, whatever its event type.

use std::panic::Location;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::select_all;

use super::gate::Gate;
use super::options::{DeadEvent, DeadEvents, Dispatch, Options, Timing};
use super::stats::{Counters, Stats};
use super::turn::AnyKeyed;
use super::voice::Voice;
use super::watch::Alarm;
use crate::clock::{self, Instant};
use crate::context::Calls;
use crate::key::Key;
use crate::metrics::Follower;
use crate::outcome::{Cause, Rejection, Report, ReportEntry, catch};
use crate::registry::{Home, Nth, Record};
use crate::span::Sampler;
use crate::sync::{Ordering, Semaphore};

/// A poll that takes so long keeps other tasks of its thread waiting.
pub(super) const LONG: Duration = Duration::from_millis(1);
/// So many samples of a listener in a row must be long before it is warned of: a poll that was preempted is one.
const SAMPLES: u32 = 4;

pub(crate) struct Core {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) home: Arc<Home>,
    /// Listeners run in the emitter's task, and nothing but them is to be looked at while they do, unless there are spans.
    pub(crate) plain: bool,
    /// Which of its emissions have a span, if any.
    pub(crate) spans: Option<Box<Sampler>>,
    /// Every listener has a task of its own.
    pub(crate) in_tasks: bool,
    pub(crate) event_type: &'static str,
    pub(crate) options: Options,
    /// Whose turn it is, if events run in the order of their keys.
    pub(crate) keyed: Option<Arc<dyn AnyKeyed>>,
    pub(crate) gate: Gate,
    pub(crate) counters: Counters,
    /// A permit for each call that may go on in the background.
    pub(crate) background: Arc<Semaphore>,
    /// Fires when a shutdown begins, once intake is closed: what waits for more events goes on with those that it has.
    pub(crate) closing: Alarm,
    /// Fires when a shutdown has ended: nothing comes any more.
    pub(crate) ended: Arc<Alarm>,
    /// Fires when shutdown has waited long enough.
    pub(crate) drained: Alarm,
    voice: Voice,
    /// The signals that this one was derived from, if it was: those whose shutdown waits for what it does.
    roots: OnceLock<Vec<Arc<Core>>>,
}

impl Core {
    pub(crate) fn new(home: &Arc<Home>, event_type: &'static str, options: Options) -> Self {
        let plain = options.mode() != Dispatch::Parallel
            && options.pool.is_none()
            && options.token.is_none()
            && options.timing == Timing::Auto
            && options.tolls.is_empty();
        let spans = options.spans.map(|rule| Box::new(Sampler::new(rule)));
        Self {
            id: home.id,
            name: Arc::clone(&home.name),
            home: Arc::clone(home),
            plain,
            spans,
            in_tasks: options.mode() == Dispatch::Parallel,
            background: Arc::new(Semaphore::new(options.max_background)),
            event_type,
            options,
            keyed: None,
            gate: Gate::default(),
            counters: Counters::default(),
            closing: Alarm::default(),
            ended: Arc::default(),
            drained: Alarm::default(),
            voice: Voice::default(),
            roots: OnceLock::new(),
        }
    }

    /// Says which signals this one was derived from, before anybody has it.
    pub(crate) fn set_roots(&self, roots: Vec<Arc<Self>>) {
        let _ = self.roots.set(roots);
    }

    /// Waits until this alarm of a shutdown fires: its own, or one of those that it is derived from and that have not been shut down.
    pub(super) async fn alarmed(&self, alarm: fn(&Self) -> &Alarm) {
        if self.roots().is_empty() {
            return alarm(self).fires().await;
        }
        let live = self.roots().iter().filter(|root| !root.ended.has_fired());
        let alarms: Vec<_> = live.map(|root| Box::pin(alarm(root).fires())).collect();
        if !alarms.is_empty() {
            select_all(alarms).await;
        }
    }

    /// What fires when nothing comes any more: its own shutdown has ended, or those of all that it is derived from.
    pub(crate) fn ends(&self) -> Vec<Arc<Alarm>> {
        match self.roots() {
            [] => vec![Arc::clone(&self.ended)],
            roots => roots.iter().map(|root| Arc::clone(&root.ended)).collect(),
        }
    }

    pub(crate) fn roots(&self) -> &[Arc<Self>] {
        self.roots.get().map_or(&[], Vec::as_slice)
    }

    /// Calls that go on in the background.
    #[cfg(feature = "metrics")]
    pub(crate) fn in_background(&self) -> usize {
        let free = self.background.available_permits();
        self.options.max_background.saturating_sub(free)
    }

    pub(crate) fn stats(&self) -> Stats {
        if let Some(host) = self.home.host() {
            host.settle();
        }
        self.counters
            .read(&self.home.totals, self.voice.suppressed())
    }

    /// Tells whoever is to know that a listener did not succeed: all callbacks, or else the log.
    pub(crate) fn tell(&self, entry: &ReportEntry) {
        for callback in &self.options.on_failure {
            if let Err(message) = catch(|| callback(entry)) {
                tracing::error!(signal = %self.name, %message, "a failure callback panicked");
            }
        }
        if self.options.on_failure.is_empty() {
            if let Some(suppressed) = self.voice.may_speak() {
                tracing::warn!(
                    signal = %self.name,
                    key = entry.key(),
                    location = %entry.location(),
                    cause = %entry.cause(),
                    suppressed,
                    "a listener did not succeed"
                );
            }
        }
    }

    /// Counts and tells of a call that ended after its report was made, if it failed.
    pub(super) fn tell_late(&self, record: &Record, cause: Cause, began: Instant) {
        if cause.outcome().is_failure() {
            self.counters.add_one(cause.outcome());
            record.not_done(&cause);
            self.tell(&ReportEntry {
                index: 0,
                who: record.identity(),
                cause,
                duration: Some(clock::since(began)),
            });
        }
    }

    /// Counts and tells of an event that no signal is there for.
    pub(crate) fn unknown_event(&self, event_type: &'static str) -> Report {
        if self.gate.is_closed() {
            return Report::closed();
        }
        self.home.totals.dead_event();
        self.dead_event(event_type);
        Report::default()
    }

    /// Nobody listened.
    pub(crate) fn dead_event(&self, event_type: &'static str) {
        let event = DeadEvent {
            signal: &self.name,
            event_type,
        };
        self.options.dead_events.apply(event, &self.voice);
    }

    /// Notes how long a poll of a listener took that began at `since`: the first of its call, or a later one.
    pub(super) fn notice_poll(&self, record: &Record, since: Instant, which: Nth) {
        let poll = clock::since(since);
        if record.poll_was_long(which, poll >= LONG, SAMPLES) {
            self.warn_of_long_polls(record, poll);
        }
    }

    fn warn_of_long_polls(&self, record: &Record, poll: Duration) {
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(
                signal = %self.name,
                key = record.key().map(Key::as_str),
                location = %record.location,
                ?poll,
                suppressed,
                "the polls of a listener are regularly long, and those after it wait: consider `Dispatch::Parallel` or `on_blocking`"
            );
        }
    }

    /// Follow-up events of a listener that will not be emitted.
    pub(super) fn lost_follow_ups(&self, record: &Record, events: usize, types: &str, why: &str) {
        let lost = &self.counters.follow_ups_lost;
        lost.fetch_add(events as u64, Ordering::Relaxed);
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(
                signal = %self.name,
                key = record.key().map(Key::as_str),
                location = %record.location,
                count = events,
                types,
                reason = why,
                suppressed,
                "follow-up events were dropped"
            );
        }
    }

    /// A fallback has made a success of a failure, so that no callback is told of it.
    pub(super) fn fell_back(&self, record: &Record, cause: &Cause) {
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(
                signal = %self.name,
                key = record.key().map(Key::as_str),
                location = %record.location,
                %cause,
                suppressed,
                "a listener failed for good, and its fallback was used"
            );
        }
    }

    /// Events of the buffer that will not be delivered.
    pub(crate) fn warn_of_dropped(&self, events: usize, reason: impl std::fmt::Display) {
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(signal = %self.name, count = events, %reason, suppressed, "buffered events were dropped");
        }
    }

    /// An emission none of whose listeners are called, or none that are left.
    pub(super) fn note_rejected(&self, listeners: usize, rejection: &Rejection) {
        tracing::debug!(signal = %self.name, count = listeners, cause = %rejection, "an emission was rejected");
    }

    /// A stream has missed its first event, and whoever reads it has not asked to be told.
    pub(crate) fn warn_of_lag(&self, key: Option<&str>, location: &Location<'_>, capacity: usize) {
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(
                signal = %self.name,
                key,
                %location,
                capacity,
                suppressed,
                "a stream is read too slowly and misses events, of which this is the first: read it with `with_lag` to see each gap, or choose another `overflow`"
            );
        }
    }

    /// A derived signal is gone while others listen to it.
    pub(crate) fn warn_of_released(&self, listeners: usize, location: &Location<'_>) {
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(
                signal = %self.name,
                listeners,
                %location,
                suppressed,
                "a derived signal was dropped, and its listeners hear nothing any more: keep its handle"
            );
        }
    }

    /// Events that a listener held and is not called with.
    pub(super) fn warn_of_lost(&self, record: &Record, events: usize, cause: &Cause) {
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(
                signal = %self.name,
                key = record.key().map(Key::as_str),
                location = %record.location,
                count = events,
                %cause,
                suppressed,
                "events that a listener held were dropped"
            );
        }
    }
}

impl Follower for Core {
    fn level_changed(&self) {
        let stays_slow = !self.plain || self.spans.is_some();
        let is_slow = || stays_slow || self.home.meters.may_time();
        let mut slow = is_slow();
        loop {
            self.gate.set_slow(slow);
            // Whoever changes something at the same time may have looked before and said so after.
            let now = is_slow();
            if std::mem::replace(&mut slow, now) == now {
                return;
            }
        }
    }
}

impl DeadEvents {
    pub(crate) fn apply(&self, event: DeadEvent<'_>, voice: &Voice) {
        match self {
            Self::Ignore => {}
            Self::Log => {
                if let Some(suppressed) = voice.may_speak() {
                    tracing::warn!(
                        signal = event.signal,
                        suppressed,
                        "nobody listens to this event"
                    );
                }
            }
            Self::Call(callback) => {
                if let Err(message) = catch(|| callback(&event)) {
                    tracing::error!(signal = event.signal, %message, "a dead-event callback panicked");
                }
            }
        }
    }
}

impl Calls for Core {
    fn listener(&self, _: usize) -> u64 {
        // What runs between the calls is no listener's; no listener has this number.
        0
    }

    fn signal(&self) -> u64 {
        self.id
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }
}
