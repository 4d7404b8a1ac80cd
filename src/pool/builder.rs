//! Options of a pool.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::load::Load;
use super::resize::Limit;
use super::scaling::{Observer, Observers, Scaler};
use super::{EXPECTED, Inner, MOST, Pool, Scaled, Scaling, WhenFull};
use crate::clock;
use crate::error::{OptionError, check_count};
use crate::sync::Semaphore;

/// Options of a [`Pool`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct PoolBuilder {
    size: usize,
    when_full: WhenFull,
    name: Option<String>,
    scaling: Option<Scaling>,
    on_scaled: Vec<Observer>,
}

impl PoolBuilder {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            when_full: WhenFull::Wait,
            name: None,
            scaling: None,
            on_scaled: Vec::new(),
        }
    }

    /// What an emission does when no permit is free. Default: [`WhenFull::Wait`]. See [`Pool::builder`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// The pool's name, in what is told of its size. Default: none. Not empty. See [`Scaled`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets the pool choose its own size; the size of the builder is the one that it begins with. Default: none, the size stays.
    ///
    /// It ticks from where it is built, or else from the first emission that has to wait inside a runtime, while it is in use or larger than its minimum. The ticks are one task of that runtime,
    /// and end with the last handle of the pool. They need tokio's timer.
    ///
    /// ```
    /// use fanfare::{Pool, Scaling};
    ///
    /// let pool = Pool::builder(8).scaling(Scaling::aggressive().min(4).max(64)).build();
    /// let error = Pool::builder(8).scaling(Scaling::aggressive().min(9)).try_build().unwrap_err();
    /// assert_eq!(error.to_string(), "option `min` cannot be 9: it takes 1 to the size that the pool begins with");
    /// # drop(pool);
    /// ```
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.scaling = Some(scaling);
        self
    }

    /// Adds a callback for whatever becomes of the size: decisions of a scaling pool, those that were held back, permits moved by a [`Balance`](crate::Balance), a resize by hand. All callbacks are
    /// called, in order, by whoever makes the change; one that panics does not stop the next. Default: none; each is logged at `info` in any case. See [`Scaled`].
    pub fn on_scaled(mut self, callback: impl Fn(&Scaled) + Send + Sync + 'static) -> Self {
        self.on_scaled.push(Observer::new(callback));
        self
    }

    /// Makes the pool. See [`Pool::builder`].
    ///
    /// # Panics
    ///
    /// Where [`try_build`](Self::try_build) returns an error.
    #[track_caller]
    pub fn build(self) -> Pool {
        match self.try_build() {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes the pool, or says which option makes no sense.
    ///
    /// ```
    /// let error = fanfare::Pool::builder(0).try_build().unwrap_err();
    /// assert_eq!((error.option(), error.value()), ("pool", "0"));
    /// ```
    ///
    /// # Errors
    ///
    /// If the size is 0, a wait is zero (that is `Reject`), the name is empty, or an option of the scaling is outside its limits.
    pub fn try_build(self) -> Result<Pool, OptionError> {
        check_count("pool", self.size, MOST, EXPECTED)?;
        if let WhenFull::WaitUpTo(Duration::ZERO) = self.when_full {
            return Err(OptionError::new(
                "when_full",
                "WaitUpTo(0ns)",
                "it takes a wait above zero; `WhenFull::Reject` does not wait",
            ));
        }
        if self.name.as_ref().is_some_and(String::is_empty) {
            let expected = "it takes text that is not empty";
            return Err(OptionError::new("name", "\"\"", expected));
        }
        let scaling = self.scaling.map(|scaling| scaling.check(self.size, MOST));
        let scaler = scaling.transpose()?.map(|it| Box::new(Scaler::new(it)));
        let now = clock::now();
        let pool = Pool(Arc::new(Inner {
            semaphore: Arc::new(Semaphore::new(self.size)),
            limit: Limit::new(self.size, now),
            load: Load::new(now),
            when_full: self.when_full,
            observers: Observers::new(self.name.map(Into::into), self.on_scaled),
            scaler,
        }));
        pool.tick();
        Ok(pool)
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("size", &self.size)
            .field("when_full", &self.when_full)
            .field("name", &self.name)
            .field("scaling", &self.scaling)
            .finish_non_exhaustive()
    }
}
