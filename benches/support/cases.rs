//! The cases: each emits one event to `n` listeners, over and over.

use std::future::{Future, ready as at_once};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use fanfare::{Bus, Dispatch, Pool, Signal};
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use super::event::{Tick, listen, work};
use super::peers::{self, Twin};

/// One thing to measure. `run` emits so many times and says how long that took.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    run: Box<dyn Fn(u64) -> BoxFuture<'static, Duration> + Send + Sync>,
}

impl Case {
    pub(crate) fn new<F, Fut>(name: &'static str, emit: F) -> Self
    where
        F: Fn() -> Fut + Copy + Send + Sync + 'static,
        Fut: Future + Send,
    {
        let run = move |times| -> BoxFuture<'static, Duration> {
            Box::pin(async move {
                let start = Instant::now();
                for _ in 0..times {
                    emit().await;
                }
                start.elapsed()
            })
        };
        Self {
            name,
            run: Box::new(run),
        }
    }

    /// Emits `times` times in a task of the runtime, as a service does.
    pub(crate) fn time(&self, runtime: &Runtime, times: u64) -> Duration {
        let task = runtime.spawn((self.run)(times));
        runtime.block_on(task).expect("no case panics")
    }

    /// Emits `times` times in the caller's thread.
    pub(crate) fn run_here(&self, runtime: &Runtime, times: u64) {
        runtime.block_on((self.run)(times));
    }
}

/// The runtime of all timings: two workers, whatever the machine has, so that tables of different machines show the same thing.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime with two workers")
}

/// Listeners that finish at their first poll.
pub(crate) fn ready(n: usize) -> Vec<Case> {
    let plain = forever(peers::plain(n, listen));
    let boxed = forever(peers::boxed(n));
    let mutex = forever(Twin(Mutex::new(peers::boxed(n))));
    let rwlock = forever(Twin(RwLock::new(peers::boxed(n))));
    let on = |dispatch, pool| {
        let signal = signal(n, dispatch, pool);
        (0..n).for_each(|_| drop(signal.on(async |tick| listen(tick))));
        signal
    };
    let concurrent = on(Dispatch::Concurrent, None);
    let concurrent_pool = on(Dispatch::Concurrent, Some(8));
    let sequential = on(Dispatch::Sequential, None);
    let parallel = on(Dispatch::Parallel, None);
    let parallel_pool = on(Dispatch::Parallel, Some(8));
    let sync = signal(n, Dispatch::Concurrent, None);
    let shared = signal(n, Dispatch::Concurrent, None);
    let bus = forever(Bus::builder().max_listeners(n).build());
    for _ in 0..n {
        sync.on_sync(|tick| listen(*tick));
        shared.on_shared(async |tick| listen(*tick));
        bus.on(async |tick: Tick| listen(tick));
    }
    vec![
        Case::new("bare loop, plain closures", || {
            peers::bare_loop(plain, Tick::hidden());
            at_once(())
        }),
        Case::new("boxed futures awaited in turn", || {
            peers::awaited_in_turn(boxed, Tick::hidden())
        }),
        Case::new("`join_all` of boxed futures", || {
            peers::joined(boxed, Tick::hidden())
        }),
        Case::new("twin over `Mutex<Vec<_>>`", || mutex.emit(Tick::hidden())),
        Case::new("twin over `RwLock<Vec<_>>`", || rwlock.emit(Tick::hidden())),
        Case::new("`JoinSet`, a task a listener", || {
            peers::join_set(boxed, Tick::hidden())
        }),
        Case::new("**`on_sync`**, `Concurrent`", || sync.emit(Tick::hidden())),
        Case::new("**`on`**, `Concurrent`", || concurrent.emit(Tick::hidden())),
        Case::new("**`on`**, `Concurrent`, by `bus.emit`", || {
            bus.emit(Tick::hidden())
        }),
        Case::new("**`on`**, `Sequential`", || sequential.emit(Tick::hidden())),
        Case::new("**`on_shared`**, `Concurrent`", || {
            shared.emit(Tick::hidden())
        }),
        Case::new("**`on`**, `Concurrent`, pool of 8", || {
            concurrent_pool.emit(Tick::hidden())
        }),
        Case::new("**`on`**, `Parallel`", || parallel.emit(Tick::hidden())),
        Case::new("**`on`**, `Parallel`, pool of 8", || {
            parallel_pool.emit(Tick::hidden())
        }),
    ]
}

/// Listeners that yield to the runtime once.
pub(crate) fn suspending(n: usize) -> Vec<Case> {
    let boxed = forever(peers::boxed_yielding(n));
    let on = |dispatch, pool| {
        let signal = signal(n, dispatch, pool);
        let listener = async |tick| {
            yield_now().await;
            listen(tick);
        };
        (0..n).for_each(|_| drop(signal.on(listener)));
        signal
    };
    let concurrent = on(Dispatch::Concurrent, None);
    let sequential = on(Dispatch::Sequential, None);
    let parallel = on(Dispatch::Parallel, None);
    let parallel_pool = on(Dispatch::Parallel, Some(8));
    vec![
        Case::new("boxed futures awaited in turn", || {
            peers::awaited_in_turn(boxed, Tick::hidden())
        }),
        Case::new("`join_all` of boxed futures", || {
            peers::joined(boxed, Tick::hidden())
        }),
        Case::new("`JoinSet`, a task a listener", || {
            peers::join_set(boxed, Tick::hidden())
        }),
        Case::new("**`on`**, `Sequential`", || sequential.emit(Tick::hidden())),
        Case::new("**`on`**, `Concurrent`", || concurrent.emit(Tick::hidden())),
        Case::new("**`on`**, `Parallel`", || parallel.emit(Tick::hidden())),
        Case::new("**`on`**, `Parallel`, pool of 8", || {
            parallel_pool.emit(Tick::hidden())
        }),
    ]
}

/// Listeners that work for about a microsecond.
pub(crate) fn working(n: usize) -> Vec<Case> {
    let plain = forever(peers::plain(n, work));
    let concurrent = signal(n, Dispatch::Concurrent, None);
    let sync = signal(n, Dispatch::Concurrent, None);
    for _ in 0..n {
        concurrent.on(async |tick| work(tick));
        sync.on_sync(|tick| work(*tick));
    }
    vec![
        Case::new("bare loop, plain closures", || {
            peers::bare_loop(plain, Tick::hidden());
            at_once(())
        }),
        Case::new("**`on_sync`**, `Concurrent`", || sync.emit(Tick::hidden())),
        Case::new("**`on`**, `Concurrent`", || concurrent.emit(Tick::hidden())),
    ]
}

pub(super) fn signal(n: usize, dispatch: Dispatch, pool: Option<usize>) -> &'static Signal<Tick> {
    let builder = Signal::builder().dispatch(dispatch).max_listeners(n + 1);
    forever(match pool {
        Some(size) => builder.pool(Pool::new(size)).build(),
        None => builder.build(),
    })
}

/// A case borrows what it measures, so that no reference count is part of the figure.
pub(crate) fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
