//! What several modules of tests share.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Waker};
use std::thread::ScopedJoinHandle;

use fanfare::{Dispatch, Event, Pool, Signal, SignalBuilder};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Metadata, Subscriber};

/// Every mode.
pub(crate) const MODES: [Dispatch; 3] = [
    Dispatch::Concurrent,
    Dispatch::Parallel,
    Dispatch::Sequential,
];

/// The modes in which two listeners of one emission may overlap.
pub(crate) const OVERLAPPING: [Dispatch; 2] = [Dispatch::Concurrent, Dispatch::Parallel];

/// A builder for each mode, without a pool and with one of 1 and one of 3.
pub(crate) fn builders<E: Event>() -> Vec<(String, SignalBuilder<E>, Option<Pool>)> {
    let mut all = Vec::new();
    for mode in MODES {
        for size in [0, 1, 3] {
            let builder = Signal::<E>::builder().dispatch(mode);
            let name = format!("{mode}, pool of {size}");
            if size == 0 {
                all.push((name, builder, None));
            } else {
                let pool = Pool::new(size);
                all.push((name, builder.pool(pool.clone()), Some(pool)));
            }
        }
    }
    all
}

/// How many are inside now, and how many there were at most.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<(AtomicUsize, AtomicUsize, AtomicUsize)>);

impl Gauge {
    /// Counts one more until the guard is dropped.
    pub(crate) fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        let number = self.0.2.fetch_add(1, Ordering::SeqCst) + 1;
        Inside(self.clone(), number)
    }

    pub(crate) fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn peak(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    /// How many there have been in all.
    pub(crate) fn total(&self) -> usize {
        self.0.2.load(Ordering::SeqCst)
    }

    /// Forgets the peak.
    pub(crate) fn reset_peak(&self) {
        self.0.1.store(self.now(), Ordering::SeqCst);
    }
}

pub(crate) struct Inside(Gauge, usize);

impl Inside {
    /// Its place in the order of entry, from one. No two have the same.
    pub(crate) fn number(&self) -> usize {
        self.1
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A signal of this mode on that pool.
pub(crate) fn on_pool<E: Event>(mode: Dispatch, pool: &Pool) -> Signal<E> {
    Signal::builder().pool(pool.clone()).dispatch(mode).build()
}

/// A list that listeners write to.
#[derive(Clone, Debug)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Log<T> {
    pub(crate) fn push(&self, line: T) {
        self.0.lock().unwrap().push(line);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Polls a future once, and says whether it was ready.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut cx = Context::from_waker(Waker::noop());
    match std::pin::Pin::new(future).poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// Suspends once, with no help of a runtime.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Lets the tasks of a current-thread runtime run until they wait.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Every mode, without a pool and with pools of one and three.
pub(crate) fn setups() -> Vec<Setup> {
    let modes = [
        Dispatch::Concurrent,
        Dispatch::Parallel,
        Dispatch::Sequential,
    ];
    let pools = [None, Some(1), Some(3)];
    modes
        .into_iter()
        .flat_map(|mode| pools.map(|pool| Setup { mode, pool }))
        .collect()
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) mode: Dispatch,
    pub(crate) pool: Option<usize>,
}

impl Setup {
    pub(crate) fn builder<E: Event>(self) -> SignalBuilder<E> {
        let builder = SignalBuilder::default().dispatch(self.mode);
        match self.pool {
            Some(size) => builder.pool(Pool::new(size)),
            None => builder,
        }
    }
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A subscriber that keeps events as lines: "WARN message key=value ..".
#[derive(Clone, Default)]
pub(crate) struct Captured(Ledger);

impl Captured {
    /// Keeps what is logged on this thread while the guard lives.
    pub(crate) fn start() -> (Self, DefaultGuard) {
        // While there are two, whatever logs for the first time ever, on any thread, asks all whether they listen.
        static SECOND: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(Captured::default()));
        LazyLock::force(&SECOND);
        let captured = Self::default();
        let guard = set_default(captured.clone());
        tracing::callsite::rebuild_interest_cache();
        (captured, guard)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.take()
    }
}

impl Subscriber for Captured {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if event.metadata().target().starts_with("fanfare") {
            let mut line = event.metadata().level().to_string();
            event.record(&mut Line(&mut line));
            self.0.note(line);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

/// Joins the threads of a scope one by one: `ThreadSanitizer` sees a join, and does not see how a scope waits.
pub(crate) fn join<T>(threads: Vec<ScopedJoinHandle<'_, T>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// How many cases a property has: so many, the same each time, or as many other ones as `FANFARE_CASES` says.
pub(crate) fn cases(few: u32) -> ProptestConfig {
    let asked = std::env::var("FANFARE_CASES").ok();
    let (cases, rng_seed) = match asked {
        None => (few, RngSeed::Fixed(1)),
        Some(asked) => {
            let cases = asked.parse().expect("FANFARE_CASES is a number");
            (cases, RngSeed::Random)
        }
    };
    ProptestConfig {
        cases,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 4_096,
        ..ProptestConfig::default()
    }
}
