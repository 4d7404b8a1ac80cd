//! A case: one thing to measure, at one number of listeners.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::count::{MOST, calls};

type Run = dyn Fn(&Runtime, u64) -> Duration;

/// One thing to measure.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    listeners: usize,
    run: Box<Run>,
}

impl Case {
    /// Emits over and over in a task of the runtime, as a service does.
    pub(crate) fn new<F, Fut>(name: &'static str, listeners: usize, emit: F) -> Self
    where
        F: Fn() -> Fut + Copy + Send + Sync + 'static,
        Fut: Future + Send + 'static,
    {
        Self::whole(name, listeners, move |times| in_turn(emit, times))
    }

    /// For emissions that are no task, since their future is not `Send`. Listeners that are ready at once never ask where they run.
    pub(crate) fn in_place<F, Fut>(name: &'static str, listeners: usize, emit: F) -> Self
    where
        F: Fn() -> Fut + Copy + 'static,
        Fut: Future,
    {
        let run = move |runtime: &Runtime, times| runtime.block_on(timed(|| in_turn(emit, times)));
        Self {
            name,
            listeners,
            run: Box::new(run),
        }
    }

    /// For cases that are more than a loop: `emissions` makes so many, and is ready when all listeners are done.
    pub(crate) fn whole<F, Fut>(name: &'static str, listeners: usize, emissions: F) -> Self
    where
        F: Fn(u64) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future + Send + 'static,
    {
        let run = move |runtime: &Runtime, times| {
            let task = runtime.spawn(timed(move || emissions(times)));
            runtime.block_on(task).expect("no case panics")
        };
        Self {
            name,
            listeners,
            run: Box::new(run),
        }
    }

    /// How long so many emissions take.
    pub(crate) fn time(&self, runtime: &Runtime, times: u64) -> Duration {
        (self.run)(runtime, times)
    }

    /// Emits a few times and asserts that every listener was called as often, and no other.
    ///
    /// # Panics
    ///
    /// If one was not.
    pub(crate) fn check(&self, runtime: &Runtime) {
        const TIMES: u64 = 3;
        let before = calls();
        self.time(runtime, TIMES);
        let after = calls();
        for listener in 0..MOST {
            let expected = if listener < self.listeners { TIMES } else { 0 };
            let called = after[listener] - before[listener];
            assert_eq!(
                called, expected,
                "{} with {} listeners: calls of listener {listener}",
                self.name, self.listeners
            );
        }
    }
}

async fn in_turn<F: Fn() -> Fut, Fut: Future>(emit: F, times: u64) {
    for _ in 0..times {
        emit().await;
    }
}

async fn timed<F: FnOnce() -> Fut, Fut: Future>(work: F) -> Duration {
    let start = Instant::now();
    work().await;
    start.elapsed()
}

/// A case borrows what it measures, so that no reference count is part of the figure.
pub(crate) fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
