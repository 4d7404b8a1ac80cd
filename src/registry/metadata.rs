//! What can be asked about one listener.

use std::panic::Location;
use std::sync::Arc;
use std::time::SystemTime;

use crate::key::{Identity, Key};
use crate::listener::{BreakerCounts, Kind, Stacked, Storage};
#[cfg(feature = "metrics")]
use crate::metrics::{Distribution, Metrics};
use crate::outcome::{Outcome, Skip};

/// What is known about one listener at the moment of asking. Counts are exact.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let signal = fanfare::Signal::<u32>::new();
/// signal.listen().key("audit").priority(10).on(async |_| {}).unwrap();
/// let _ = signal.emit(1).await;
///
/// let audit = signal.metadata("audit").unwrap();
/// assert_eq!((audit.key(), audit.priority(), audit.calls()), (Some("audit"), 10, 1));
/// assert!(audit.location().file().ends_with(".rs"));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Metadata {
    pub(crate) identity: Arc<Identity>,
    pub(crate) kind: Kind,
    pub(crate) storage: Option<Storage>,
    pub(crate) stack: Option<Stacked>,
    pub(crate) rollout: Option<String>,
    pub(crate) off: Option<Skip>,
    pub(crate) held: usize,
    /// What its switch says, unless it is called as always.
    pub(crate) switched: Option<String>,
    pub(crate) priority: i32,
    pub(crate) stage: u32,
    pub(crate) added: SystemTime,
    pub(crate) times: Option<u64>,
    pub(crate) calls: u64,
    /// How many calls did not succeed, by outcome.
    pub(crate) not_done: [u64; Outcome::ALL.len()],
    pub(crate) running: usize,
    pub(crate) last_called: Option<SystemTime>,
    pub(crate) last_error: Option<String>,
    /// It was registered before it is ready, and has not been resumed.
    #[cfg(feature = "metrics")]
    pub(crate) unready: bool,
    /// How much is measured of it, if it has a level of its own.
    #[cfg(feature = "metrics")]
    pub(crate) level: Option<Metrics>,
    #[cfg(feature = "metrics")]
    pub(crate) durations: Distribution,
}

impl Metadata {
    /// The listener's number, unique in the process. See [`Metadata`](crate::Metadata).
    pub fn id(&self) -> u64 {
        self.identity.id
    }

    /// The name of its signal. See [`Metadata`](crate::Metadata).
    pub fn signal(&self) -> &str {
        &self.identity.signal
    }

    /// Its key, if it has one. See [`Metadata`](crate::Metadata).
    pub fn key(&self) -> Option<&str> {
        self.identity.key.as_ref().map(Key::as_str)
    }

    /// The place in the source where it was registered. See [`Metadata`](crate::Metadata).
    pub fn location(&self) -> &'static Location<'static> {
        self.identity.location
    }

    /// How it takes its event. See [`Metadata`](crate::Metadata).
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where the future of a call lives while it runs, or `None` for one that has no future: sync and blocking listeners. See [`Metadata`](crate::Metadata).
    ///
    /// ```
    /// # async fn wait() {}
    /// use fanfare::{Signal, Storage};
    ///
    /// let signal = Signal::<u32>::new();
    /// let small = signal.on(async |_| wait().await);
    /// let large = signal.on(async |_| { let kept = [0_u8; 1_000]; wait().await; drop(kept); });
    /// assert_eq!(small.metadata().storage(), Some(Storage::InPlace));
    /// assert_eq!(large.metadata().storage(), Some(Storage::Boxed)); // an allocation a call
    /// ```
    pub fn storage(&self) -> Option<Storage> {
        self.storage
    }

    /// What is around it, outermost first, the listener itself last; empty for one without layers. See [`Place`](crate::layer::Place).
    ///
    /// ```
    /// use std::time::Duration;
    /// use fanfare::Signal;
    /// use fanfare::layer::Retry;
    ///
    /// let signal = Signal::<u32>::new();
    /// let sub = signal.listen().timeout(Duration::from_secs(1)).retry(Retry::exponential()).on(async |_| {})?;
    /// let layers = sub.metadata().layers().join(" > ");
    /// assert_eq!(layers, "retry (3 attempts, after 100ms x 2 to 30s) > timeout (1s) > panic > listener");
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn layers(&self) -> &[String] {
        let stack = self.stack.as_ref();
        stack.map_or(&[], |stack| &*stack.words)
    }

    /// The rollout that it is a side of, if there is one, with the fraction that is set now.
    ///
    /// ```
    /// use fanfare::{Rollout, Signal};
    ///
    /// let signal = Signal::<u32>::new();
    /// let rollout = Rollout::by_key(0.01, |n: &u32| n.to_be_bytes()).salt("new-pricing");
    /// let new = signal.listen().rollout(&rollout).on(async |_| {})?;
    /// let old = signal.listen().rollout(&rollout.rest()).on(async |_| {})?;
    /// assert_eq!(new.metadata().rollout(), Some("1% by key (salt `new-pricing`)"));
    /// assert_eq!(old.metadata().rollout(), Some("the other 99% by key (salt `new-pricing`)"));
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn rollout(&self) -> Option<&str> {
        self.rollout.as_deref()
    }

