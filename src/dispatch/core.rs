//! What all emissions of one signal share, whatever its event type.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::options::{DeadEvent, DeadEvents, Options};
use super::stats::{Counters, Stats};
use super::voice::Voice;
use crate::outcome::{ReportEntry, catch};
use crate::sync::{Ordering, unique_id};

pub(crate) struct Core {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) event_type: &'static str,
    pub(crate) options: Options,
    pub(crate) gate: Gate,
    pub(crate) counters: Counters,
    /// Fires when shutdown has waited long enough.
    pub(crate) drained: CancellationToken,
    voice: Voice,
}

impl Core {
    pub(crate) fn new(name: Arc<str>, event_type: &'static str, options: Options) -> Self {
        Self {
            id: unique_id(),
            name,
            event_type,
            options,
            gate: Gate::default(),
            counters: Counters::default(),
            drained: CancellationToken::new(),
            voice: Voice::default(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counters.read(self.voice.suppressed())
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

    /// Nobody listened.
    pub(crate) fn dead_event(&self, event_type: &'static str) {
        self.counters.dead.fetch_add(1, Ordering::Relaxed);
        let event = DeadEvent {
            signal: &self.name,
            event_type,
        };
        self.options.dead_events.apply(event, &self.voice);
    }

    /// Events of the buffer that will not be delivered.
    pub(crate) fn warn_of_dropped(&self, events: usize, reason: impl std::fmt::Display) {
        if let Some(suppressed) = self.voice.may_speak() {
            tracing::warn!(signal = %self.name, events, %reason, suppressed, "buffered events were dropped");
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
