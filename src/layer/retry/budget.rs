//! A limit on retries as a share of the calls: no storm when everything fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::error::OptionError;
use crate::sync::Mutex;

/// So many parts a window is counted in.
const PARTS: usize = 10;
const USUAL_WINDOW: Duration = Duration::from_secs(10);

/// Bounds retries to a share of the calls, so that a dependency that fails is not buried under retries. Clones share one budget: give the same one to all listeners that call one service.
///
/// In any window there are at most `per_second` x window + `ratio` x calls retries. The idea is that of Finagle and of tower's `TpsBudget`:
/// <https://finagle.github.io/blog/2016/02/08/retry-budgets/>. A retry that it has no room for is not made: the failure is final.
///
/// # Examples
///
/// ```
/// use fanfare::layer::{Retry, RetryBudget};
///
/// let budget = RetryBudget::new(0.2).per_second(5.0); // a fifth of the calls, and 5 a second besides
/// let retry = Retry::exponential().budget(budget.clone());
/// # let _ = retry;
/// assert_eq!(budget.refused(), 0);
/// ```
#[derive(Clone)]
pub struct RetryBudget {
    ratio: f64,
    per_second: f64,
    window: Duration,
    state: Arc<Mutex<Ledger>>,
}

impl RetryBudget {
    /// Retries of so many calls in one: 0.2 is a fifth. From 0 to 10. See [`RetryBudget`](crate::layer::RetryBudget).
    pub fn new(ratio: f64) -> Self {
        Self {
            ratio,
            per_second: 1.0,
            window: USUAL_WINDOW,
            state: Arc::default(),
        }
    }

    /// So many retries a second besides, for when there are few calls. Default: 1; from 0. Makes a budget of its own.
    #[must_use]
    pub fn per_second(self, retries: f64) -> Self {
        Self {
            per_second: retries,
            state: Arc::default(),
            ..self
        }
    }

    /// The time over which calls and retries are counted. Default: 10 seconds; above 0. Makes a budget of its own.
    #[must_use]
    pub fn window(self, window: Duration) -> Self {
        Self {
            window,
            state: Arc::default(),
            ..self
        }
    }

    /// How many retries it has refused. See [`RetryBudget`](crate::layer::RetryBudget).
    pub fn refused(&self) -> u64 {
        self.state.lock().refused
    }

    pub(super) fn check(&self) -> Result<(), OptionError> {
        if !(0.0..=10.0).contains(&self.ratio) {
            return Err(OptionError::new(
                "budget",
                format!("a ratio of {}", self.ratio),
                "it takes a ratio from 0 to 10 retries a call",
            ));
        }
        if !(0.0..=1e9).contains(&self.per_second) {
            return Err(OptionError::new(
                "budget",
                format!("{} retries a second", self.per_second),
                "it takes from 0 to 1,000,000,000 retries a second",
            ));
        }
        if self.window.is_zero() {
            return Err(OptionError::new(
                "budget",
                "a window of 0ns",
                "it takes a window above zero",
            ));
        }
        Ok(())
    }

    /// A call begins.
    pub(super) fn called(&self) {
        let now = clock::now();
        self.state.lock().at(now, self.window).calls += 1;
    }

    /// If it has counted nothing yet, it goes on from the counts of the one that it takes the place of: where their windows are not the same, as if all of them were made in the newest part.
    pub(super) fn take_over(&self, old: &Self) {
        if Arc::ptr_eq(&self.state, &old.state) {
            return;
        }
        let now = clock::now();
        // One lock after the other: two changes may take two budgets crosswise.
        let counted = old.state.lock().counted(now, old.window);
        let mut ledger = self.state.lock();
        if ledger.began.is_none() {
            ledger.go_on_from(counted, self.window == old.window, now);
        }
    }

    /// Whether there is room for a retry, which is counted then.
    pub(super) fn takes(&self) -> bool {
        let now = clock::now();
        self.state
            .lock()
            .takes(now, self.window, self.ratio, self.per_second)
    }
}

impl fmt::Display for RetryBudget {
    /// "a budget of 0.2 a call and 1 a second"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ratio, per_second) = (self.ratio, self.per_second);
        write!(f, "a budget of {ratio} a call and {per_second} a second")?;
        match self.window.as_secs() {
            10 => Ok(()),
            _ => write!(f, " in {:?}", self.window),
        }
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget")
            .field("ratio", &self.ratio)
            .field("per_second", &self.per_second)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Calls and retries of the last window. Pure: it is told the time.
#[derive(Default)]
pub(super) struct Ledger {
    /// When the present part began.
    began: Option<Instant>,
    /// The present part first.
    parts: [Part; PARTS],
    pub(super) refused: u64,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Part {
    pub(super) calls: u64,
    retries: u64,
}

impl Ledger {
    /// What the window holds now.
    pub(super) fn counted(
        &mut self,
        now: Instant,
        window: Duration,
    ) -> (Option<Instant>, [Part; PARTS]) {
        if self.began.is_some() {
            self.at(now, window);
        }
        (self.began, self.parts)
    }

    /// Takes over what another has counted.
    pub(super) fn go_on_from(
        &mut self,
        (began, parts): (Option<Instant>, [Part; PARTS]),
        same_window: bool,
        now: Instant,
    ) {
        if same_window {
            (self.began, self.parts) = (began, parts);
            return;
        }
        self.began = began.map(|_| now);
        self.parts = Default::default();
        for part in parts {
            self.parts[0].calls += part.calls;
            self.parts[0].retries += part.retries;
        }
    }

    /// The part that `now` is in; those before the window are forgotten.
    pub(super) fn at(&mut self, now: Instant, window: Duration) -> &mut Part {
        let part = (window / u32::try_from(PARTS).expect("small")).max(Duration::from_nanos(1));
        let began = *self.began.get_or_insert(now);
        let passed = now.saturating_duration_since(began).as_nanos() / part.as_nanos();
        if passed > 0 {
            let shift = usize::try_from(passed).map_or(PARTS, |passed| passed.min(PARTS));
            self.parts.rotate_right(shift);
            self.parts[..shift].fill(Part::default());
            let whole = u32::try_from(passed).ok().and_then(|n| part.checked_mul(n));
            self.began = Some(whole.map_or(now, |whole| began + whole));
        }
        &mut self.parts[0]
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of counts")]
    pub(super) fn takes(
        &mut self,
        now: Instant,
        window: Duration,
        ratio: f64,
        per_second: f64,
    ) -> bool {
        self.at(now, window);
        let calls: u64 = self.parts.iter().map(|part| part.calls).sum();
        let retries: u64 = self.parts.iter().map(|part| part.retries).sum();
        let most = per_second * window.as_secs_f64() + ratio * calls as f64;
        // Rounded: a tenth of ten calls is one retry, whatever the bits of 0.1 say.
        let room = (retries + 1) as f64 <= most + 1e-9;
        if room {
            self.parts[0].retries += 1;
        } else {
            self.refused += 1;
        }
        room
    }
}
