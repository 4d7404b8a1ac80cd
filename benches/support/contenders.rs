//! What many emitters share: dispatchers that are emitted on and changed at the same time.

use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use fanfare::{Bus, Dispatch, Signal, Subscription};
use futures::future::BoxFuture;
use tokio::runtime::Runtime;
use tokio::task::yield_now;

use super::cases::{forever, signal};
use super::event::{Tick, listen};
use super::peers::{self, Listeners, Plain, Twin};

/// Emits so many times.
pub(crate) type Emit = &'static (dyn Fn(u64) -> BoxFuture<'static, ()> + Send + Sync);
type Change = Box<dyn Fn() + Send + Sync>;

/// A dispatcher that many emitters share.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) emit: Emit,
    /// Registers a listener and removes it again. Absent where the list cannot change.
    pub(crate) change: Option<Change>,
}

pub(crate) fn contenders(n: usize) -> Vec<Contender> {
    vec![
        bare(n),
        mutex(n),
        twin(
            "twin over `RwLock<Vec<_>>`",
            Twin(RwLock::new(peers::boxed(n))),
        ),
        concurrent(n),
        by_bus(n),
        sync(n),
        capturing(n),
        ours(
            "**`Concurrent`**, pool of 8",
            n,
            Dispatch::Concurrent,
            Some(8),
        ),
        ours("**`Parallel`**", n, Dispatch::Parallel, None),
        ours("**`Parallel`**, pool of 8", n, Dispatch::Parallel, Some(8)),
    ]
}

pub(crate) fn concurrent(n: usize) -> Contender {
    ours("**`Concurrent`**", n, Dispatch::Concurrent, None)
}

pub(crate) fn mutex(n: usize) -> Contender {
    let list = Mutex::new(peers::boxed(n));
    twin("twin over `Mutex<Vec<_>>`", Twin(list))
}

fn bare(n: usize) -> Contender {
    let listeners: &'static Vec<Plain> = forever(peers::plain(n, listen));
    Contender {
        name: "bare loop, plain closures",
        emit: forever(move |times| -> BoxFuture<'static, ()> {
            Box::pin(async move {
                for _ in 0..times {
                    peers::bare_loop(listeners, Tick::hidden());
                }
            })
        }),
        change: None,
    }
}

fn twin<L: Listeners>(name: &'static str, twin: Twin<L>) -> Contender {
    let twin = forever(twin);
    Contender {
        name,
        emit: forever(move |times| -> BoxFuture<'static, ()> {
            Box::pin(async move {
                for _ in 0..times {
                    twin.emit(Tick::hidden()).await;
                }
            })
        }),
        change: Some(Box::new(move || {
            twin.0.add(peers::boxed_ready());
            twin.0.remove_last();
        })),
    }
}

fn ours(name: &'static str, n: usize, dispatch: Dispatch, pool: Option<usize>) -> Contender {
    registering(name, signal(n, dispatch, pool), n, |signal| {
        signal.on(async |tick| listen(tick))
    })
}

fn sync(n: usize) -> Contender {
    let signal = signal(n, Dispatch::Concurrent, None);
    registering("**`Concurrent`**, `on_sync`", signal, n, |signal| {
        signal.on_sync(|tick| listen(*tick))
    })
}

/// Each call clones what its listener captures: a locked write to a count that all emitters share.
fn capturing(n: usize) -> Contender {
    let signal = signal(n, Dispatch::Concurrent, None);
    let captured = Arc::new(());
    let name = "**`Concurrent`**, all capture one `Arc`";
    registering(name, signal, n, move |signal| {
        let captured = Arc::clone(&captured);
        signal.on(async move |tick| {
            std::hint::black_box(&captured);
            listen(tick);
        })
    })
}

fn registering(
    name: &'static str,
    signal: &'static Signal<Tick>,
    n: usize,
    register: impl Fn(&Signal<Tick>) -> Subscription + Send + Sync + 'static,
) -> Contender {
    (0..n).for_each(|_| drop(register(signal)));
    Contender {
        name,
        emit: forever(move |times| -> BoxFuture<'static, ()> {
            Box::pin(async move {
                for _ in 0..times {
                    let report = signal.emit(Tick::hidden()).await;
                    debug_assert!(report.is_ok());
                }
            })
        }),
        change: Some(Box::new(move || {
            register(signal).remove();
        })),
    }
}

fn by_bus(n: usize) -> Contender {
    let bus: &'static Bus = forever(Bus::builder().max_listeners(n + 1).build());
    (0..n).for_each(|_| drop(bus.on(async |tick: Tick| listen(tick))));
    Contender {
        name: "**`Concurrent`**, by `bus.emit`",
        emit: forever(move |times| -> BoxFuture<'static, ()> {
            Box::pin(async move {
                for _ in 0..times {
                    let report = bus.emit(Tick::hidden()).await;
                    debug_assert!(report.is_ok());
                }
            })
        }),
        change: Some(Box::new(move || {
            bus.on(async |tick: Tick| listen(tick)).remove();
        })),
    }
}

/// Shares the emissions out to so many tasks, and waits for all of them. An emission of ready listeners never yields; a service does, between two
/// of them, and so does each task after `between_yields`.
pub(crate) fn run(
    runtime: &Runtime,
    emit: Emit,
    emitters: u64,
    emissions: u64,
    between_yields: u64,
) -> Duration {
    let each = emissions.div_ceil(emitters);
    let start = Instant::now();
    let tasks: Vec<_> = (0..emitters)
        .map(|_| runtime.spawn(emitter(emit, each, between_yields)))
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no emitter panics");
        }
    });
    start.elapsed()
}

async fn emitter(emit: Emit, mut left: u64, between_yields: u64) {
    while left > 0 {
        let times = left.min(between_yields);
        emit(times).await;
        left -= times;
        yield_now().await;
    }
}
