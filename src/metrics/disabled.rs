//! Nothing is measured: the feature `metrics` is off.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Instant;
use crate::error::OptionError;
use crate::key::Identity;

#[derive(Clone)]
pub(crate) struct Board;

impl Board {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn check(_: Option<Level>) -> Result<(), OptionError> {
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "the surface of its twin")]
    pub(crate) fn take_level(&self, _: &mut Option<Level>) {}
}

/// Told when the level changes that it inherits.
pub(crate) trait Follower: Send + Sync {
    fn level_changed(&self);
}

/// There is none.
#[derive(Clone, Copy)]
pub(crate) enum Level {}

/// There is none.
#[derive(Clone, Copy)]
pub(crate) enum Draw {}

impl Draw {
    pub(crate) fn began(self) -> Instant {
        match self {}
    }

    pub(crate) fn elapsed(self) -> Duration {
        match self {}
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Wait {
    Buffer,
    Turn,
    Limit,
    Permit,
}

pub(crate) struct Meters;

#[expect(clippy::unused_self, reason = "the surface of its twin")]
impl Meters {
    pub(crate) fn new(_: &Board, _: Option<Level>) -> Self {
        Self
    }

    pub(crate) fn follow<F: Follower + 'static>(&self, follower: &Arc<F>) {
        follower.level_changed();
    }

    pub(crate) fn may_time(&self) -> bool {
        false
    }

    pub(crate) fn draw(&self, _: impl FnOnce() -> u64) -> Option<Draw> {
        None
    }

    pub(crate) fn times(&self, _: Option<Draw>) -> bool {
        false
    }

    pub(crate) fn times_call<'a>(
        &self,
        _: Option<Draw>,
        _: impl FnOnce() -> Option<&'a Meter>,
    ) -> bool {
        false
    }

    pub(crate) fn emission(&self, _: Duration) {}

    pub(crate) fn waited(&self, _: Wait, _: Duration) {}

    pub(crate) fn waits(&self, _: u64) -> Option<Draw> {
        None
    }

    pub(crate) fn arrived(&self, _: Wait, _: Option<Draw>) {}

    pub(crate) fn is_full(&self) -> bool {
        true
    }

    pub(crate) fn call(
        &self,
        _: Option<&Meter>,
        _: Duration,
        _: Duration,
        _: impl FnOnce() -> Arc<Identity>,
    ) -> bool {
        false
    }
}

#[derive(Default)]
pub(crate) struct Meter;

#[derive(Default)]
pub(crate) struct Stopwatch;

#[expect(clippy::unused_self, reason = "the surface of its twin")]
impl Stopwatch {
    pub(crate) fn running(_: Duration) -> Self {
        Self
    }

    pub(crate) fn is_running(&self) -> bool {
        false
    }

    pub(crate) fn add(&mut self, _: Duration) {}

    pub(crate) fn polled(&self) -> Option<Duration> {
        None
    }
}
