//! The thread that watches, and the hand on it.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use super::probe::{Probe, now};
use super::watch::{Probed, Sample, Watch};
use super::workers::Told;
use super::{Blame, RuntimeMonitorBuilder, RuntimeReading};
use crate::metrics::SlowCall;
use crate::sync::{AtomicBool, Handle, Mutex, Ordering};

/// Watches a tokio runtime from a thread of its own. Cheap to clone; clones are the same monitor, and with the last of them its thread ends.
///
/// It tells "a listener is slow" from "the runtime is stalled": see [`blame`](Self::blame). At each look it costs the runtime one task that does nothing.
///
/// # Failures
///
/// A stall shorter than the [interval](RuntimeMonitorBuilder::interval) may not be seen. A current-thread runtime that nobody drives is stalled.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::observe::RuntimeMonitor;
///
/// let monitor = RuntimeMonitor::new(tokio::runtime::Handle::current());
/// // .. the service runs ..
/// let reading = monitor.reading();
/// println!("{} of {} workers blocked, p99 {:?}", reading.blocked_workers, reading.workers, reading.delays.quantile(0.99));
/// assert_eq!(reading.stalled_for(), None);
/// # }
/// ```
#[derive(Clone)]
pub struct RuntimeMonitor(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    name: String,
    watch: Mutex<Watch>,
    /// Written before the thread is woken, and read by it after: unparking synchronizes the two.
    stopped: AtomicBool,
}

impl RuntimeMonitor {
    /// Watches a runtime, with the default options. See [`builder`](Self::builder).
    ///
    /// # Panics
    ///
    /// If the system gives no thread, as [`std::thread::spawn`] does.
    #[track_caller]
    pub fn new(runtime: Handle) -> Self {
        Self::builder(runtime).build()
    }

    /// Starts a monitor with options.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// use fanfare::observe::RuntimeMonitor;
    ///
    /// let monitor = RuntimeMonitor::builder(tokio::runtime::Handle::current())
    ///     .interval(Duration::from_millis(20))
    ///     .stall_after(Duration::from_millis(10))
    ///     .build();
    /// # drop(monitor);
    /// # }
    /// ```
    pub fn builder(runtime: Handle) -> RuntimeMonitorBuilder {
        RuntimeMonitorBuilder::new(runtime)
    }

    pub(super) fn start(options: RuntimeMonitorBuilder) -> Self {
        let shared = Arc::new(Shared {
            name: options.name,
            watch: Mutex::new(Watch::new(options.stall_after, SystemTime::now())),
            stopped: AtomicBool::new(false),
        });
        let mut eye = Eye {
            shared: Arc::clone(&shared),
            runtime: options.runtime,
            interval: options.interval,
            probe: None,
        };
        let thread = thread::Builder::new().name("fanfare-monitor".to_owned());
        let thread = thread.spawn(move || eye.run());
        let thread = Some(thread.expect("the system gives a thread"));
        Self(Arc::new(Inner { shared, thread }))
    }

    /// What it has seen, as of its last look. Does not wait for another. See [`RuntimeReading`].
    pub fn reading(&self) -> RuntimeReading {
        let shared = &self.0.shared;
        let mut reading = shared.watch.lock().reading();
        reading.runtime.clone_from(&shared.name);
        reading
    }

    /// Says for each slow call what it was slow for: see [`Blame`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use fanfare::Bus;
    /// use fanfare::observe::RuntimeMonitor;
    ///
    /// let bus = Bus::new();
    /// let monitor = RuntimeMonitor::new(tokio::runtime::Handle::current());
    /// for (call, blame) in monitor.blame(bus.slow_calls()) {
    ///     println!("{} {:?} took {:?}: {blame}", call.signal(), call.key(), call.took());
    /// }
    /// # }
    /// ```
    pub fn blame(&self, calls: Vec<SlowCall>) -> Vec<(SlowCall, Blame)> {
        let stalls = self.0.shared.watch.lock().stalls();
        let blame = |call: SlowCall| {
            let blame = Blame::of(&call, &stalls);
            (call, blame)
        };
        calls.into_iter().map(blame).collect()
    }
}

impl fmt::Debug for RuntimeMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeMonitor")
            .field("runtime", &self.0.shared.name)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It waits for nothing but its own interval, which has ended.
            let _ = thread.join();
        }
    }
}

/// What the thread does.
struct Eye {
    shared: Arc<Shared>,
    runtime: Handle,
    interval: Duration,
    probe: Option<Probe>,
}

impl Eye {
    fn run(&mut self) {
        loop {
            let sample = self.sample();
            let mut watch = self.shared.watch.lock();
            watch.look(&sample);
            let ended = watch.has_ended();
            drop(watch);
            if ended || self.sleep() {
                return;
            }
        }
    }

    fn sample(&mut self) -> Sample {
        let probe = self.probe.as_ref().map_or(Probed::First, Probe::look);
        let metrics = self.runtime.metrics();
        let told = |worker| Told {
            parks: metrics.worker_park_unpark_count(worker),
            busy: metrics.worker_total_busy_duration(worker),
        };
        let sample = Sample {
            at: now(),
            time: SystemTime::now(),
            workers: (0..metrics.num_workers()).map(told).collect(),
            alive_tasks: metrics.num_alive_tasks(),
            queue_depth: metrics.global_queue_depth(),
            probe,
        };
        if matches!(probe, Probed::First | Probed::Polled { .. }) {
            self.probe = Some(Probe::spawn(&self.runtime));
        }
        sample
    }

    /// Waits for the next look. True if there is none.
    fn sleep(&self) -> bool {
        let until = now() + self.interval;
        loop {
            if self.shared.stopped.load(Ordering::Relaxed) {
                return true;
            }
            let left = until.saturating_duration_since(now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left);
        }
    }
}
