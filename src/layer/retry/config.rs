//! The config, which is the layer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::delays::{AnyDelays, Delays};
use super::state::Limits;
use super::{RetryBudget, RetryService};
use crate::error::{OptionError, check_count};
use crate::layer::FailurePolicy;

/// Tries a failed call again.
///
/// Failed and timed-out attempts are tried again, and those that a limit or breaker inside rejected (after the time that it names, if that is longer than the delay); panics if
/// [`retry_panics`](Self::retry_panics) says so; cancelled and skipped ones never. What an error carries or a [`FailurePolicy`] decides comes first. The wait
/// holds neither the pool's permit nor anything of the layers inside. The attempts, not the waits, count as [`Delivery::attempt`](crate::Delivery::attempt).
///
/// Default: 3 attempts in all, no limit on time, no budget, in the emission rather than in the background.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Signal;
/// use fanfare::layer::Retry;
///
/// let signal = Signal::<u32>::new();
/// signal
///     .listen()
///     .retry(Retry::exponential().max_attempts(5))
///     .with_delivery()
///     .try_on(async |_, delivery| if delivery.attempt() < 3 { Err("not yet".into()) } else { Ok(()) })?;
/// assert_eq!(signal.emit(1).await.delivered(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a retry does nothing until it is given to a listener, a signal or a bus"]
pub struct Retry {
    pub(super) delays: Delays,
    pub(super) limits: Limits,
    pub(super) seed: Option<u64>,
    pub(super) panics: bool,
    pub(super) rejections: bool,
    pub(super) budget: Option<RetryBudget>,
    pub(super) background: bool,
    pub(super) policy: Arc<FailurePolicy>,
}

impl Retry {
    fn after(delays: Delays) -> Self {
        Self {
            limits: Limits {
                max_attempts: 3,
                max_elapsed: None,
                max_snoozes: 100,
                jitter: delays.usual_jitter(),
            },
            delays,
            seed: None,
            panics: false,
            rejections: true,
            budget: None,
            background: false,
            policy: Arc::default(),
        }
    }

    /// Waits equally long before each further attempt. See [`Retry`](crate::layer::Retry).
    pub fn constant(wait: Duration) -> Self {
        Self::after(Delays::Constant(wait))
    }

    /// Waits 100 ms, then twice as long each time, up to 30 s, with a jitter of a half. [`first`](Self::first), [`factor`](Self::factor), [`most`](Self::most) and
    /// [`jitter`](Self::jitter) change that.
    pub fn exponential() -> Self {
        let delays = Delays::Exponential {
            first: Duration::from_millis(100),
            factor: 2.0,
            most: Duration::from_secs(30),
        };
        Self::after(delays)
    }

    /// Waits 100 ms, 100 ms, 200 ms, 300 ms, 500 ms, each the sum of the two before, up to 30 s, with a jitter of a half. [`first`](Self::first), [`most`](Self::most) and
    /// [`jitter`](Self::jitter) change that.
    pub fn fibonacci() -> Self {
        let delays = Delays::Fibonacci {
            first: Duration::from_millis(100),
            most: Duration::from_secs(30),
        };
        Self::after(delays)
    }

    /// Waits as an iterator says, which is made anew for each call that fails; where it ends, no further attempt is made. [`max_attempts`](Self::max_attempts) counts too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fanfare::layer::Retry;
    ///
    /// let retry = Retry::delays(|| [1, 5, 25].into_iter().map(Duration::from_secs)).max_attempts(100);
    /// # let _ = retry;
    /// ```
    pub fn delays<I>(delays: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: Iterator<Item = Duration> + Send + 'static,
    {
        let make = move || Box::new(delays()) as AnyDelays;
        Self::after(Delays::Any(Arc::new(make)))
    }

    /// The first wait, of an exponential or Fibonacci retry or a constant one. Default: 100 ms. See [`Retry::exponential`].
    pub fn first(mut self, wait: Duration) -> Self {
        match &mut self.delays {
            Delays::Constant(first)
            | Delays::Exponential { first, .. }
            | Delays::Fibonacci { first, .. } => *first = wait,
            Delays::Any(_) => {}
        }
        self
    }

    /// By how much each wait of an exponential retry is longer than the one before. Default: 2; from 1 to 100. See [`Retry::exponential`].
    pub fn factor(mut self, times: f64) -> Self {
        if let Delays::Exponential { factor, .. } = &mut self.delays {
            *factor = times;
        }
        self
    }

    /// The longest wait of an exponential or Fibonacci retry, before jitter. Default: 30 s. See [`Retry::exponential`].
    pub fn most(mut self, wait: Duration) -> Self {
        if let Delays::Exponential { most, .. } | Delays::Fibonacci { most, .. } = &mut self.delays
        {
            *most = wait;
        }
        self
    }

    /// How much longer a wait may become by chance, as a share of it: 0.5 is up to a half longer. Jitter only lengthens. Default: 0.5 for exponential and Fibonacci, 0 for the
    /// others; from 0 to 10. See [`Retry`](crate::layer::Retry).
    pub fn jitter(mut self, share: f64) -> Self {
        self.limits.jitter = share;
        self
    }

    /// The seed of the jitter, for tests. Default: drawn for each listener. See [`Retry`](crate::layer::Retry).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many attempts there are in all, the first included. Default: 3; from 1. See [`Retry`](crate::layer::Retry).
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.limits.max_attempts = attempts;
        self
    }

    /// How long after the call began an attempt may still be made; a wait that would end later is not begun. Default: no limit. See [`Retry`](crate::layer::Retry).
    pub fn max_elapsed(mut self, time: Duration) -> Self {
        self.limits.max_elapsed = Some(time);
        self
    }

