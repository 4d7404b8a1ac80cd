//! One entry of the log.

use std::fmt;
use std::panic::Location;
use std::time::SystemTime;

use super::utc::Utc;
use crate::dispatch::Lifecycle;
use crate::registry::{Changed, Setting};

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum AuditKind {
    /// A setting or a switch was changed.
    Change,
    /// A listener came or went.
    Lifecycle,
    /// A shutdown began or ended.
    Shutdown,
}

impl fmt::Display for AuditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Change => "change",
            Self::Lifecycle => "lifecycle",
            Self::Shutdown => "shutdown",
        })
    }
}

/// One entry of an [`AuditLog`](super::AuditLog): what was changed, when, by whom. With the feature `serde` it is `Serialize`; the time is in seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AuditRecord {
    /// Its number in the log: the first is 0, and each has one more than the one before. It is the order in which records were written, which for two changes at once need not be that of the changes.
    pub sequence: u64,
    /// When it was changed.
    #[cfg_attr(feature = "serde", serde(with = "super::super::serde::time"))]
    pub at: SystemTime,
    /// What it is about.
    pub kind: AuditKind,
    /// On whose behalf it was changed, if somebody [said so](crate::acting_as).
    pub actor: Option<String>,
    /// The name of the signal, or of the bus.
    pub signal: String,
    /// The number of the listener, if it is about one.
    pub listener: Option<u64>,
    /// The key of the listener, if it has one.
    pub key: Option<String>,
    /// Where the listener was registered, as `src/main.rs:10`.
    pub location: Option<String>,
    /// What was changed, as [`Setting`] and [`Milestone`](crate::Milestone) are written: `calls`, `rate limit`, `registered`.
    pub what: String,
    /// What it was before, in words. Not for a listener that came or went.
    pub before: Option<String>,
    /// What it is now, in words. Not for a listener that came or went.
    pub after: Option<String>,
    /// How the listeners of the signal run. For a listener that came or went.
    pub dispatch: Option<String>,
    /// How many listeners the signal has then. For a listener that came or went.
    pub listeners: Option<usize>,
}

impl AuditRecord {
    pub(super) fn of_change(change: &Changed) -> Self {
        Self {
            sequence: 0,
            at: change.at(),
            kind: match change.setting() {
                Setting::Shutdown => AuditKind::Shutdown,
                _ => AuditKind::Change,
            },
            actor: change.actor().map(str::to_owned),
            signal: change.signal().to_owned(),
            listener: change.listener_id(),
            key: change.key().map(str::to_owned),
            location: change.location().map(place),
            what: change.setting().to_string(),
            before: Some(change.before().to_owned()),
            after: Some(change.after().to_owned()),
            dispatch: None,
            listeners: None,
        }
    }

    pub(super) fn of_lifecycle(told: &Lifecycle) -> Self {
        Self {
            sequence: 0,
            at: told.at(),
            kind: AuditKind::Lifecycle,
            actor: told.actor().map(str::to_owned),
            signal: told.signal().to_owned(),
            listener: Some(told.listener_id()),
            key: told.key().map(str::to_owned),
            location: Some(place(told.location())),
            what: told.milestone().to_string(),
            before: None,
            after: None,
            dispatch: Some(told.dispatch().to_string()),
            listeners: Some(told.listeners()),
        }
    }

    /// The same without whatever the program has named, for a redaction that did not come to its end.
    pub(super) fn bare(&self) -> Self {
        let withheld = || "(withheld: the redaction panicked)".to_owned();
        Self {
            actor: None,
            signal: withheld(),
            key: None,
            location: None,
            before: self.before.as_ref().map(|_| withheld()),
            after: self.after.as_ref().map(|_| withheld()),
            ..self.clone()
        }
    }
}

fn place(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

impl fmt::Display for AuditRecord {
    /// "#7 2026-11-22T04:17:03.250Z alice: `audit` of `orders`: calls: enabled -> disabled"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {} ", self.sequence, Utc(self.at))?;
        write!(f, "{}: ", self.actor.as_deref().unwrap_or("nobody"))?;
        match (&self.key, &self.location) {
            (Some(key), _) => write!(f, "`{key}` of ")?,
            (None, Some(location)) => write!(f, "listener at {location} of ")?,
            (None, None) => {}
        }
        write!(f, "`{}`: {}", self.signal, self.what)?;
        if let (Some(before), Some(after)) = (&self.before, &self.after) {
            write!(f, ": {before} -> {after}")?;
        }
        if let Some(listeners) = self.listeners {
            let s = if listeners == 1 { "" } else { "s" };
            write!(f, ", {listeners} listener{s}")?;
        }
        Ok(())
    }
}
