//! The check.

use std::fmt;
use std::sync::Arc;

use super::Health;
use super::builder::HealthCheckBuilder;
use super::counts::{Counts, History};
use super::judge::{Judge, Sight};
use super::memory;
use super::policy::Policy;
use super::takes::Takes;
use crate::bus::Bus;
use crate::clock;
use crate::observe::RuntimeMonitor;
use crate::sync::{Handle, Mutex};

/// Says how a bus does, by thresholds of its own. Cheap to clone; clones are the same check. Make one and keep it: one that is made anew for each look has no earlier check to compare
/// with, counts over all time, and never turns green again.
///
/// Failures, dead letters, drops and slow calls are counted over a [window](HealthCheckBuilder::window): a check is compared with an earlier one. Any number of callers may share a check, at any
/// pace; none makes the window of another shorter.
///
/// # Performance
///
/// A check is a [`Bus::snapshot`], O(n) in signals and listeners. What it keeps of up to six earlier ones are counters: some 50 bytes a listener. No task and no timer.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
/// use fanfare::Bus;
/// use fanfare::observe::{HealthCheck, RuntimeMonitor};
///
/// let bus = Bus::new();
/// let monitor = RuntimeMonitor::new(tokio::runtime::Handle::current());
/// let check = HealthCheck::builder(&bus)
///     .monitor(&monitor)
///     .window(Duration::from_secs(300))
///     .failure_share(0.05)
///     .max_memory(2 << 30)
///     .build();
/// let health = check.health();
/// assert!(health.is_ready(), "{health}");
/// # }
/// ```
#[derive(Clone)]
pub struct HealthCheck(Arc<Inner>);

struct Inner {
    bus: Bus,
    eye: Eye,
}

impl HealthCheck {
    /// Starts a check of a bus, with options. See [`HealthCheck`].
    pub fn builder(bus: &Bus) -> HealthCheckBuilder {
        HealthCheckBuilder::new(bus)
    }

    pub(super) fn of(options: HealthCheckBuilder) -> Self {
        let HealthCheckBuilder {
            bus,
            policy,
            monitor,
        } = options;
        let eye = Eye {
            monitor,
            ..Eye::new(policy)
        };
        Self(Arc::new(Inner { bus, eye }))
    }

    /// How the bus does now. Does not wait. See [`Health`].
    pub fn health(&self) -> Health {
        self.0.eye.look(&self.0.bus)
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck")
            .field("bus", &self.0.bus)
            .field("policy", &self.0.eye.policy)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// How the bus does now, by the default thresholds; calls share one window. [`HealthCheck`](crate::observe::HealthCheck) has thresholds of its own, and a monitor of the runtime. Does not wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let bus = fanfare::Bus::new();
    /// bus.on(async |_: u32| Err::<(), _>("no database"));
    /// for n in 0..20_u32 {
    ///     let _ = bus.emit(n).await;
    /// }
    /// let health = bus.health();
    /// assert!(health.is_ready());
    /// let reason = health.degradations().next().unwrap().to_string();
    /// assert!(reason.starts_with("20 of 20 calls of listener"), "{reason}");
    /// # }
    /// ```
    pub fn health(&self) -> Health {
        Eye::of(self).look(self)
    }
}

/// What a check looks with, and remembers.
struct Eye {
    policy: Policy,
    monitor: Option<RuntimeMonitor>,
    history: Mutex<History>,
    takes: Mutex<Takes>,
}

impl Eye {
    fn new(policy: Policy) -> Self {
        Self {
            monitor: None,
            history: Mutex::new(History::new(policy.window)),
            takes: Mutex::default(),
            policy,
        }
    }

    /// The one that a bus keeps.
    fn of(bus: &Bus) -> &Self {
        let make = || Box::new(Self::new(Policy::default())) as Box<_>;
        let eye = bus.looked_at().get_or_init(make).downcast_ref();
        eye.expect("nothing else is kept there")
    }

    fn look(&self, bus: &Bus) -> Health {
        let snapshot = bus.snapshot();
        let counts = Arc::new(Counts::of(&snapshot, self.policy.slow_p99));
        let now = clock::now();
        let earlier = self.history.lock().check(now, &counts);
        let stuck = self.takes.lock().look(now, &snapshot.pools);
        let (window, earlier) = match earlier {
            Some((window, earlier)) => (Some(window), earlier),
            None => (None, Arc::default()),
        };
        let runtime = self.monitor.as_ref().map(RuntimeMonitor::reading);
        let alive_tasks = match &runtime {
            Some(reading) => Some(reading.alive_tasks),
            None => Handle::try_current()
                .ok()
                .map(|runtime| runtime.metrics().num_alive_tasks()),
        };
        let sight = Sight {
            policy: &self.policy,
            taken_at: snapshot.taken_at,
            snapshot: &snapshot,
            now,
            window,
            counts: &counts,
            earlier: &earlier,
            stuck: &stuck,
            runtime: runtime.as_ref(),
            slow_calls: &bus.slow_calls(),
            alive_tasks,
            resident: memory::resident(),
        };
        Judge::of(&sight).health()
    }
}
