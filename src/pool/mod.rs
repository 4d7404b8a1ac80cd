//! The pool: a semaphore that bounds how many listeners run at once, shared by any number of signals and buses.
//!
//! # Failures
//!
//! - **Full**: what an emission does when no permit is free is the pool's [`WhenFull`]: wait, wait up to a deadline, or be rejected whole.
//! - **Leaks**: a permit is a guard; it goes back on success, error, panic, timeout and cancellation alike.
//! - **Deadlock**: a listener that waits for an emission of its own gives its permit back for that time; for any other long wait there is
//!   [`without_permit`](crate::without_permit).

mod builder;
mod full;
mod load;
mod permit;
mod resize;
pub mod scaling;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub use builder::PoolBuilder;
pub(crate) use full::Full;
pub use full::WhenFull;
use load::Load;
pub(crate) use permit::Permit;
use resize::Limit;
pub use scaling::balance::Balance;
pub use scaling::config::Scaling;
pub use scaling::scaled::Scaled;
use scaling::{Observer, Observers, ScaleReason, Scaler, ScalingStatus, Ticker, told};

use crate::error::{OptionError, check_count};
use crate::sync::{OwnedSemaphorePermit, Semaphore, timeout};

/// The largest pool.
const MOST: usize = 1 << 20;
const EXPECTED: &str = "it takes 1 to 1,048,576 permits";

/// A permit on its way, with the queue place that it holds.
pub(crate) type Acquire = Pin<Box<dyn Future<Output = Result<Permit, Full>> + Send>>;

/// A bound on how many listeners run at once. Cheap to clone; clones are the same pool.
///
/// Give it to [`Bus::builder`](crate::Bus::builder) or [`Signal::builder`](crate::Signal::builder). The bound is strict in every dispatch
/// mode, across resizes, and across all signals that share the pool. Waiting is first come, first served.
///
/// # Performance
///
/// A permit is a write to memory that all emitters share: about two locked operations and two clock reads a listener. A bus has no pool unless
/// it is given one.
///
/// # Examples
///
/// ```
/// use fanfare::{Bus, Pool};
///
/// let pool = Pool::new(64);
/// let bus = Bus::builder().pool(pool.clone()).build();
/// assert_eq!((pool.size(), pool.in_use(), pool.waiting()), (64, 0, 0));
/// # drop(bus);
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    semaphore: Arc<Semaphore>,
    limit: Limit,
    load: Load,
    when_full: WhenFull,
    observers: Observers,
    scaler: Option<Box<Scaler>>,
}

