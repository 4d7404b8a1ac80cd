//! What one breaker is like.

use std::sync::Arc;
use std::time::Duration;

use super::BreakerState;
use super::state::View;
use crate::key::{Identity, Key};

/// What one breaker was like when [`BreakerHandle::breakers`](crate::layer::BreakerHandle::breakers) looked at it.
#[derive(Clone, Debug)]
pub struct BreakerStatus {
    view: View,
    listener: Option<Arc<Identity>>,
    key: Option<Arc<str>>,
}

impl BreakerStatus {
    pub(super) fn new(view: View, listener: Option<Arc<Identity>>, key: Option<Arc<str>>) -> Self {
        Self {
            view,
            listener,
            key,
        }
    }

    /// The state. See [`BreakerStatus`](crate::layer::BreakerStatus).
    pub fn state(&self) -> BreakerState {
        self.view.state
    }

    /// The name of its listener's signal. `None` before the first call, and if it is shared.
    pub fn signal(&self) -> Option<&str> {
        self.listener.as_ref().map(|listener| &*listener.signal)
    }

    /// The key of its listener, if that has one. As [`signal`](Self::signal) otherwise.
    pub fn listener_key(&self) -> Option<&str> {
        self.listener.as_ref()?.key.as_ref().map(Key::as_str)
    }

    /// The key that it is for, if it is one of [`CircuitBreaker::per_key`](crate::layer::CircuitBreaker::per_key).
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// How many calls the window holds. While it is open or half-open, those that opened it, as far as they are not too old by now.
    pub fn calls(&self) -> usize {
        self.view.tally.calls
    }

    /// How many of the [`calls`](Self::calls) failed.
    pub fn failed(&self) -> usize {
        self.view.tally.failed
    }

    /// How many of the [`calls`](Self::calls) were slow. Zero unless [`slow_call_rate`](crate::layer::CircuitBreaker::slow_call_rate) says what is slow.
    pub fn slow(&self) -> usize {
        self.view.tally.slow
    }

    /// The share of the calls that failed, 0.0 to 1.0. `None` while there are fewer than [`min_calls`](crate::layer::CircuitBreaker::min_calls).
    pub fn failure_rate(&self) -> Option<f64> {
        self.view.failure_rate
    }

    /// The share of the calls that were slow. `None` too if [`slow_call_rate`](crate::layer::CircuitBreaker::slow_call_rate) is not set.
    pub fn slow_rate(&self) -> Option<f64> {
        self.view.slow_rate
    }

    /// How many probes run. See [`BreakerStatus`](crate::layer::BreakerStatus).
    pub fn probes_running(&self) -> usize {
        self.view.probes_running
    }

    /// How often it opened by itself: each failed round of probes counts, `force_open` does not.
    pub fn opened(&self) -> u64 {
        self.view.opened
    }

    /// How many calls it rejected. See [`BreakerStatus`](crate::layer::BreakerStatus).
    pub fn rejected(&self) -> u64 {
        self.view.rejected
    }

    /// How long until it lets a probe through, if it is open. Zero once the time is over and no call has come.
    pub fn retry_after(&self) -> Option<Duration> {
        self.view.retry_after
    }
}
