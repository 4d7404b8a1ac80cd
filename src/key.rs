//! Names: a listener's key, and all that identifies one listener in a report or a log line.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A listener's key: text that is not empty, unique within a signal. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(Arc<str>);

impl Key {
    /// `None` if the text is empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Who a listener is: what a person needs to find it in the source.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: u64,
    pub(crate) signal: Arc<str>,
    pub(crate) key: Option<Key>,
    pub(crate) location: &'static Location<'static>,
}

impl fmt::Display for Identity {
    /// "`audit`", or "listener at src/main.rs:12:9" for one without a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "`{}`", key.as_str()),
            None => write!(f, "listener at {}", self.location),
        }
    }
}
