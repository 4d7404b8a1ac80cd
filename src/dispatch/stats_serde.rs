//! [`Stats`] as `serde::Serialize`: each count by its name, outcomes and drops as maps.

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

use super::Stats;
use crate::buffer::DropReason;
use crate::outcome::Outcome;

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Stats", 13)?;
        fields.serialize_field("emissions", &self.emissions())?;
        fields.serialize_field("dead", &self.dead())?;
        fields.serialize_field("deliveries", &self.deliveries())?;
        fields.serialize_field("outcomes", &Outcomes(self))?;
        fields.serialize_field("retries", &self.retries())?;
        fields.serialize_field("dead_letters", &self.dead_letters())?;
        fields.serialize_field("enqueued", &self.enqueued())?;
        fields.serialize_field("dropped", &Dropped(self))?;
        fields.serialize_field("refused", &self.refused())?;
        fields.serialize_field("follow_ups_lost", &self.follow_ups_lost())?;
        fields.serialize_field("registrations", &self.registrations())?;
        fields.serialize_field("removals", &self.removals())?;
        fields.serialize_field("suppressed", &self.suppressed())?;
        fields.end()
    }
}

struct Outcomes<'a>(&'a Stats);

impl Serialize for Outcomes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let outcomes = Outcome::ALL.into_iter();
        serializer.collect_map(outcomes.map(|it| (it.as_str(), self.0.count(it))))
    }
}

struct Dropped<'a>(&'a Stats);

impl Serialize for Dropped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reasons = DropReason::ALL.into_iter();
        serializer.collect_map(reasons.map(|it| (it.as_str(), self.0.dropped_by(it))))
    }
}
