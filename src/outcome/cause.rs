//! The outcomes of one listener, and their causes.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::CallError;
use crate::error::BoxError;

/// What one listener did in one emission.
///
/// The set may grow: match with a wildcard, or ask [`is_failure`](Self::is_failure).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It was called and succeeded.
    Done,
    /// It returned an error.
    Failed,
    /// It panicked.
    Panicked,
    /// It was started and a deadline ended it.
    TimedOut,
    /// It was not called: no permit, a limit or a breaker in its way, recursion too deep, or no runtime to run on.
    Rejected,
    /// It was cancelled, before its turn or while it ran.
    Cancelled,
    /// It was handed to the background: to a retry, or to the buffer of a paused listener.
    Deferred,
    /// It was passed over on purpose: filtered, removed, spent, stopped, disabled, paused, a duplicate, or outside its fraction of a rollout.
    Skipped,
}

impl Outcome {
    /// Every outcome, in the order in which reports print them.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Panicked,
        Self::TimedOut,
        Self::Rejected,
        Self::Cancelled,
        Self::Deferred,
        Self::Skipped,
    ];

    /// Whether this makes [`Report::into_result`](crate::Report::into_result) an error.
    ///
    /// ```
    /// use fanfare::Outcome;
    /// assert!(Outcome::Panicked.is_failure());
    /// assert!(!Outcome::Skipped.is_failure());
    /// ```
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Panicked | Self::TimedOut | Self::Rejected | Self::Cancelled
        )
    }
}

impl Outcome {
    /// The name, as labels of metrics have it: `done`, `failed`, `panicked`, `timed_out`, `rejected`, `cancelled`, `deferred`, `skipped`. See [`Outcome`](crate::Outcome).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Deferred => "deferred",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed out",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Deferred => "deferred",
            Self::Skipped => "skipped",
        })
    }
}

/// Why a listener was not [`Outcome::Done`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The error that it returned.
    Failed(Arc<dyn Error + Send + Sync>),
    /// The message of its panic.
    Panicked(Arc<str>),
    /// How much time it was given, by the emission's timeout, its deadline or the timeout of an attempt.
    TimedOut(Duration),
    /// Why it was not called.
    Rejected(Rejection),
    /// Who cancelled it.
    Cancelled(Cancellation),
    /// It goes on in the background, or is called from there later.
    Deferred,
    /// Why it was passed over.
    Skipped(Skip),
}

impl Cause {
    /// What an error that a call ended with means: the cause that a [`CallError`] carries, tower's `Overloaded` as [`Rejection::Overloaded`], and any other as
    /// [`Failed`](Self::Failed).
    pub fn of(error: BoxError) -> Self {
        match error.downcast::<CallError>() {
            Ok(error) => error.into_cause(),
            Err(error) if error.is::<tower::load_shed::error::Overloaded>() => {
                Self::Rejected(Rejection::Overloaded)
            }
            Err(error) => Self::Failed(Arc::from(error)),
        }
    }

    /// The outcome that [`of`](Self::of) would find, without taking the error.
    pub fn outcome_of(error: &(dyn Error + Send + Sync + 'static)) -> Outcome {
        match error.downcast_ref::<CallError>() {
            Some(error) => error.cause().outcome(),
            None if error.is::<tower::load_shed::error::Overloaded>() => Outcome::Rejected,
            None => Outcome::Failed,
        }
    }

    /// The outcome that this is a cause of. See [`Report`](crate::Report).
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Failed(_) => Outcome::Failed,
            Self::Panicked(_) => Outcome::Panicked,
            Self::TimedOut(_) => Outcome::TimedOut,
            Self::Rejected(_) => Outcome::Rejected,
            Self::Cancelled(_) => Outcome::Cancelled,
            Self::Deferred => Outcome::Deferred,
            Self::Skipped(_) => Outcome::Skipped,
        }
    }

    /// The message of the panic, if it was one. See [`Report`](crate::Report).
    pub fn panic_message(&self) -> Option<&str> {
        match self {
            Self::Panicked(message) => Some(message),
            _ => None,
        }
    }

    /// The error that the listener returned, if it returned one. `downcast_ref` finds the type behind it. See [`Report`](crate::Report).
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            _ => None,
        }
    }
}

/// What [`Cause::of`] would find in an error, in words, without taking it.
pub(crate) struct CauseOf<'a>(pub(crate) &'a BoxError);

impl fmt::Display for CauseOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.downcast_ref::<CallError>() {
            Some(error) => error.cause().fmt(f),
            None if self.0.is::<tower::load_shed::error::Overloaded>() => {
                Cause::Rejected(Rejection::Overloaded).fmt(f)
            }
            None => write_failed(&**self.0, f),
        }
    }
}

fn write_failed(error: &(dyn Error + 'static), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "failed: {error}")?;
    let mut source = error.source();
    while let Some(cause) = source {
        write!(f, ": {cause}")?;
        source = cause.source();
    }
    Ok(())
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write_failed(&**error, f),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::TimedOut(given) => write!(f, "timed out after {given:?}"),
            Self::Rejected(rejection) => write!(f, "rejected: {rejection}"),
            Self::Cancelled(cancellation) => write!(f, "cancelled: {cancellation}"),
            Self::Deferred => f.write_str("deferred to the background"),
            Self::Skipped(skip) => write!(f, "skipped: {skip}"),
        }
    }
}

