//! Which failure means what.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::Decision;
use super::decision::chain;
use crate::error::BoxError;
use crate::event::Delivery;
use crate::outcome::{Cause, Outcome, catch};

/// Which failure means what: rules that are asked in order, and the first that decides counts. For a listener, a signal or a bus; the listener's rules come first, then the signal's, then those
/// of the bus. What an error carries itself ([`Decision::with`]) comes before any rule. Where none decides, the retry tries again as its settings say. Default: no rules.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::io::{Error, ErrorKind};
/// use std::time::Duration;
/// use fanfare::{Bus, Outcome};
/// use fanfare::layer::{Decision, FailurePolicy, Retry};
///
/// let policy = FailurePolicy::new()
///     .on_error(|error: &Error| match error.kind() {
///         ErrorKind::ConnectionRefused => Some(Decision::Pause(Duration::from_secs(30))),
///         ErrorKind::InvalidInput => Some(Decision::GiveUp),
///         _ => None,
///     })
///     .when(|failure| failure.outcome() == Outcome::Panicked, Decision::DeadLetter);
/// let bus = Bus::builder().retry(Retry::exponential()).failure_policy(policy).build();
/// bus.try_on(async |_: u32| Err(Error::from(ErrorKind::ConnectionRefused).into()));
/// assert_eq!(bus.emit(1_u32).await.failed(), 1);  // one attempt
/// assert_eq!(bus.emit(2_u32).await.skipped(), 1); // the listener is paused
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct FailurePolicy {
    rules: Vec<Rule>,
}

type Rule = Arc<dyn Fn(&Failure<'_>) -> Option<Decision> + Send + Sync>;

impl FailurePolicy {
    /// No rules. See [`FailurePolicy`](crate::layer::FailurePolicy).
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides for errors of this type, and for those that came from one.
    #[must_use]
    pub fn on<T: Error + 'static>(self, decision: Decision) -> Self {
        self.on_error(move |_: &T| Some(decision))
    }

    /// Decides for errors of this type, and for those that came from one, by looking at it; `None` leaves it to the rules after.
    #[must_use]
    pub fn on_error<T: Error + 'static>(
        self,
        decide: impl Fn(&T) -> Option<Decision> + Send + Sync + 'static,
    ) -> Self {
        self.rule(move |failure| failure.error::<T>().and_then(&decide))
    }

    /// Decides for failures that `which` picks.
    #[must_use]
    pub fn when(
        self,
        which: impl Fn(&Failure<'_>) -> bool + Send + Sync + 'static,
        decision: Decision,
    ) -> Self {
        self.rule(move |failure| which(failure).then_some(decision))
    }

    /// Decides for whatever no rule before has decided, the rules of the levels around included.
    #[must_use]
    pub fn otherwise(self, decision: Decision) -> Self {
        self.rule(move |_| Some(decision))
    }

    fn rule(
        mut self,
        rule: impl Fn(&Failure<'_>) -> Option<Decision> + Send + Sync + 'static,
    ) -> Self {
        self.rules.push(Arc::new(rule));
        self
    }

    /// These rules, then those.
    pub(crate) fn then(mut self, outer: &Self) -> Self {
        self.rules.extend(outer.rules.iter().cloned());
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What is decided for a failure, by itself or by a rule. A rule that panics decides nothing. What was skipped or cancelled has not failed, and no rule is asked.
    pub(crate) fn decide(&self, failure: &Failure<'_>) -> Option<Decision> {
        let carried = Decision::of(failure.error);
        carried.or_else(|| {
            let outcome = failure.outcome();
            if !outcome.is_failure() || outcome == Outcome::Cancelled {
                return None;
            }
            let mut rules = self.rules.iter();
            rules.find_map(|rule| {
                catch(|| rule(failure)).unwrap_or_else(|message| {
                    tracing::error!(signal = failure.delivery.signal(), %message, "a rule of a failure policy panicked");
                    None
                })
            })
        })
    }
}

impl fmt::Debug for FailurePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailurePolicy")
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

/// One failed attempt, for a [`FailurePolicy`] to look at.
#[derive(Debug)]
pub struct Failure<'a> {
    error: &'a (dyn Error + Send + Sync + 'static),
    delivery: &'a Delivery,
}

impl<'a> Failure<'a> {
    pub(crate) fn new(error: &'a BoxError, delivery: &'a Delivery) -> Self {
        Self {
            error: &**error,
            delivery,
        }
    }

    /// What it is: failed, panicked, timed out, rejected. See [`FailurePolicy`](crate::layer::FailurePolicy).
    pub fn outcome(&self) -> Outcome {
        Cause::outcome_of(self.error)
    }

    /// The error, or one that it came from, if it is a `T`. See [`FailurePolicy`](crate::layer::FailurePolicy).
    pub fn error<T: Error + 'static>(&self) -> Option<&'a T> {
        chain(self.error).find_map(|error| error.downcast_ref())
    }

    /// The error as text. See [`FailurePolicy`](crate::layer::FailurePolicy).
    pub fn message(&self) -> String {
        self.error.to_string()
    }

    /// What was delivered: the event, the headers, the attempt. See [`Delivery`].
    pub fn delivery(&self) -> &'a Delivery {
        self.delivery
    }
}
