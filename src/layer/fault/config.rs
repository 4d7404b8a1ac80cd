//! The config, which is the layer.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::source::Source;
use super::state::Odds;
use super::{FaultService, Injected};
use crate::error::OptionError;
use crate::event::Delivery;

/// Which deliveries a fault may be injected into.
pub(super) type Only = Arc<dyn Fn(&Delivery) -> bool + Send + Sync>;

/// Rounding may bring a sum that is 1 on paper above it.
const ROUNDING: f64 = 1e-9;

/// Injects failures, panics, delays and hangs, by chance and by a seed that gives the same ones again. For tests of what is around a listener.
///
/// Its place is innermost, so that retry, breaker, timeout and the report take what it does for the listener's own doing. Each delivery, and each attempt of a retry around it, draws once: one
/// fault at most, before the inner service is called.
///
/// Unlike other layers, all that is layered from one `Fault` and its clones draws from one sequence: else all listeners of a signal would fail at the same emission. Give each its own
/// seed where each needs a sequence of its own.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::Signal;
/// use fanfare::layer::Fault;
///
/// let fault = Fault::new().fail(0.2).panic(0.1).delay(0.1, Duration::from_millis(5)).seed(1234);
/// let signal = Signal::<u32>::new();
/// signal.listen().fault(fault.clone()).on(async |_| {})?;
/// for n in 0..100 {
///     let report = signal.emit(n).await;
///     assert_eq!(report.delivered() + report.failed(), 1, "{fault}");
/// }
/// let injected = fault.injected();
/// assert_eq!(injected.draws(), 100);
/// assert!(injected.failures() > 0 && injected.panics() > 0 && injected.delays() > 0);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing until it is given to a listener, a signal or a bus"]
pub struct Fault {
    odds: Odds,
    only: Option<Only>,
    source: Arc<Source>,
}

impl Fault {
    /// With no fault at all, until it is told which. See [`Fault`](crate::layer::Fault).
    pub fn new() -> Self {
        Self {
            odds: Odds::default(),
            only: None,
            source: Arc::new(Source::random()),
        }
    }

    /// How likely a delivery fails, with [`InjectedFault`](crate::layer::InjectedFault). 0 to 1, as all of them together. Default: 0. See [`Fault`](crate::layer::Fault).
    pub fn fail(mut self, probability: f64) -> Self {
        self.odds.fail = probability;
        self
    }

    /// How likely a delivery panics. 0 to 1, as all of them together. Default: 0. See [`Fault`](crate::layer::Fault).
    pub fn panic(mut self, probability: f64) -> Self {
        self.odds.panic = probability;
        self
    }

    /// How likely a delivery is late by so much. It goes on then. The permit is held meanwhile, as by a slow listener. 0 to 1, as all of them together. Default: 0. See [`Fault`](crate::layer::Fault).
    pub fn delay(self, probability: f64, by: Duration) -> Self {
        self.delay_within(probability, by..=by)
    }

    /// How likely a delivery is late by some time in this range, each as likely as the other. In place of [`delay`](Self::delay).
    ///
    /// ```
    /// use std::time::Duration;
    /// use fanfare::layer::Fault;
    ///
    /// let jitter = Duration::from_millis(1)..=Duration::from_millis(50);
    /// let fault = Fault::new().delay_within(0.5, jitter);
    /// # let _ = fault;
    /// ```
    pub fn delay_within(mut self, probability: f64, by: RangeInclusive<Duration>) -> Self {
        self.odds.delay = probability;
        self.odds.shortest = *by.start();
        self.odds.longest = *by.end();
        self
    }

    /// How likely a delivery never comes back, until it is dropped. 0 to 1, as all of them together. Default: 0. See [`Fault`](crate::layer::Fault).
    pub fn hang(mut self, probability: f64) -> Self {
        self.odds.hang = probability;
        self
    }

    /// Injects only into deliveries that this says yes to. The others pass and draw nothing. Default: all.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::Signal;
    /// use fanfare::layer::Fault;
    ///
    /// let second = Fault::new().fail(1.0).only(|delivery| delivery.event::<u32>() == Some(&2));
    /// let signal = Signal::<u32>::new();
    /// signal.listen().fault(second).on(async |_| {})?;
    /// assert_eq!(signal.emit(1).await.delivered(), 1);
    /// assert_eq!(signal.emit(2).await.failed(), 1);
    /// # Ok(()) }
    /// ```
    pub fn only(mut self, wanted: impl Fn(&Delivery) -> bool + Send + Sync + 'static) -> Self {
        self.only = Some(Arc::new(wanted));
        self
    }

