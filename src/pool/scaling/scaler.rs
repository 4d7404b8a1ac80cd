//! The part of a pool that chooses its size.

use std::sync::Arc;
use std::time::SystemTime;

use super::config::Checked;
use super::frame::{Decision, Frame};
use super::meter::Meter;
use super::policy::ScalingPolicy;
use super::scaled::{HeldBack, ScaleReason, Scaled};
use super::stats::PoolStats;
use super::status::ScalingStatus;
use super::ticker::{Ticked, Ticker};
use crate::outcome::catch;
use crate::pool::{Inner, Pool};
use crate::sync::{Handle, Mutex};

/// What a scaling pool has beside others.
pub(in crate::pool) struct Scaler {
    ticker: Ticker,
    frame: Mutex<Frame>,
    /// Out while it thinks: a policy is user code, which runs under no lock.
    brain: Mutex<Option<Brain>>,
}

struct Brain {
    policy: Box<dyn ScalingPolicy>,
    meter: Option<Meter>,
}

impl Scaler {
    pub(in crate::pool) fn new(checked: Checked) -> Self {
        let brain = Brain {
            policy: checked.policy,
            meter: None,
        };
        Self {
            ticker: Ticker::new(checked.tick),
            frame: Mutex::new(Frame::new(checked.bounds)),
            brain: Mutex::new(Some(brain)),
        }
    }

    /// Counts from here on: what came before the ticks is no part of the first.
    fn begin(&self, pool: &Pool, runtime: &Handle) {
        self.frame.lock().begin();
        let meter = Meter::new(pool, runtime);
        if let Some(brain) = &mut *self.brain.lock() {
            brain.meter = Some(meter);
        }
    }

    /// One tick. False if the pool is idle and as small as it may be.
    fn tick(&self, pool: &Pool, runtime: &Handle) -> bool {
        let brain = self.brain.lock().take();
        let Some(mut brain) = brain else {
            return true;
        };
        let meter = brain.meter.get_or_insert_with(|| Meter::new(pool, runtime));
        let mut stats = meter.read(pool, runtime);
        let min = {
            let mut frame = self.frame.lock();
            stats.since_change = frame.tick();
            (stats.min, stats.max) = (frame.bounds.min, frame.bounds.max);
            stats.min
        };
        let proposal = catch(|| brain.policy.decide(&stats));
        if let Err(message) = &proposal {
            tracing::error!(%message, "a scaling policy panicked");
        }
        *self.brain.lock() = Some(brain);
        let decision = self.frame.lock().judge(&stats, proposal.ok());
        self.carry_out(pool, &stats, decision);
        let at_rest = pool.size() <= min
            && stats.in_use + stats.waiting == 0
            && stats.waits + stats.rejections == 0;
        !at_rest
    }

    fn carry_out(&self, pool: &Pool, stats: &PoolStats, decision: Decision) {
        let (to, reason, held_back) = match decision {
            Decision::Stay | Decision::HeldBack { is_new: false, .. } => return,
            Decision::HeldBack { why, reason, .. } => (stats.size, reason, Some(why)),
            Decision::Resize { to, reason } => {
                // Somebody has resized it by hand meanwhile: theirs is the newer word.
                if !pool.0.limit.resize_from(&pool.0.semaphore, stats.size, to) {
                    return;
                }
                self.frame.lock().changed(stats.size, to);
                (to, reason, None)
            }
        };
        pool.0.observers.tell(&Scaled {
            pool: pool.0.observers.shared_name(),
            from: stats.size,
            to,
            reason,
            held_back,
            stats: Some(*stats),
            at: SystemTime::now(),
            told: None,
        });
    }

    /// The sizes that it may be given by hand.
    pub(in crate::pool) fn limits(&self) -> (usize, usize) {
        let bounds = self.frame.lock().bounds;
        (bounds.min, bounds.max)
    }

    pub(in crate::pool) fn resized_by_hand(&self) {
        self.frame.lock().cool_down();
    }

    pub(in crate::pool) fn status(&self) -> ScalingStatus {
        let Frame { bounds, counts, .. } = self.frame.lock().clone();
        ScalingStatus {
            min: bounds.min,
            max: bounds.max,
            ticks: counts.ticks,
            ups: counts.ups,
            downs: counts.downs,
            held_back: counts.held_back,
            ticking: self.ticker.is_ticking(),
        }
    }
}

impl Ticked for Inner {
    fn ticker(&self) -> &Ticker {
        &self.scaler().ticker
    }

    fn begin(self: &Arc<Self>, runtime: &Handle) {
        self.scaler().begin(&Pool(Arc::clone(self)), runtime);
    }

    fn tick(self: &Arc<Self>, runtime: &Handle) -> bool {
        self.scaler().tick(&Pool(Arc::clone(self)), runtime)
    }

    fn needs_ticks(&self) -> bool {
        self.load.waiting() > 0
    }
}

impl Inner {
    fn scaler(&self) -> &Scaler {
        let scaler = self.scaler.as_deref();
        scaler.expect("a pool that does not scale has no ticks")
    }
}

/// What is told of a change that no policy has made.
pub(in crate::pool) fn told(pool: &Pool, from: usize, to: usize, reason: ScaleReason) -> Scaled {
    Scaled {
        pool: pool.0.observers.shared_name(),
        from,
        to,
        reason,
        held_back: None::<HeldBack>,
        stats: None,
        at: SystemTime::now(),
        told: None,
    }
}
