//! Follow-up events that nothing can be emitted on.

use std::error::Error;
use std::fmt;

/// A listener has succeeded, and its follow-up events were not emitted, since its bus is gone: every handle of it was dropped. They are dropped; what the listener has done stays done, and trying
/// again would do that twice.
///
/// It is the [`Cause::Failed`](crate::Cause::Failed) of the listener, in the report and for the failure callbacks. No layer sees it, since the call is over for them: it is not retried, and makes
/// no dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUpError {
    event_types: Vec<&'static str>,
}

impl FollowUpError {
    pub(crate) fn new(event_types: Vec<&'static str>) -> Self {
        Self { event_types }
    }

    /// The types of the events that were not emitted, in their order. See [`FollowUpError`](crate::FollowUpError).
    pub fn event_types(&self) -> &[&'static str] {
        &self.event_types
    }
}

impl fmt::Display for FollowUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.event_types.join(", ");
        write!(
            f,
            "it succeeded, and its follow-up events were not emitted, since its bus is gone: {types}"
        )
    }
}

impl Error for FollowUpError {}
