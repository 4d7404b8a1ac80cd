//! What is said of a family of series.

/// A name and a value that tell the series of one family apart.
pub type Label<'a> = (&'static str, &'a str);

/// Series of one name, told apart by their labels: [`families`](crate::observe::families) lists all there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Family {
    /// The name, as Prometheus has names: `fanfare_emissions_total`, `fanfare_listener_duration_seconds`.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// What it is.
    pub kind: FamilyKind,
    /// What it is measured in, if it is not a number of things.
    pub unit: Option<Unit>,
    /// The names of its labels, in the order in which collectors are given them.
    pub labels: &'static [&'static str],
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FamilyKind {
    /// It only rises, until what it is about goes or the process ends.
    Counter,
    /// It is as it is now.
    Gauge,
    /// How long something took, over all that were timed.
    Histogram,
}

/// What a family is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The name, as the names of families end in it: `seconds`. See [`Unit`](crate::observe::Unit).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
        }
    }
}