    /// How often a call may be snoozed ([`Decision::Snooze`](crate::layer::Decision::Snooze)). Default: 100. See [`Retry`](crate::layer::Retry).
    pub fn max_snoozes(mut self, snoozes: u32) -> Self {
        self.limits.max_snoozes = snoozes;
        self
    }

    /// Tries panics again as failures are. Default: off; a panic is final. See [`Retry`](crate::layer::Retry).
    pub fn retry_panics(mut self) -> Self {
        self.panics = true;
        self
    }

    /// Makes what a limit or breaker inside rejects final. Default: it is tried again, after the time that the rejection names. See [`Retry`](crate::layer::Retry).
    pub fn give_up_on_rejections(mut self) -> Self {
        self.rejections = false;
        self
    }

    /// Bounds retries to a share of the calls. Default: none. See [`RetryBudget`].
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Hands a call to the background when it is to wait for its next attempt: the emission goes on, its report says [`Deferred`](crate::Outcome::Deferred), and what comes of it is told to
    /// the failure callbacks. No attempt is made after the deadline of the listener or the timeout of the emission. At most as many calls of a signal are there at once as its `max_background` says; one more waits in its emission.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use std::time::Duration;
    /// use fanfare::{Outcome, Signal};
    /// use fanfare::layer::Retry;
    ///
    /// let signal = Signal::<u32>::new();
    /// signal
    ///     .listen()
    ///     .retry(Retry::constant(Duration::from_secs(60)).in_background())
    ///     .with_delivery()
    ///     .try_on(async |_, delivery| if delivery.attempt() == 1 { Err("not yet".into()) } else { Ok(()) })?;
    /// assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    /// assert!(signal.shutdown(Duration::from_secs(120)).await.is_clean()); // waits for it
    /// # Ok(()) }
    /// ```
    pub fn in_background(mut self) -> Self {
        self.background = true;
        self
    }

    /// Which failure means what, for this layer alone; the policies of listener, signal and bus are asked after it. Default: no rules. See [`FailurePolicy`].
    pub fn policy(mut self, policy: FailurePolicy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// The same, with those rules after its own.
    pub(crate) fn under(mut self, outer: &FailurePolicy) -> Self {
        let own = FailurePolicy::clone(&self.policy);
        self.policy = Arc::new(own.then(outer));
        self
    }

    /// Whether there is something to note when a call begins.
    pub(super) fn asks_of_calls(&self) -> bool {
        self.budget.is_some() || self.limits.max_elapsed.is_some()
    }

    /// These settings in the place of those, whose budget, seed and rules stay where there are no others.
    pub(super) fn in_place_of(mut self, old: &Self) -> Self {
        self.seed = self.seed.or(old.seed);
        if self.policy.is_empty() {
            self.policy = Arc::clone(&old.policy);
        }
        match (&self.budget, &old.budget) {
            (None, Some(budget)) => self.budget = Some(budget.clone()),
            (Some(budget), Some(old)) => budget.take_over(old),
            _ => {}
        }
        self
    }

    /// Its own rules under those of the listener; no rules if it has none of its own.
    pub(in crate::layer) fn own_rules_under(self, outer: &FailurePolicy) -> Self {
        if self.policy.is_empty() {
            self
        } else {
            self.under(outer)
        }
    }

    pub(crate) fn check(&self) -> Result<(), OptionError> {
        check_count(
            "max_attempts",
            self.limits.max_attempts as usize,
            u32::MAX as usize,
            "it takes 1 attempt or more, the first included",
        )?;
        if !(0.0..=10.0).contains(&self.limits.jitter) {
            return Err(OptionError::new(
                "jitter",
                self.limits.jitter,
                "it takes a share from 0 to 10 of the wait",
            ));
        }
        match self.delays {
            Delays::Exponential { factor, .. } if !(1.0..=100.0).contains(&factor) => Err(
                OptionError::new("factor", factor, "it takes a factor from 1 to 100"),
            ),
            Delays::Exponential { first, .. } | Delays::Fibonacci { first, .. }
                if first.is_zero() =>
            {
                Err(OptionError::new(
                    "first",
                    "0ns",
                    "it takes a wait above zero; `Retry::constant` may wait for nothing",
                ))
            }
            _ => self.budget.as_ref().map_or(Ok(()), RetryBudget::check),
        }
    }
}

impl<S> Layer<S> for Retry {
    type Service = RetryService<S>;

    fn layer(&self, inner: S) -> RetryService<S> {
        RetryService::new(inner, self.clone())
    }
}

impl fmt::Display for Retry {
    /// "3 attempts, after 100ms x 2 to 30s, in the background"; what is not as it is by default is named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} attempts, {}", self.limits.max_attempts, self.delays)?;
        if let Some(most) = self.limits.max_elapsed {
            write!(f, ", within {most:?}")?;
        }
        if self.panics {
            f.write_str(", panics too")?;
        }
        if !self.rejections {
            f.write_str(", no rejections")?;
        }
        let usual = Self::after(self.delays.clone());
        let Limits {
            jitter,
            max_snoozes,
            ..
        } = self.limits;
        if jitter.total_cmp(&usual.limits.jitter).is_ne() {
            write!(f, ", jitter of {jitter}")?;
        }
        if max_snoozes != usual.limits.max_snoozes {
            write!(f, ", {max_snoozes} snoozes")?;
        }
        if let Some(budget) = &self.budget {
            write!(f, ", {budget}")?;
        }
        if self.background {
            f.write_str(", in the background")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retry({self})")
    }
}
