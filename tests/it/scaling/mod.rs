//! Pools that choose their own size: on simulated loads, in a runtime, and beside one another.

mod balance;
mod events;
mod options;
mod real;
mod shapes;
mod ticks;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::scaling::{PoolStats, Proposal, ScalingPolicy};
use fanfare::{Pool, PoolBuilder, Scaled, Scaling, Signal};

use crate::support::Log;

/// A policy that says what it is told to, and keeps what it has seen.
#[derive(Clone, Default)]
struct Scripted {
    next: Arc<Mutex<Option<usize>>>,
    seen: Log<PoolStats>,
}

impl Scripted {
    /// From here on it would have this size.
    fn say(&self, size: usize) {
        *self.next.lock().unwrap() = Some(size);
    }
}

impl ScalingPolicy for Scripted {
    fn decide(&mut self, stats: &PoolStats) -> Proposal {
        self.seen.push(*stats);
        match *self.next.lock().unwrap() {
            Some(size) => stats.resize(size, "as it was told"),
            None => stats.stay(),
        }
    }
}

/// A pool that goes by a scripted policy, with no bounds but 1 and `max`, and what it tells.
fn scripted(size: usize, max: usize) -> (Scripted, PoolBuilder, Log<Scaled>) {
    let policy = Scripted::default();
    let scaling = Scaling::custom(policy.clone()).max(max).cool_down(0);
    let (builder, told) = told(Pool::builder(size).scaling(scaling.step_up(4.0).step_down(0.5)));
    (policy, builder, told)
}

/// The pool of this builder, with what it tells.
fn told(builder: PoolBuilder) -> (PoolBuilder, Log<Scaled>) {
    let told = Log::default();
    let sink = told.clone();
    (
        builder.on_scaled(move |scaled| sink.push(scaled.clone())),
        told,
    )
}

/// A signal on this pool whose listener takes so long.
fn sleepy(pool: &Pool, takes: Duration) -> Signal<u32> {
    let signal = Signal::builder().pool(pool.clone()).build();
    signal.on(async move |_| tokio::time::sleep(takes).await);
    signal
}

/// A tick, and what it makes run.
async fn tick() {
    tokio::time::sleep(Duration::from_millis(100)).await;
    crate::support::settle().await;
}

const MS: Duration = Duration::from_millis(1);
