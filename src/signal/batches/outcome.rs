//! What a listener says of the events of a batch.

use std::fmt;
use std::sync::Arc;

use crate::error::BoxError;
use crate::outcome::{Cause, Verdict, catch};

/// What became of the events of a batch. A listener may return it directly; [`IntoBatchOutcome`] has the shorter forms.
///
/// # Examples
///
/// ```
/// use fanfare::{BatchOutcome, Batches, Signal};
///
/// let signal = Signal::<u32>::new();
/// signal.on_batch(Batches::of(10), async |numbers: Vec<u32>| {
///     if numbers.len() == 1 {
///         return BatchOutcome::done();
///     }
///     let even = |n: u32| if n % 2 == 0 { Ok(()) } else { Err("odd") };
///     BatchOutcome::each(numbers.into_iter().map(even))
/// });
/// ```
#[derive(Debug)]
pub struct BatchOutcome(Which);

#[derive(Debug)]
enum Which {
    All(Result<(), BoxError>),
    Each(Vec<Result<(), BoxError>>),
}

impl BatchOutcome {
    /// All events succeeded. See [`BatchOutcome`](crate::BatchOutcome).
    pub fn done() -> Self {
        Self(Which::All(Ok(())))
    }

    /// All events failed with this error, which they share. See [`BatchOutcome`](crate::BatchOutcome).
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self(Which::All(Err(error.into())))
    }

    /// Each event has its own outcome, in the order of the batch. See [`BatchOutcome`](crate::BatchOutcome).
    pub fn each<E: Into<BoxError>>(outcomes: impl IntoIterator<Item = Result<(), E>>) -> Self {
        let outcomes = outcomes.into_iter();
        Self(Which::Each(
            outcomes.map(|one| one.map_err(Into::into)).collect(),
        ))
    }

    /// The verdict of each of so many events.
    pub(super) fn verdicts(self, events: usize) -> Vec<Verdict> {
        match self.0 {
            Which::All(Ok(())) => (0..events).map(|_| Verdict::done()).collect(),
            Which::All(Err(error)) => all(&Cause::of(error), events),
            Which::Each(each) if each.len() == events => {
                let verdict = |one: Result<(), BoxError>| match one {
                    Ok(()) => Verdict::done(),
                    Err(error) => Verdict::failed(error),
                };
                each.into_iter().map(verdict).collect()
            }
            Which::Each(each) => {
                let error = WrongLength {
                    events,
                    outcomes: each.len(),
                };
                each.into_iter().for_each(let_go);
                all(&Cause::Failed(Arc::new(error)), events)
            }
        }
    }
}

/// The same for all of them.
pub(super) fn all(cause: &Cause, events: usize) -> Vec<Verdict> {
    (0..events).map(|_| Verdict::not(cause.clone())).collect()
}

/// Drops what a listener said of an event, when nobody is to have it.
pub(super) fn let_go(outcome: impl Sized) {
    if let Err(message) = catch(|| drop(outcome)) {
        tracing::error!(%message, "an error of a listener of batches panicked while it was dropped");
    }
}

/// A listener returned fewer outcomes than there were events, or more: nobody knows which is whose.
#[derive(Debug)]
struct WrongLength {
    events: usize,
    outcomes: usize,
}

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, outcomes } = self;
        write!(
            f,
            "the listener returned {outcomes} outcomes for the {events} events of a batch"
        )
    }
}

impl std::error::Error for WrongLength {}

/// What a listener of batches may return: `()`, `Result<(), E>` for the batch as a whole, `Vec<Result<(), E>>` for each of its events in order, or a `Result` of that, for any `E: Into<BoxError>`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Batches, Signal};
///
/// let signal = Signal::<u32>::new();
/// signal.on_batch(Batches::of(2), async |batch: Vec<u32>| -> Vec<Result<(), String>> {
///     batch.into_iter().map(|n| if n < 9 { Ok(()) } else { Err(format!("{n} is too large")) }).collect()
/// });
/// let (small, large) = tokio::join!(signal.emit(3), signal.emit(12));
/// assert!(small.is_ok());
/// assert_eq!(large.into_result().unwrap_err().report().failures().count(), 1);
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a listener of batches cannot return `{Self}`",
    label = "not the outcome of a batch",
    note = "return `()`, `Result<(), E>` or `Vec<Result<(), E>>` where `E: Into<BoxError>`",
    note = "to drop a value, end the closure with `;`"
)]
pub trait IntoBatchOutcome {
    /// Says what the value means.
    fn into_batch_outcome(self) -> BatchOutcome;
}

impl IntoBatchOutcome for BatchOutcome {
    fn into_batch_outcome(self) -> BatchOutcome {
        self
    }
}

impl IntoBatchOutcome for () {
    fn into_batch_outcome(self) -> BatchOutcome {
        BatchOutcome::done()
    }
}

impl<E: Into<BoxError>> IntoBatchOutcome for Result<(), E> {
    fn into_batch_outcome(self) -> BatchOutcome {
        BatchOutcome(Which::All(self.map_err(Into::into)))
    }
}

impl<E: Into<BoxError>> IntoBatchOutcome for Vec<Result<(), E>> {
    fn into_batch_outcome(self) -> BatchOutcome {
        BatchOutcome::each(self)
    }
}

impl<E: Into<BoxError>, F: Into<BoxError>> IntoBatchOutcome for Result<Vec<Result<(), E>>, F> {
    fn into_batch_outcome(self) -> BatchOutcome {
        match self {
            Ok(each) => BatchOutcome::each(each),
            Err(error) => BatchOutcome::failed(error),
        }
    }
}
