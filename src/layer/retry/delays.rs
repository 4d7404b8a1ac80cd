//! How long to wait before each further attempt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::outcome::catch;

/// A sequence of waits. It ends where no further attempt is to be made.
#[derive(Clone)]
pub(super) enum Delays {
    Constant(Duration),
    Exponential {
        first: Duration,
        factor: f64,
        most: Duration,
    },
    Fibonacci {
        first: Duration,
        most: Duration,
    },
    Any(Make),
}

type Make = Arc<dyn Fn() -> AnyDelays + Send + Sync>;
pub(super) type AnyDelays = Box<dyn Iterator<Item = Duration> + Send>;

/// How far a sequence has come.
pub(super) enum Course {
    Constant(Duration),
    Exponential {
        next: Duration,
        factor: f64,
        most: Duration,
    },
    Fibonacci {
        next: Duration,
        after: Duration,
        most: Duration,
    },
    Any(AnyDelays),
}

impl Delays {
    /// The share of jitter unless told.
    pub(super) fn usual_jitter(&self) -> f64 {
        match self {
            Self::Constant(_) | Self::Any(_) => 0.0,
            Self::Exponential { .. } | Self::Fibonacci { .. } => 0.5,
        }
    }

    pub(super) fn begin(&self) -> Course {
        match self {
            Self::Constant(wait) => Course::Constant(*wait),
            Self::Exponential {
                first,
                factor,
                most,
            } => Course::Exponential {
                next: *first,
                factor: *factor,
                most: *most,
            },
            Self::Fibonacci { first, most } => Course::Fibonacci {
                next: *first,
                after: *first,
                most: *most,
            },
            Self::Any(make) => {
                Course::Any(caught(|| Some(make())).unwrap_or_else(|| Box::new(std::iter::empty())))
            }
        }
    }
}

impl Iterator for Course {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        match self {
            Self::Constant(wait) => Some(*wait),
            Self::Exponential { next, factor, most } => {
                let wait = (*next).min(*most);
                let grown = wait.as_secs_f64() * *factor;
                *next = Duration::try_from_secs_f64(grown).map_or(*most, |grown| grown.min(*most));
                Some(wait)
            }
            Self::Fibonacci { next, after, most } => {
                let wait = (*next).min(*most);
                let sum = next.saturating_add(*after);
                *next = *after;
                *after = sum;
                Some(wait)
            }
            Self::Any(waits) => caught(|| waits.next()),
        }
    }
}

/// Delays that panic are at their end: the failure that they were to follow is final, and not hidden.
fn caught<T>(code: impl FnOnce() -> Option<T>) -> Option<T> {
    catch(code).unwrap_or_else(|message| {
        tracing::error!(%message, "the delays of a retry panicked");
        None
    })
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(wait) => write!(f, "every {wait:?}"),
            Self::Exponential {
                first,
                factor,
                most,
            } => write!(f, "after {first:?} x {factor} to {most:?}"),
            Self::Fibonacci { first, most } => {
                write!(f, "after {first:?} in Fibonacci's steps to {most:?}")
            }
            Self::Any(_) => f.write_str("after delays of its own"),
        }
    }
}

impl fmt::Debug for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