    /// Why it is not called now, if it is switched off: [`Skip::Disabled`] or [`Skip::Paused`]. See [`Subscription::disable`](crate::Subscription::disable).
    pub fn switched_off(&self) -> Option<Skip> {
        self.off
    }

    /// How many events it holds: those that came while it was paused, and those that came behind them. See [`Pause::buffer`](crate::Pause::buffer).
    pub fn held(&self) -> usize {
        self.held
    }

    /// Its priority; higher starts first. See [`Metadata`](crate::Metadata).
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// Its stage; lower ones finish before it starts. See [`Metadata`](crate::Metadata).
    pub fn stage(&self) -> u32 {
        self.stage
    }

    /// Whether it is called at most once. See [`Metadata`](crate::Metadata).
    pub fn is_once(&self) -> bool {
        self.times == Some(1)
    }

    /// How often it may be called in all, or `None` for no limit. See [`Metadata`](crate::Metadata).
    pub fn times(&self) -> Option<u64> {
        self.times
    }

    /// When it was registered. See [`Metadata`](crate::Metadata).
    pub fn added_at(&self) -> SystemTime {
        self.added
    }

    /// How often it was called; an attempt counts, whatever came of it. To redrive a letter is one call more. See [`Metadata`](crate::Metadata).
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// How many calls returned an error, on threads that nobody waited for included. See [`Metadata`](crate::Metadata).
    pub fn errors(&self) -> u64 {
        self.not_done(Outcome::Failed)
    }

    /// How many calls panicked, on threads that nobody waited for included. See [`Metadata`](crate::Metadata).
    pub fn panics(&self) -> u64 {
        self.not_done(Outcome::Panicked)
    }

    /// How many calls a deadline ended. See [`Outcome::TimedOut`].
    pub fn timeouts(&self) -> u64 {
        self.not_done(Outcome::TimedOut)
    }

    /// How many calls were rejected: no permit, a limit, an open breaker. See [`Outcome::Rejected`].
    pub fn rejections(&self) -> u64 {
        self.not_done(Outcome::Rejected)
    }

    /// How many calls were cancelled, before their turn or while they ran. See [`Outcome::Cancelled`].
    pub fn cancellations(&self) -> u64 {
        self.not_done(Outcome::Cancelled)
    }

    /// How many calls were handed to the background, or held while it was paused. See [`Outcome::Deferred`].
    pub fn deferrals(&self) -> u64 {
        self.not_done(Outcome::Deferred)
    }

    /// How often it was passed over: by its filter or rollout, switched off, a duplicate. See [`Outcome::Skipped`]. That an emission which began before its removal passes over a listener that
    /// is gone is counted by the signal alone.
    pub fn skips(&self) -> u64 {
        self.not_done(Outcome::Skipped)
    }

    fn not_done(&self, outcome: Outcome) -> u64 {
        self.not_done[outcome as usize]
    }

    /// How many attempts its calls have begun beyond the first of each. An attempt counts when it begins, in the background and of a redriven letter too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::Signal;
    /// use fanfare::layer::Retry;
    ///
    /// let signal = Signal::<u32>::new();
    /// let sub = signal.listen().retry(Retry::exponential().max_attempts(3)).on(async |_| Err::<(), _>("down"))?;
    /// let _ = signal.emit(1).await;
    /// assert_eq!((sub.metadata().retries(), signal.stats().retries()), (2, 2));
    /// # Ok(()) }
    /// ```
    pub fn retries(&self) -> u64 {
        self.stack.as_ref().map_or(0, |stack| stack.retries)
    }

    /// How many of its calls led to a dead letter that was taken. See [`DeadLetter`](crate::layer::DeadLetter).
    pub fn dead_letters(&self) -> u64 {
        self.stack.as_ref().map_or(0, |stack| stack.dead_letters)
    }

    /// In which states its circuit breakers are, if it has some: one, or one for each key.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::Signal;
    /// use fanfare::layer::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::new();
    /// let handle = breaker.handle();
    /// let signal = Signal::<u32>::new();
    /// let sub = signal.listen().circuit_breaker(breaker).on(async |_| {})?;
    /// handle.force_open();
    /// assert_eq!(sub.metadata().breakers().map(|breakers| breakers.open), Some(1));
    /// # Ok(()) }
    /// ```
    pub fn breakers(&self) -> Option<BreakerCounts> {
        self.stack.as_ref()?.breakers
    }

    /// How many calls run now that have suspended, or run on a task or thread of their own. A call that is in its first poll in the emitter's task does not show.
    /// See [`Metadata`](crate::Metadata).
    pub fn running(&self) -> usize {
        self.running
    }

    /// When it was last called, to the second, or `None` for never. See [`Metadata`](crate::Metadata).
    ///
    /// The clock is not read for every emission: a thread notes the time at its first emission after a registration or removal, then at one poll in 31. With
    /// `timing(Timing::On)` every emission notes it.
    pub fn last_called(&self) -> Option<SystemTime> {
        self.last_called
    }

    /// The last error or panic, as text. See [`Metadata`](crate::Metadata).
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}
