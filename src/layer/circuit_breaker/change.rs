//! The states of a breaker, and the change from one to another.

use std::fmt;
use std::sync::Arc;

use super::state::Change;
use crate::key::{Identity, Key};

/// The state of one breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through and are counted.
    Closed,
    /// Calls are rejected. When its time is over, the next call finds it half-open: there is no timer.
    Open,
    /// Some calls go through as probes, the others are rejected.
    HalfOpen,
    /// Calls are rejected until somebody says otherwise: [`BreakerHandle::force_open`](crate::layer::BreakerHandle::force_open).
    ForcedOpen,
    /// Calls go through and are counted, and it does not open: [`BreakerHandle::force_closed`](crate::layer::BreakerHandle::force_closed).
    ForcedClosed,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::ForcedOpen => "forced open",
            Self::ForcedClosed => "forced closed",
        })
    }
}

/// One change of state of one breaker, as [`CircuitBreaker::on_change`](crate::layer::CircuitBreaker::on_change) is told of it.
#[derive(Clone, Debug)]
pub struct BreakerChange {
    change: Change,
    listener: Option<Arc<Identity>>,
    key: Option<Arc<str>>,
}

impl BreakerChange {
    pub(super) fn new(
        change: Change,
        listener: Option<Arc<Identity>>,
        key: Option<Arc<str>>,
    ) -> Self {
        Self {
            change,
            listener,
            key,
        }
    }

    /// The state that it left. See [`BreakerChange`](crate::layer::BreakerChange).
    pub fn from(&self) -> BreakerState {
        self.change.from
    }

    /// The state that it came to. See [`BreakerChange`](crate::layer::BreakerChange).
    pub fn to(&self) -> BreakerState {
        self.change.to
    }

    /// The name of the signal whose listener's call made the change. `None` for a change by hand of a breaker that is shared or was never called.
    pub fn signal(&self) -> Option<&str> {
        self.listener.as_ref().map(|listener| &*listener.signal)
    }

    /// The key of the listener whose call made the change, if it has one. As [`signal`](Self::signal) otherwise.
    pub fn listener_key(&self) -> Option<&str> {
        self.listener.as_ref()?.key.as_ref().map(Key::as_str)
    }

    /// The key that the breaker is for, if it is one of [`CircuitBreaker::per_key`](crate::layer::CircuitBreaker::per_key).
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(super) fn log(&self) {
        tracing::info!(
            signal = self.signal(),
            key = self.listener_key(),
            breaker = self.key(),
            from = %self.from(),
            to = %self.to(),
            "a circuit breaker changed its state"
        );
    }
}
