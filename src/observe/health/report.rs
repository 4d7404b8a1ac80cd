//! What a check has found.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::{Reason, Severity};

/// How a bus does: what a [`HealthCheck`](crate::observe::HealthCheck) has found. `Display` is for people, a line for each thing.
///
/// With the feature `serde` it is `Serialize`: whether it is `live` and `ready`, its reasons with their words and numbers, and the worst listeners.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::Bus;
/// use std::time::Duration;
///
/// let bus = Bus::new();
/// let health = bus.health();
/// assert!(health.is_live() && health.is_ready());
/// assert_eq!(health.to_string(), "live, ready\n");
///
/// let _ = bus.shutdown(Duration::from_secs(1)).await;
/// let health = bus.health();
/// assert_eq!((health.liveness_status(), health.readiness_status()), (200, 503));
/// assert_eq!(health.to_string(), "live, not ready\nnot ready: the bus is shut down (nothing: it is being shut down)\n");
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// The name of the bus.
    pub bus: String,
    /// When it was found.
    pub taken_at: SystemTime,
    /// Over what time counts and shares are. `None` before a window has passed since the first check: over all time.
    pub window: Option<Duration>,
    /// What is not well, the worst first.
    pub reasons: Vec<Reason>,
    /// Which listeners are worst, well or not.
    pub worst: WorstListeners,
    /// The tasks of the runtime that are alive, if a runtime was there to be asked.
    pub alive_tasks: Option<usize>,
    /// How many bytes of the process are in RAM, if the system says so.
    pub resident: Option<u64>,
}

/// The worst listeners of a bus, the worst first in each list; as many as [`worst`](crate::observe::HealthCheckBuilder::worst) says.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WorstListeners {
    /// By the share of calls that failed, in the window.
    pub failing: Vec<ListenerHealth>,
    /// By the 99th percentile of their durations, of all that were timed.
    pub slow: Vec<ListenerHealth>,
    /// By the events that they hold.
    pub holding: Vec<ListenerHealth>,
}

/// How one listener does.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ListenerHealth {
    /// Its signal.
    pub signal: String,
    /// Its [label](crate::observe::ListenerSnapshot::label).
    pub listener: String,
    /// Its number.
    pub id: u64,
    /// How often it was called in the window.
    pub calls: u64,
    /// How many of those calls returned an error, panicked or ran into a deadline.
    pub failed: u64,
    /// The 99th percentile of its durations, of all that were timed.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "p99_seconds",
            serialize_with = "crate::observe::serde::seconds_if_any"
        )
    )]
    pub p99: Option<Duration>,
    /// How many events it holds.
    pub held: usize,
}

impl ListenerHealth {
    /// The share of its calls that failed, at most one; zero without calls. See [`ListenerHealth`](crate::observe::ListenerHealth).
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn failure_share(&self) -> f64 {
        self.failed.min(self.calls) as f64 / self.calls.max(1) as f64
    }
}

impl fmt::Display for ListenerHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            signal,
            listener,
            calls,
            failed,
            held,
            ..
        } = self;
        write!(f, "`{listener}` of `{signal}`: {failed} of {calls} failed")?;
        if let Some(p99) = self.p99 {
            write!(f, ", p99 {p99:.1?}")?;
        }
        write!(f, ", {held} held")
    }
}

impl Health {
    /// Whether the process is to go on: false says start it again. See [`Health`](crate::observe::Health).
    pub fn is_live(&self) -> bool {
        self.all_below(Severity::NotLive)
    }

    /// Whether it is to be given work. What is not live is not ready. See [`Health`](crate::observe::Health).
    pub fn is_ready(&self) -> bool {
        self.all_below(Severity::NotReady)
    }

    fn all_below(&self, severity: Severity) -> bool {
        let mut reasons = self.reasons.iter();
        reasons.all(|reason| reason.severity() < severity)
    }

    /// What is worse than normal while it is ready. See [`Reason`](crate::observe::Reason).
    pub fn degradations(&self) -> impl Iterator<Item = &Reason> {
        let reasons = self.reasons.iter();
        reasons.filter(|reason| reason.severity() == Severity::Degraded)
    }

    /// The HTTP status for a liveness probe: 200, or 503 if it is not [live](Self::is_live).
    pub fn liveness_status(&self) -> u16 {
        if self.is_live() { 200 } else { 503 }
    }

    /// The HTTP status for a readiness probe: 200, or 503 if it is not [ready](Self::is_ready).
    pub fn readiness_status(&self) -> u16 {
        if self.is_ready() { 200 } else { 503 }
    }
}

impl Severity {
    fn words(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::NotReady => "not ready",
            Self::NotLive => "not live",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = if self.is_live() { "live" } else { "not live" };
        let ready = if self.is_ready() {
            "ready"
        } else {
            "not ready"
        };
        write!(f, "{live}, {ready}")?;
        if let Some(window) = self.window {
            write!(f, "; over the last {window:.0?}")?;
        }
        writeln!(f)?;
        for reason in &self.reasons {
            let advice = reason.advice();
            writeln!(f, "{}: {reason} ({advice})", reason.severity())?;
        }
        let WorstListeners {
            failing,
            slow,
            holding,
        } = &self.worst;
        for (what, listeners) in [
            ("fails most", failing),
            ("slowest", slow),
            ("holds most", holding),
        ] {
            for listener in listeners {
                writeln!(f, "{what}: {listener}")?;
            }
        }
        Ok(())
    }
}

/// One reason with its words.
#[cfg(feature = "serde")]
#[derive(serde::Serialize)]
struct Described<'a> {
    severity: Severity,
    text: String,
    advice: &'static str,
    #[serde(flatten)]
    reason: &'a Reason,
}

#[cfg(feature = "serde")]
impl serde::Serialize for Health {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let described = |reason| Described {
            severity: Reason::severity(reason),
            text: reason.to_string(),
            advice: reason.advice(),
            reason,
        };
        let reasons: Vec<_> = self.reasons.iter().map(described).collect();
        let since = self.taken_at.duration_since(SystemTime::UNIX_EPOCH);
        let window = self.window.map(|window| window.as_secs_f64());
        let mut fields = serializer.serialize_struct("Health", 9)?;
        fields.serialize_field("bus", &self.bus)?;
        fields.serialize_field("live", &self.is_live())?;
        fields.serialize_field("ready", &self.is_ready())?;
        fields.serialize_field("taken_at", &since.unwrap_or_default().as_secs_f64())?;
        fields.serialize_field("window_seconds", &window)?;
        fields.serialize_field("reasons", &reasons)?;
        fields.serialize_field("worst", &self.worst)?;
        fields.serialize_field("alive_tasks", &self.alive_tasks)?;
        fields.serialize_field("resident_bytes", &self.resident)?;
        fields.end()
    }
}