    /// Draws by this seed, from the first draw on: clones made before are left to their own. Default: a random one, which a `tracing` event of level info names once, and
    /// [`seed_used`](Self::seed_used) and the message of each injected fault too. See [`Fault`](crate::layer::Fault).
    pub fn seed(mut self, seed: u64) -> Self {
        self.source = Arc::new(Source::seeded(seed));
        self
    }

    /// The seed that it draws by, given or random. See [`Fault`](crate::layer::Fault).
    pub fn seed_used(&self) -> u64 {
        self.source.seed()
    }

    /// What this and its clones have injected so far. See [`Injected`](crate::layer::Injected).
    pub fn injected(&self) -> Injected {
        self.source.injected()
    }

    /// Whether the options make sense.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        let odds = &self.odds;
        let each = [
            ("fail", odds.fail),
            ("panic", odds.panic),
            ("delay", odds.delay),
            ("hang", odds.hang),
        ];
        for (option, probability) in each {
            // Not a number is in no range.
            if !(0.0..=1.0).contains(&probability) {
                let expected = "it takes a probability, 0 to 1";
                return Err(OptionError::new(option, probability, expected));
            }
        }
        let sum = odds.sum();
        if sum > 1.0 + ROUNDING {
            let expected = "its probabilities together are at most 1";
            return Err(OptionError::new("fault", sum, expected));
        }
        if odds.longest < odds.shortest {
            let range = format!("{:?}..={:?}", odds.shortest, odds.longest);
            let expected = "it takes a range that does not end before it starts";
            return Err(OptionError::new("delay_within", range, expected));
        }
        Ok(())
    }
}

impl Default for Fault {
    fn default() -> Self {
        Self::new()
    }
}

/// What a test that fails prints: the seed, and how far the draws are.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let injected = self.injected();
        let (seed, draws, faults) = (self.seed_used(), injected.draws(), injected.total());
        write!(f, "fault seed {seed}: {faults} faults in {draws} draws")
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("seed", &self.seed_used())
            .field("odds", &self.odds)
            .field("injected", &self.injected())
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for Fault {
    type Service = FaultService<S>;

    fn layer(&self, inner: S) -> FaultService<S> {
        self.source.tell();
        let source = Arc::clone(&self.source);
        FaultService::new(inner, self.odds, self.only.clone(), source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(fault: &Fault) -> (&'static str, String) {
        let error = fault.check().unwrap_err();
        (error.option(), error.value().to_owned())
    }

    #[test]
    fn probabilities_that_are_none_are_refused() {
        let second = Duration::from_secs(1);
        assert!(Fault::new().check().is_ok());
        assert_eq!(refused(&Fault::new().fail(1.5)), ("fail", "1.5".into()));
        assert_eq!(refused(&Fault::new().panic(-0.1)), ("panic", "-0.1".into()));
        assert_eq!(
            refused(&Fault::new().hang(f64::NAN)),
            ("hang", "NaN".into())
        );
        assert_eq!(
            refused(&Fault::new().delay(f64::INFINITY, second)),
            ("delay", "inf".into())
        );
        let all = Fault::new().fail(0.5).panic(0.25).delay(0.25, second);
        assert!(all.check().is_ok());
        assert_eq!(refused(&all.hang(0.5)), ("fault", "1.5".into()));
        // The sum of these is above 1 by a rounding.
        let rounded = Fault::new()
            .fail(0.05)
            .panic(0.55)
            .delay(0.3, second)
            .hang(0.1);
        assert!(rounded.odds.sum() > 1.0);
        assert!(rounded.check().is_ok());
        let backwards = Fault::new().delay_within(0.1, second..=Duration::ZERO);
        assert_eq!(refused(&backwards), ("delay_within", "1s..=0ns".into()));
    }

    #[test]
    fn a_seed_is_shown_wherever_it_is_looked_for() {
        let fault = Fault::new().seed(1234);
        assert_eq!(fault.seed_used(), 1234);
        assert_eq!(fault.to_string(), "fault seed 1234: 0 faults in 0 draws");
        assert!(format!("{fault:?}").contains("seed: 1234"));
        assert_ne!(Fault::new().seed_used(), Fault::new().seed_used());
    }
}
