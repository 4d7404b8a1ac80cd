//! The events.

use serde::Serialize;

/// One entry of the feed: an earthquake, most of the time.
#[derive(Clone, Debug, Serialize)]
pub struct Quake {
    pub id: String,
    /// Richter or a relative of it; small ones can be below zero.
    pub magnitude: f64,
    /// "4km W of Castaic, CA"
    pub place: String,
    /// The seismic network that reported it: "ci", "nc", "us".
    pub network: String,
    /// "earthquake", "explosion", "quarry blast"
    pub kind: String,
    /// Milliseconds since 1970.
    pub time: i64,
    pub longitude: f64,
    pub latitude: f64,
    /// Kilometres below sea level.
    pub depth: f64,
    pub tsunami: bool,
    /// How many people said that they felt it.
    pub felt: u64,
}

impl Quake {
    /// What stands after the last comma of the place: a state, a country, or a sea.
    pub fn region(&self) -> &str {
        match self.place.rsplit_once(", ") {
            Some((_, region)) => region,
            None => &self.place,
        }
    }
}

/// An entry that could not be read.
#[derive(Clone, Debug)]
pub struct BadEntry {
    /// Where it is: "line 3, feature 2 (ci37868135)".
    pub at: String,
    pub why: String,
}
