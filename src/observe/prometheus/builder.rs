//! The options of an endpoint.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use super::Endpoint;
use super::bounds::Bounds;
use super::endpoint::Shared;
use crate::bus::Bus;
use crate::error::OptionError;
use crate::observe::{HealthCheck, RuntimeMonitor};
use crate::sync::Mutex;

/// Options of an [`Endpoint`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct EndpointBuilder {
    buses: Vec<Bus>,
    checks: Vec<HealthCheck>,
    monitors: Vec<RuntimeMonitor>,
    bounds: Option<Vec<Duration>>,
    max_listeners: usize,
}

impl EndpointBuilder {
    pub(super) fn new(bus: &Bus) -> Self {
        Self {
            buses: vec![bus.clone()],
            checks: Vec::new(),
            monitors: Vec::new(),
            bounds: None,
            max_listeners: 1_000,
        }
    }

    /// Tells of one more bus. Give each a [name](crate::BusBuilder::name): those of one name are summed up, and a pool that two of those share is counted twice. Default: one bus; there is no limit.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.buses.push(bus.clone());
        self
    }

    /// Tells of the health that this check finds too; may be called again for the check of another bus. Of buses of one name it is told once: live and ready if all are, and the sum of what is not well. Default: none; there is no limit.
    pub fn health(mut self, check: &HealthCheck) -> Self {
        self.checks.push(check.clone());
        self
    }

    /// Tells of the runtime that is watched too; may be called again for one of another [name](crate::observe::RuntimeMonitorBuilder::name); two of one name are refused. Default: none; there is no limit.
    pub fn monitor(mut self, monitor: &RuntimeMonitor) -> Self {
        self.monitors.push(monitor.clone());
        self
    }

    /// The upper bounds of the buckets of histograms, the shortest first; one for all that is longer comes by itself. Default: 24, from 1 microsecond to 60 seconds, two or three to a power of ten.
    ///
    /// 1 to 100 bounds that rise, above zero and up to 18 minutes.
    pub fn buckets(mut self, bounds: impl IntoIterator<Item = Duration>) -> Self {
        self.bounds = Some(bounds.into_iter().collect());
        self
    }

    /// How many listeners have series of their own: those that were registered first. The others of a signal are told as one, `listener="other"`. Default: 1,000; there is no limit, and 0 is none.
    ///
    /// From one scrape of this endpoint to the next each is told as the same, as long as it is there: a place that becomes free goes to one that comes later. When one goes that was told among the
    /// others, their sum falls.
    pub fn max_listeners(mut self, listeners: usize) -> Self {
        self.max_listeners = listeners;
        self
    }

    /// Makes the endpoint. See [`Endpoint`].
    ///
    /// # Panics
    ///
    /// Where [`try_build`](Self::try_build) returns an error.
    #[track_caller]
    pub fn build(self) -> Endpoint {
        match self.try_build() {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes the endpoint, or says which option makes no sense. See [`Endpoint`].
    ///
    /// # Errors
    ///
    /// If the bounds are none or more than 100, do not rise, or are zero or longer than 18 minutes, and if two monitors have one name.
    pub fn try_build(self) -> Result<Endpoint, OptionError> {
        let bounds = self.bounds.map(|bounds| Bounds::new(&bounds));
        let bounds = bounds.transpose()?.unwrap_or_default();
        let mut names = HashSet::new();
        for reading in self.monitors.iter().map(RuntimeMonitor::reading) {
            if !names.insert(reading.runtime.clone()) {
                let value = format!("a second one named {:?}", reading.runtime);
                let expected = "it takes monitors that have names of their own";
                return Err(OptionError::new("monitor", value, expected));
            }
        }
        Ok(Endpoint::with(Shared {
            buses: self.buses,
            checks: self.checks,
            monitors: self.monitors,
            bounds,
            max_listeners: self.max_listeners,
            places: Mutex::default(),
        }))
    }
}

impl fmt::Debug for EndpointBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointBuilder")
            .field("buses", &self.buses)
            .field("checks", &self.checks)
            .field("monitors", &self.monitors)
            .field("buckets", &self.bounds)
            .field("max_listeners", &self.max_listeners)
            .finish()
    }
}
