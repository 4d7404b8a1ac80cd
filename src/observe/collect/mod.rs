//! Everything that is exported: the catalogue of families, and the walk over a snapshot that tells them to a [`Collector`].

mod families;
mod family;
mod grouped;
mod places;
mod value;
mod walk;

pub use family::{Family, FamilyKind, Label, Unit};
pub use value::Total;
#[cfg(any(feature = "metrics-facade", feature = "otel"))]
pub(in crate::observe) use walk::snapshot_families;
pub use walk::{Collector, collect_all, families};
#[cfg(any(feature = "metrics-facade", feature = "otel", feature = "prometheus"))]
pub(in crate::observe) use {places::Places, walk::collect_in};
