//! Follow-up events that were refused.

use std::error::Error;
use std::fmt;

/// A listener has succeeded, and of the events that it has returned some were not emitted, since there is nothing to emit them on any more: the bus is gone, or it or the signal of the event is
/// shut down. They are dropped; what the listener has done stays done, and trying again would do that twice.
///
/// It is the [`Cause::Failed`](crate::Cause::Failed) of the listener, in the report and for the failure callbacks. No layer sees it, since the call is over for them: it is not retried, and makes
/// no dead letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowUpError {
    pub(crate) event_types: Vec<&'static str>,
    pub(crate) bus_is_gone: bool,
}

impl FollowUpError {
    /// The types of the events that were not emitted, in their order. See [`FollowUpError`](crate::FollowUpError).
    pub fn event_types(&self) -> &[&'static str] {
        &self.event_types
    }

    /// Whether the bus is gone, rather than shut down. See [`FollowUpError`](crate::FollowUpError).
    pub fn is_bus_gone(&self) -> bool {
        self.bus_is_gone
    }
}

impl fmt::Display for FollowUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.bus_is_gone {
            "the bus is gone"
        } else {
            "their signal is shut down"
        };
        let types = self.event_types.join(", ");
        write!(
            f,
            "it succeeded, and its follow-up events were not emitted, since {why}: {types}"
        )
    }
}

impl Error for FollowUpError {}