/// Why a listener was not called although it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The pool had no free permit in time: its size, and how long the emission waited.
    PoolFull {
        /// The pool's size.
        size: usize,
        /// How long the emission waited for a permit; zero if the pool rejects at once.
        waited: Duration,
    },
    /// Emissions are nested deeper than the limit: an event that, through its listeners, emits itself.
    RecursionLimit {
        /// The limit, as `recursion_limit` sets it.
        limit: usize,
        /// The emissions that led here, outermost first: `a -> b -> a`.
        path: String,
    },
    /// The listener needs a task or a blocking thread, and there is no tokio runtime to give it one.
    NoRuntime,
    /// Its rate limit was used up.
    RateLimited {
        /// How long until there is room for one more call.
        retry_after: Duration,
    },
    /// As many of its calls run as its concurrency limit allows.
    ConcurrencyFull {
        /// The limit.
        limit: usize,
        /// How long the call waited; zero if the limit rejects at once.
        waited: Duration,
    },
    /// A limit per key knows as many keys as it may, and each of them is in use.
    TooManyKeys {
        /// The limit of keys.
        limit: usize,
    },
    /// Its circuit breaker is open.
    CircuitOpen {
        /// How long until the breaker lets a probe through; `None` if it is held open by hand, or probes are under way.
        retry_after: Option<Duration>,
    },
    /// It is paused, or is called with what came while it was, and holds as many events as it may.
    HoldFull {
        /// The limit, as [`Pause::buffer`](crate::Pause::buffer) sets it.
        limit: usize,
    },
    /// It is a stream, and its buffer is full: at once, or for as long as its overflow policy waits.
    StreamFull {
        /// How many events the stream holds, as [`StreamBuilder::buffer`](crate::StreamBuilder::buffer) sets it.
        capacity: usize,
    },
    /// A layer sheds load: tower's `LoadShed`.
    Overloaded,
    /// It would wait for the listener that emits it: for the turn of a key that this has, or for a batch behind the one that this is called with. `enqueue` does not wait.
    WouldDeadlock,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoolFull { size, waited } if waited.is_zero() => {
                write!(f, "no free permit in the pool of {size}")
            }
            Self::PoolFull { size, waited } => {
                write!(f, "no free permit in the pool of {size} within {waited:?}")
            }
            Self::RecursionLimit { limit, path } => {
                write!(f, "emissions nested deeper than the recursion limit of {limit}: {path}")
            }
            Self::RateLimited { retry_after } => {
                write!(f, "the rate limit is used up for another {retry_after:?}")
            }
            Self::ConcurrencyFull { limit, waited } if waited.is_zero() => {
                write!(f, "{limit} calls run, which is the concurrency limit")
            }
            Self::ConcurrencyFull { limit, waited } => {
                write!(f, "{limit} calls run, which is the concurrency limit, and none ended within {waited:?}")
            }
            Self::TooManyKeys { limit } => {
                write!(f, "{limit} keys are in use, which is the limit of keys")
            }
            Self::CircuitOpen { retry_after: Some(after) } => {
                write!(f, "the circuit breaker is open for another {after:?}")
            }
            Self::CircuitOpen { retry_after: None } => f.write_str("the circuit breaker is open"),
            Self::HoldFull { limit } => {
                write!(f, "{limit} events are held for it, which is all that its pause holds")
            }
            Self::StreamFull { capacity } => {
                write!(f, "{capacity} events wait to be read, which is all that the stream holds")
            }
            Self::Overloaded => f.write_str("a layer sheds load"),
            Self::WouldDeadlock => f.write_str("a listener waits for an event of its own key, or of its own batches, which waits for the listener: `enqueue` it instead"),
            Self::NoRuntime => f.write_str("no tokio runtime here: emit inside one, or give the builder a handle with `runtime`"),
        }
    }
}

/// Who cancelled a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancellation {
    /// The future of the emission was dropped.
    Dropped,
    /// The emission's deadline passed before its turn came, or while its blocking thread ran.
    Deadline,
    /// A `CancellationToken` fired.
    Token,
    /// The signal or the bus was shut down and its drain time was over.
    Shutdown,
    /// The runtime that ran it ended.
    RuntimeEnded,
}

impl fmt::Display for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "the emission was dropped",
            Self::Deadline => "the deadline of the emission passed",
            Self::Token => "a cancellation token fired",
            Self::Shutdown => "shut down",
            Self::RuntimeEnded => "the runtime ended",
        })
    }
}

/// Why a listener was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skip {
    /// Its filter said no.
    Filtered,
    /// It was removed before its turn.
    Removed,
    /// Its `once` or `times(n)` was used up by another emission.
    Spent,
    /// A listener before it stopped the emission: `OnError::Stop` or `ControlFlow::Break`.
    Stopped,
    /// It is switched off: an error or a policy said `Decision::Disable`, or `Subscription::disable` was called.
    Disabled,
    /// It is switched off for a time, and holds nothing meanwhile: `Decision::Pause`, or `Subscription::pause`.
    Paused,
    /// Its dedup layer has seen an event of this key.
    Duplicate,
    /// The event is outside of its fraction of a [`Rollout`](crate::Rollout).
    OutsideFraction,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filtered => "its filter said no",
            Self::Removed => "removed before its turn",
            Self::Spent => "used up",
            Self::Stopped => "stopped by a listener before it",
            Self::Disabled => "disabled",
            Self::Paused => "paused",
            Self::Duplicate => "a duplicate",
            Self::OutsideFraction => "outside its fraction of the rollout",
        })
    }
}
