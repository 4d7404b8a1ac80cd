//! Values that are written otherwise than they are kept.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use serde::Serializer;

/// As `Display` has it.
pub(super) fn words<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "what `serialize_with` calls it with")]
pub(super) fn words_if_any<S: Serializer>(
    value: &Option<impl Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn since_1970(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// Seconds.
pub(super) mod seconds {
    use super::{Duration, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(time.as_secs_f64())
    }
}

/// The same, or none.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(super) fn seconds_if_any<S: Serializer>(
    time: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.serialize_some(&time.as_secs_f64()),
        None => to.serialize_none(),
    }
}

/// Seconds since 1970.
pub(super) mod time {
    use super::{Serializer, SystemTime, since_1970};

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(since_1970(*time))
    }
}

/// The same, or none.
pub(super) mod time_if_any {
    use super::{Serializer, SystemTime, since_1970};

    #[expect(clippy::ref_option, reason = "what `with` calls it with")]
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_f64(since_1970(*time)),
            None => to.serialize_none(),
        }
    }
}
