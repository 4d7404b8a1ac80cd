//! What a layer ends a call with.

use std::error::Error;
use std::fmt;

use super::{Cause, Rejection};

/// What a layer ends a call with that the listener did not: a timeout, a rejection, a panic as a value.
///
/// Inside a stack of layers every failure is a [`BoxError`](crate::BoxError): the listener's own as it returned it, or one of these. A layer of your own that returns one
/// says which [`Outcome`](crate::Outcome) it means; any other error is `Failed`. Whether trying again can help is the retry layer's to decide.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fanfare::{BoxError, CallError, Cause, Outcome};
///
/// let error: BoxError = CallError::new(Cause::TimedOut(Duration::from_secs(1))).into();
/// assert_eq!(Cause::outcome_of(&*error), Outcome::TimedOut);
/// assert_eq!(error.to_string(), "timed out after 1s");
/// ```
#[derive(Clone, Debug)]
pub struct CallError {
    cause: Cause,
}

impl CallError {
    /// An error that means this. See [`CallError`](crate::CallError).
    pub fn new(cause: Cause) -> Self {
        Self { cause }
    }

    pub(crate) fn rejected(rejection: Rejection) -> Self {
        Self::new(Cause::Rejected(rejection))
    }

    /// What it means. See [`CallError`](crate::CallError).
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// What it means, by value. See [`CallError`](crate::CallError).
    pub fn into_cause(self) -> Cause {
        self.cause
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            // The rest of the chain is what `source` is for.
            Cause::Failed(error) => error.fmt(f),
            cause => cause.fmt(f),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Failed(error) => error.source(),
            _ => None,
        }
    }
}
