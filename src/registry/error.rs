//! Why a listener was not registered.

use std::fmt;
use std::panic::Location;

use crate::error::OptionError;

/// Why a listener was not registered. Nothing was changed; trying again with the same arguments cannot help, but for
/// [`DuplicateKey`](Self::DuplicateKey) once the other listener is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The signal has a listener of this key. `replace()` on the builder takes its place.
    DuplicateKey {
        /// The key.
        key: String,
        /// The name of the signal.
        signal: String,
        /// Where the other listener was registered.
        existing: &'static Location<'static>,
    },
    /// An option makes no sense: an empty key, `times(0)`.
    Option(OptionError),
    /// The listener's follow-up events, or those of its fallback, have nowhere to go: its signal is none of a bus.
    NoBus {
        /// The name of the signal.
        signal: String,
    },
    /// The event type is a reference: such a listener would never be called.
    ReferenceType {
        /// The type's name.
        event_type: &'static str,
    },
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateKey {
                key,
                signal,
                existing,
            } => write!(
                f,
                "signal `{signal}` has a listener with the key `{key}`, registered at {existing}: choose another key, or take its place with `replace()`"
            ),
            Self::Option(error) => error.fmt(f),
            Self::NoBus { signal } => write!(
                f,
                "signal `{signal}` is none of a bus, so there is nothing to emit follow-up events on: register with `bus.listen()`, or on the signal that `bus.signal()` gives"
            ),
            Self::ReferenceType { event_type } => write!(
                f,
                "the event type `{event_type}` is a reference, which nobody emits: take the event by value, or borrow it with `on_sync(|e: &E| ..)`"
            ),
        }
    }
}

impl std::error::Error for RegisterError {}

impl From<OptionError> for RegisterError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}
