//! A task that ticks while there is something to tick for.
//!
//! It is started by whoever needs it inside a runtime, lets go of what it ticks between two ticks, and ends with it. When its runtime ends, the next who needs it starts another on theirs.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::clock;
use crate::sync::{AtomicBool, Handle, JoinHandle, Mutex, Ordering, sleep_until};

/// What is ticked.
pub(in crate::pool) trait Ticked: Send + Sync + 'static {
    fn ticker(&self) -> &Ticker;

    /// The ticks begin, on this runtime.
    fn begin(self: &Arc<Self>, runtime: &Handle);

    /// One tick. False if nothing is to be done until somebody needs the ticks again.
    fn tick(self: &Arc<Self>, runtime: &Handle) -> bool;

    /// Whether somebody needs them now: looked at once more after the ticks were given up.
    fn needs_ticks(&self) -> bool;
}

pub(in crate::pool) struct Ticker {
    every: Duration,
    ticking: AtomicBool,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Ticker {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            ticking: AtomicBool::new(false),
            task: Mutex::new(None),
        }
    }

    /// Sees to it that there are ticks. False if there are none, and no runtime to make them on.
    pub(in crate::pool) fn start<T: Ticked>(whom: &Arc<T>) -> bool {
        let ticker = whom.ticker();
        let Ok(runtime) = Handle::try_current() else {
            // It claims nothing, so that somebody in a runtime can.
            return ticker.is_claimed();
        };
        if ticker.claim() {
            return true;
        }
        let ticking = Ticking {
            of: Arc::downgrade(whom),
            given_up: false,
            asks_for_timer: false,
        };
        whom.begin(&runtime);
        let task = runtime.spawn(ticking.run(runtime.clone(), ticker.every));
        *ticker.task.lock() = Some(task);
        true
    }

    /// True if the ticks were somebody's already. `AcqRel`, as in `give_up`: of two who come at once, the second sees what the first did before.
    fn claim(&self) -> bool {
        self.ticking.swap(true, Ordering::AcqRel)
    }

    /// As `claim` does, it writes, so that whoever gives the ticks up after it sees what it did before.
    fn is_claimed(&self) -> bool {
        self.ticking.fetch_and(true, Ordering::AcqRel)
    }

    fn give_up(&self) {
        self.ticking.swap(false, Ordering::AcqRel);
    }

    pub(super) fn is_ticking(&self) -> bool {
        self.ticking.load(Ordering::Relaxed)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

/// The right to tick; dropped with the task, wherever that ends.
struct Ticking<T: Ticked> {
    of: Weak<T>,
    given_up: bool,
    /// True when it is dropped: tokio has panicked, as its runtime has no timer.
    asks_for_timer: bool,
}

impl<T: Ticked> Ticking<T> {
    async fn run(mut self, runtime: Handle, every: Duration) {
        loop {
            self.asks_for_timer = true;
            let sleep = sleep_until(clock::now() + every);
            self.asks_for_timer = false;
            sleep.await;
            let Some(whom) = self.of.upgrade() else {
                return;
            };
            if !whom.tick(&runtime) && self.rest(&*whom) {
                return;
            }
        }
    }

    /// Gives the ticks up, unless somebody has come to need them since the last. True if they are given up.
    fn rest(&mut self, whom: &T) -> bool {
        whom.ticker().give_up();
        self.given_up = !whom.needs_ticks() || whom.ticker().claim();
        self.given_up
    }
}

impl<T: Ticked> Drop for Ticking<T> {
    fn drop(&mut self) {
        let Some(whom) = self.of.upgrade() else {
            return;
        };
        if self.asks_for_timer {
            // Another task would panic in the same way: the ticks are kept from starting.
            tracing::error!("a pool no longer scales: its ticks need tokio's timer");
        } else if !self.given_up {
            whom.ticker().give_up();
        }
    }
}
