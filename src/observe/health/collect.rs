//! What is exported of health.

use super::{Health, Reason};
use crate::observe::{Collector, Family, FamilyKind};

const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Family {
    Family {
        name,
        help,
        kind: FamilyKind::Gauge,
        unit: None,
        labels,
    }
}

static LIVE: Family = gauge(
    "fanfare_live",
    "1 if the bus is live, as its health was looked at last.",
    &["bus"],
);
static READY: Family = gauge(
    "fanfare_ready",
    "1 if the bus is live and ready, as its health was looked at last.",
    &["bus"],
);
static DEGRADATIONS: Family = gauge(
    "fanfare_degradations",
    "How many things are not well with the bus for this reason, those included that keep it from being live or ready.",
    &["bus", "reason"],
);

/// In the order in which they are told.
pub(in crate::observe) static FAMILIES: [&Family; 3] = [&LIVE, &READY, &DEGRADATIONS];

impl Health {
    /// Tells a collector whether it is live and ready, and how many reasons there are of each name: those that there are none of too. See [`Collector`](crate::observe::Collector).
    pub fn collect(&self, collector: &mut dyn Collector) {
        collect_all(std::slice::from_ref(self), collector);
    }
}

/// Tells of several. Those of buses of one name are one: as live and as ready as the worst of them, with what is not well with any.
pub(in crate::observe) fn collect_all(healths: &[Health], collector: &mut dyn Collector) {
    let mut by_bus: Vec<(&str, Vec<&Health>)> = Vec::new();
    for health in healths {
        match by_bus.iter_mut().find(|(bus, _)| *bus == health.bus) {
            Some((_, of_bus)) => of_bus.push(health),
            None => by_bus.push((&health.bus, vec![health])),
        }
    }
    let flag = |is_so: bool| if is_so { 1.0 } else { 0.0 };
    for (bus, of_bus) in &by_bus {
        let is_live = of_bus.iter().all(|health| health.is_live());
        collector.gauge(&LIVE, &[("bus", bus)], flag(is_live));
    }
    for (bus, of_bus) in &by_bus {
        let is_ready = of_bus.iter().all(|health| health.is_ready());
        collector.gauge(&READY, &[("bus", bus)], flag(is_ready));
    }
    for (bus, of_bus) in &by_bus {
        for name in Reason::NAMES {
            let reasons = of_bus.iter().flat_map(|health| &health.reasons);
            let of_name = reasons.filter(|reason| reason.name() == name).count();
            let labels = [("bus", *bus), ("reason", name)];
            let count = f64::from(u32::try_from(of_name).unwrap_or(u32::MAX));
            collector.gauge(&DEGRADATIONS, &labels, count);
        }
    }
}
