//! What the models of the whole crate share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// A limit that is never reached: shorter ones end whenever the scheduler likes.
pub(crate) const NEVER: Duration = Duration::from_secs(1 << 20);

/// Runs the model under random schedules, and under those that switch rarely, which find what needs one task to stand still for long.
pub(crate) fn check<F: Future<Output = ()>>(model: impl Fn() -> F + Send + Sync + Clone + 'static) {
    let number = |name, default| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let runs = usize::try_from(number("FANFARE_RUNS", 1_000)).unwrap();
    let seed = number("FANFARE_SEED", 0);
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
    let (random, rare) = (model.clone(), model);
    let run = Run::new("random");
    Runner::new(RandomScheduler::new_from_seed(seed, runs), config.clone()).run(move || {
        run.count();
        block_on(random());
    });
    let run = Run::new("rarely switching");
    Runner::new(PctScheduler::new_from_seed(seed, PREEMPTIONS, runs), config).run(move || {
        run.count();
        block_on(rare());
    });
}

/// How often a schedule of the second kind switches away from a task that could go on, less one.
const PREEMPTIONS: usize = 4;

/// Says which schedule has failed.
struct Run(&'static str, AtomicUsize);

impl Run {
    fn new(kind: &'static str) -> Self {
        Self(kind, AtomicUsize::new(0))
    }

    fn count(&self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(kind, run) = self;
            println!("failed in {kind} schedule {}", run.load(Ordering::SeqCst));
        }
    }
}

/// Starts tasks that run beside each other, and waits for all of them.
pub(crate) async fn beside(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

pub(crate) fn task(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    spawn(future)
}

/// How many are inside now, how many there were at most, and how many came. Not a model's: looking at it is no step.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<[AtomicUsize; 3]>);

impl Gauge {
    pub(crate) fn enter(&self) -> Inside {
        let [now, peak, total] = &*self.0;
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        total.fetch_add(1, Ordering::SeqCst);
        Inside(self.clone())
    }

    /// Inside for two steps.
    pub(crate) async fn visit(&self) {
        let _inside = self.enter();
        yield_now().await;
        yield_now().await;
    }

    pub(crate) fn now(&self) -> usize {
        self.0[0].load(Ordering::SeqCst)
    }

    pub(crate) fn peak(&self) -> usize {
        self.0[1].load(Ordering::SeqCst)
    }

    pub(crate) fn total(&self) -> usize {
        self.0[2].load(Ordering::SeqCst)
    }
}

pub(crate) struct Inside(Gauge);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0[0].fetch_sub(1, Ordering::SeqCst);
    }
}