impl Pool {
    /// Makes a pool of `size` permits that lets emissions wait when it is full. [`builder`](Self::builder) has the other policies.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        Self::builder(size).build()
    }

    /// Starts a pool with options.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fanfare::{Pool, WhenFull};
    ///
    /// let pool = Pool::builder(8).when_full(WhenFull::WaitUpTo(Duration::from_millis(50))).build();
    /// assert_eq!(pool.size(), 8);
    /// ```
    pub fn builder(size: usize) -> PoolBuilder {
        PoolBuilder::new(size)
    }

    /// Changes the number of permits while the pool works.
    ///
    /// Growing wakes waiters at once. Shrinking takes idle permits now and the rest as they come back: no permit is taken from a listener that
    /// runs. The bound holds across the change: never more than the larger of the old and the new size run, and never more than the new once
    /// those that held a permit have given it back.
    ///
    /// ```
    /// let pool = fanfare::Pool::new(2);
    /// pool.resize(10)?;
    /// assert_eq!(pool.size(), 10);
    /// assert_eq!(pool.resize(0).unwrap_err().value(), "0");
    /// # Ok::<(), fanfare::OptionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `size` is 0, or outside the `min` and `max` of a pool that [scales itself](PoolBuilder::scaling); the pool stays as it is.
    pub fn resize(&self, size: usize) -> Result<(), OptionError> {
        self.resized(size, None).map(drop)
    }

    /// Changes the number of permits, and gives that of before. `told`: the observers that the caller tells, by their addresses.
    pub(crate) fn resized(
        &self,
        size: usize,
        told: Option<Arc<[usize]>>,
    ) -> Result<usize, OptionError> {
        check_count("pool", size, MOST, EXPECTED)?;
        if let Some(scaler) = &self.0.scaler {
            let (min, max) = scaler.limits();
            if !(min..=max).contains(&size) {
                let expected = "it takes a size from the `min` to the `max` of its scaling";
                return Err(OptionError::new("pool", size, expected));
            }
            scaler.resized_by_hand();
        }
        let old = self.changed_to(size, ScaleReason::Manual, told);
        self.tick();
        Ok(old)
    }

    /// Changes the number of permits, tells why, and gives that of before.
    fn set_size(&self, size: usize, reason: ScaleReason) -> usize {
        self.changed_to(size, reason, None)
    }

    fn changed_to(
        &self,
        size: usize,
        reason: ScaleReason,
        by_caller: Option<Arc<[usize]>>,
    ) -> usize {
        let old = self.0.limit.resize(&self.0.semaphore, size);
        if old != size {
            let mut told = told(self, old, size, reason);
            told.told = by_caller;
            self.0.observers.tell(&told);
        }
        old
    }

    /// What a pool that scales itself has decided so far; none if it does not.
    ///
    /// ```
    /// use fanfare::{Pool, Scaling};
    ///
    /// let pool = Pool::builder(8).scaling(Scaling::conservative().min(2).max(32)).build();
    /// assert_eq!(pool.scaling().unwrap().to_string(), "2 to 32 permits, 0 up, 0 down");
    /// ```
    pub fn scaling(&self) -> Option<ScalingStatus> {
        self.0.scaler.as_ref().map(|scaler| scaler.status())
    }

    /// The name, if it was given one. See [`PoolBuilder::name`].
    pub fn name(&self) -> Option<&str> {
        self.0.observers.name()
    }

    /// Tells an observer what becomes of the size while somebody keeps what it is told for.
    pub(crate) fn observe<T: Send + Sync + 'static>(
        &self,
        kept: Weak<T>,
        tell: impl Fn(&Scaled) + Send + Sync + 'static,
    ) {
        self.0.observers.add(Observer::while_kept(kept, tell));
    }

    /// Whether both are the same pool.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Sees to it that a pool that scales itself ticks.
    fn tick(&self) {
        if self.0.scaler.is_some() {
            Ticker::start(&self.0);
        }
    }

    /// The number of permits. See [`new`](Self::new).
    pub fn size(&self) -> usize {
        self.0.limit.size()
    }

    /// How many permits are held now. Right after a shrink it can be above [`size`](Self::size), until the holders give back.
    pub fn in_use(&self) -> usize {
        self.0.load.in_use()
    }

    /// How many emissions and tasks wait for a permit now. See [`Pool`](crate::Pool).
    pub fn waiting(&self) -> usize {
        self.0.load.waiting()
    }

    /// The share of permits that is held now: 0.0 is idle, 1.0 is full. See [`Pool`](crate::Pool).
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn utilisation(&self) -> f64 {
        self.in_use() as f64 / self.size() as f64
    }

    /// How long permits have been held, added up over all permits since the pool was made: right up to 292 years, which are 106 days of 1,000 permits in use all the time. See [`Pool`](crate::Pool).
    pub fn busy_time(&self) -> Duration {
        self.0.load.busy_time()
    }

    /// How long permits have been free, added up over all permits since the pool was made: `size` x age - [`busy_time`](Self::busy_time).
    pub fn idle_time(&self) -> Duration {
        self.0
            .limit
            .capacity_time()
            .saturating_sub(self.busy_time())
    }

    /// How long emissions and tasks have waited for a permit, added up over those whose wait is over. See [`Pool`](crate::Pool).
    pub fn wait_time(&self) -> Duration {
        self.0.load.wait_time()
    }

    /// How many permits have been taken, wrapping.
    #[cfg(feature = "metrics")]
    pub(crate) fn taken(&self) -> u32 {
        self.0.load.taken()
    }

    /// How long those that wait for a permit now have waited so far, added up.
    #[cfg(feature = "metrics")]
    pub(crate) fn waiting_time(&self) -> Duration {
        self.0.load.waiting_time()
    }

    /// How many had to wait for a permit. See [`Pool`](crate::Pool).
    pub fn waits(&self) -> u64 {
        self.0.load.waits()
    }

    /// How many emissions were rejected because the pool was full. See [`Pool`](crate::Pool).
    pub fn rejections(&self) -> u64 {
        self.0.load.rejections()
    }

    /// A permit if one is free and nobody waits.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        loop {
            let permit = Arc::clone(&self.0.semaphore).try_acquire_owned().ok()?;
            if let Some(permit) = self.keep(permit) {
                return Some(permit);
            }
        }
    }

    /// The permit that was acquired, unless one is owed: those that were idle when the pool shrank are taken here, and so are those that came back as it did, whose
    /// holders had looked at the debt before. None runs beyond the new size.
    fn keep(&self, permit: OwnedSemaphorePermit) -> Option<Permit> {
        if self.0.limit.pay_debt() && !cfg!(fanfare_plant = "debt-forgotten") {
            permit.forget();
            return None;
        }
        Some(Permit::new(self.clone(), permit))
    }

    /// Waits for a permit for as long as it takes. Dropping the future gives up the place in the queue.
    pub(crate) fn acquire(&self) -> Acquire {
        let pool = self.clone();
        Box::pin(async move { Ok(pool.wait().await) })
    }

    /// Waits for a permit as the pool's policy says.
    pub(crate) fn admit(&self) -> Acquire {
        let pool = self.clone();
        Box::pin(async move {
            match pool.0.when_full {
                WhenFull::Wait => Ok(pool.wait().await),
                WhenFull::WaitUpTo(limit) => match timeout(limit, pool.wait()).await {
                    Ok(permit) => Ok(permit),
                    Err(_) => Err(pool.reject(limit)),
                },
                WhenFull::Reject => pool
                    .try_acquire()
                    .ok_or_else(|| pool.reject(Duration::ZERO)),
            }
        })
    }

    async fn wait(&self) -> Permit {
        if let Some(permit) = self.try_acquire() {
            return permit;
        }
        let _waiting = self.0.load.wait();
        self.tick();
        loop {
            let permit = Arc::clone(&self.0.semaphore).acquire_owned().await;
            let permit = permit.expect("the semaphore of a pool is never closed");
            if let Some(permit) = self.keep(permit) {
                return permit;
            }
        }
    }

    fn reject(&self, waited: Duration) -> Full {
        self.0.load.reject();
        self.tick();
        Full {
            size: self.size(),
            waited,
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size())
            .field("in_use", &self.in_use())
            .field("waiting", &self.waiting())
            .field("when_full", &self.0.when_full)
            .field("scaling", &self.scaling())
            .finish_non_exhaustive()
    }
}
