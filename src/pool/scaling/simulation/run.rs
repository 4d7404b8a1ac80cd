//! One run of a simulation, tick by tick.

use std::time::Duration;

use super::servers::{Counts, Servers};
use crate::pool::scaling::config::Checked;
use crate::pool::scaling::frame::{Decision, Frame};
use crate::pool::scaling::numbers::ratio;
use crate::pool::scaling::scaled::{HeldBack, ScaleReason};
use crate::pool::scaling::stats::PoolStats;

/// What happened in one tick of a [`Run`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tick {
    /// Jobs that came.
    pub load: u64,
    /// Permits, during the tick.
    pub size: usize,
    /// Jobs that ran at its end.
    pub in_use: usize,
    /// Jobs that waited at its end.
    pub waiting: usize,
    /// Jobs that ended.
    pub completed: u64,
    /// The mean wait, as in [`PoolStats::wait`].
    pub wait: Duration,
    /// Why the size is another in the next tick.
    pub reason: Option<ScaleReason>,
    /// Why a decision was held back.
    pub held_back: Option<HeldBack>,
}

/// What a pool did on a simulated load. [`Simulation::run`](super::Simulation::run) makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    ticks: Vec<Tick>,
}

impl Run {
    /// Each tick, in order. See [`Simulation`](crate::scaling::Simulation).
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// How many jobs ended. See [`Simulation`](crate::scaling::Simulation).
    pub fn completed(&self) -> u64 {
        self.ticks.iter().map(|tick| tick.completed).sum()
    }

    /// The largest size. See [`Simulation`](crate::scaling::Simulation).
    pub fn peak(&self) -> usize {
        self.ticks.iter().map(|tick| tick.size).max().unwrap_or(0)
    }

    /// How often the size was changed. See [`Simulation`](crate::scaling::Simulation).
    pub fn moves(&self) -> usize {
        self.directions().count()
    }

    /// How often the size went the other way than the time before. See [`Simulation`](crate::scaling::Simulation).
    pub fn reversals(&self) -> usize {
        self.reversals_from(0)
    }

    /// [`reversals`](Self::reversals) among the changes in and after a tick: how much it flaps once it should have settled. See [`Simulation`](crate::scaling::Simulation).
    pub fn reversals_from(&self, tick: usize) -> usize {
        let ups: Vec<bool> = self
            .directions()
            .filter(|(at, _)| *at >= tick)
            .map(|(_, up)| up)
            .collect();
        ups.windows(2).filter(|two| two[0] != two[1]).count()
    }

    /// In which tick the size was another than in the one before, and whether it was larger.
    fn directions(&self) -> impl Iterator<Item = (usize, bool)> {
        let pairs = self.ticks.windows(2).enumerate();
        let changed = pairs.filter(|(_, two)| two[0].size != two[1].size);
        changed.map(|(at, two)| (at + 1, two[1].size > two[0].size))
    }
}

pub(super) fn fixed(mut servers: Servers, ticks: usize, every: Duration, size: usize) -> Run {
    let ticks = ends(ticks, every).map(|end| {
        servers.run(end, size);
        let stats = read(&mut servers, every, size);
        tick(&stats.0, stats.1)
    });
    Run {
        ticks: ticks.collect(),
    }
}

pub(super) fn scaling(
    mut servers: Servers,
    ticks: usize,
    every: Duration,
    size: usize,
    checked: Checked,
) -> Run {
    let mut frame = Frame::new(checked.bounds);
    let mut policy = checked.policy;
    let mut size = size;
    let ticks = ends(ticks, every).map(|end| {
        servers.run(end, size);
        let (mut stats, counts) = read(&mut servers, every, size);
        stats.min = frame.bounds.min;
        stats.max = frame.bounds.max;
        stats.since_change = frame.tick();
        let mut tick = tick(&stats, counts);
        match frame.judge(&stats, Some(policy.decide(&stats))) {
            Decision::Stay => {}
            Decision::Resize { to, reason } => {
                frame.changed(size, to);
                size = to;
                tick.reason = Some(reason);
            }
            Decision::HeldBack { why, .. } => tick.held_back = Some(why),
        }
        tick
    });
    Run {
        ticks: ticks.collect(),
    }
}

fn ends(ticks: usize, every: Duration) -> impl Iterator<Item = f64> {
    (1..=ticks).map(move |tick| ratio(tick) * every.as_secs_f64())
}

/// What the policy goes by, as a real pool reads it.
fn read(servers: &mut Servers, every: Duration, size: usize) -> (PoolStats, Counts) {
    let counts = std::mem::take(&mut servers.counts);
    let waiting = servers.waiting();
    let waited = counts.waited + servers.waiting_time();
    let of = ratio(usize::try_from(counts.waits_ended).unwrap_or(usize::MAX)) + ratio(waiting);
    let mut stats = PoolStats::new(size);
    stats.tick = every;
    stats.in_use = servers.in_use();
    stats.waiting = waiting;
    stats.utilisation = counts.busy / every.as_secs_f64() / ratio(size);
    stats.wait = if of > 0.0 {
        Duration::from_secs_f64((waited / of).max(0.0))
    } else {
        Duration::ZERO
    };
    stats.waits = counts.waits;
    stats.taken = counts.started;
    stats.runtime_busy = servers.busy(counts.cpu, every);
    (stats, counts)
}

fn tick(stats: &PoolStats, counts: Counts) -> Tick {
    Tick {
        load: counts.arrivals,
        size: stats.size,
        in_use: stats.in_use,
        waiting: stats.waiting,
        completed: counts.completed,
        wait: stats.wait,
        reason: None,
        held_back: None,
    }
}
