//! What should happen after a failure.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::{DeadLetterError, FallbackError};
use crate::error::BoxError;
use crate::outcome::CallError;

/// What should happen after a failure. An error can carry it, [`with`](Self::with), and a [`FailurePolicy`](crate::layer::FailurePolicy) decides for errors that do not.
///
/// `Retry`, `RetryAfter` and `Snooze` are carried out by the [`Retry`](crate::layer::Retry) of the listener; for a listener without one they mean `GiveUp`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::Signal;
/// use fanfare::layer::{Decision, Retry};
///
/// let signal = Signal::<u32>::new();
/// signal
///     .listen()
///     .retry(Retry::exponential())
///     .with_delivery()
///     .try_on(async |_, delivery| match delivery.attempt() {
///         1 => Err(Decision::RetryAfter(Duration::from_secs(30)).with("too many requests").into()),
///         _ => Ok(()),
///     })?;
/// assert_eq!(signal.emit(1).await.delivered(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Another attempt at once, if any is left.
    Retry,
    /// Another attempt after this long, if any is left; jitter is not added.
    RetryAfter(Duration),
    /// Another attempt after this long, which does not count as one: the work was not to be done yet. Bounded by
    /// [`Retry::max_snoozes`](crate::layer::Retry::max_snoozes).
    Snooze(Duration),
    /// No further attempt: the failure is final.
    GiveUp,
    /// No further attempt, and the dead letter takes it, also where it takes only what it is asked to.
    DeadLetter,
    /// No further attempt, and the listener is not called any more until [`Subscription::enable`](crate::Subscription::enable).
    Disable,
    /// No further attempt, and the listener is not called for this long.
    Pause(Duration),
}

impl Decision {
    /// An error that carries this decision.
    pub fn with(self, error: impl Into<BoxError>) -> Directed {
        Directed {
            decision: self,
            error: error.into(),
        }
    }

    /// What this error, or one that it came from, carries.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        chain(error).find_map(|error| Some(error.downcast_ref::<Directed>()?.decision))
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry => f.write_str("retry"),
            Self::RetryAfter(wait) => write!(f, "retry after {wait:?}"),
            Self::Snooze(wait) => write!(f, "snooze for {wait:?}"),
            Self::GiveUp => f.write_str("give up"),
            Self::DeadLetter => f.write_str("dead-letter"),
            Self::Disable => f.write_str("disable the listener"),
            Self::Pause(time) => write!(f, "pause the listener for {time:?}"),
        }
    }
}

/// An error that says what should happen. [`Decision::with`] makes it.
#[derive(Debug)]
pub struct Directed {
    decision: Decision,
    error: BoxError,
}

impl Directed {
    /// What should happen. See [`Decision`](crate::layer::Decision).
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// The error itself. See [`Decision`](crate::layer::Decision).
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }
}

impl fmt::Display for Directed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.error, self.decision)
    }
}

impl Error for Directed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// The error that one of our own is a wrap around, whose `Display` it shares and whose source it gives for its own.
fn wrapped<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(directed) = error.downcast_ref::<Directed>() {
        return Some(&*directed.error);
    }
    if let Some(dead) = error.downcast_ref::<DeadLetterError>() {
        return Some(dead.call());
    }
    if let Some(both) = error.downcast_ref::<FallbackError>() {
        return Some(both.call());
    }
    let cause = error.downcast_ref::<CallError>()?.cause();
    Some(cause.error()?)
}

/// An error and those that it came from, wraps of our own seen through.
pub(super) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = wrapped(error).or_else(|| error.source());
        Some(error)
    })
}
