//! A queue of jobs in front of servers, in virtual time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::traffic::Traffic;
use crate::pool::scaling::numbers::ratio;

/// What a job more than there are cores costs all, as a share of a core: caches and switches are not free.
const CONTENTION: f64 = 0.01;

/// The jobs that wait and run. Those that run share the cores evenly, if there are any to share: each goes on at the same speed, so that the next to end is always that with the least work left.
pub(super) struct Servers {
    traffic: Traffic,
    service: f64,
    jitter: f64,
    cores: Option<usize>,
    random: fastrand::Rng,
    now: f64,
    next_arrival: f64,
    /// Work that one job has been given since the start, had it run all the time.
    progress: f64,
    /// The progress at which each running job ends, in units that have an order.
    running: BinaryHeap<Reverse<u64>>,
    /// When each waiting job came, and how much work it is.
    queue: VecDeque<(f64, f64)>,
    pub(super) counts: Counts,
}

/// What has happened since the counts were taken last.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) arrivals: u64,
    pub(super) started: u64,
    pub(super) completed: u64,
    /// Jobs that had to wait, and how long those waited whose wait is over.
    pub(super) waits: u64,
    pub(super) waits_ended: u64,
    pub(super) waited: f64,
    /// Server-seconds and core-seconds.
    pub(super) busy: f64,
    pub(super) cpu: f64,
}

/// Work in whole picoseconds: integers have an order.
const UNIT: f64 = 1e12;

impl Servers {
    pub(super) fn new(
        traffic: Traffic,
        service: Duration,
        jitter: f64,
        cores: Option<usize>,
        seed: u64,
    ) -> Self {
        let mut servers = Self {
            traffic,
            service: service.as_secs_f64(),
            jitter,
            cores,
            random: fastrand::Rng::with_seed(seed),
            now: 0.0,
            next_arrival: 0.0,
            progress: 0.0,
            running: BinaryHeap::new(),
            queue: VecDeque::new(),
            counts: Counts::default(),
        };
        servers.next_arrival = servers.gap();
        servers
    }

    pub(super) fn in_use(&self) -> usize {
        self.running.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The share of the cores' time that was used, if there are cores.
    pub(super) fn busy(&self, cpu: f64, tick: Duration) -> Option<f64> {
        Some(cpu / tick.as_secs_f64() / ratio(self.cores?))
    }

    /// How long those that wait have waited so far, added up.
    pub(super) fn waiting_time(&self) -> f64 {
        self.queue.iter().map(|(came, _)| self.now - came).sum()
    }

    /// Goes on until `end` with so many servers. On the way down none is taken from a job.
    pub(super) fn run(&mut self, end: f64, size: usize) {
        self.fill(size);
        loop {
            let speed = self.speed();
            let ending = self.running.peek().map_or(f64::INFINITY, |first| {
                let left = to_seconds(first.0) - self.progress;
                self.now + left.max(0.0) / speed
            });
            let next = ending.min(self.next_arrival);
            if next > end {
                self.advance(end, speed);
                return;
            }
            self.advance(next, speed);
            if ending <= self.next_arrival {
                self.running.pop();
                self.counts.completed += 1;
            } else {
                self.arrive(size);
            }
            self.fill(size);
        }
    }

    fn advance(&mut self, to: f64, speed: f64) {
        let passed = to - self.now;
        let running = ratio(self.running.len());
        self.counts.busy += passed * running;
        self.counts.cpu += passed * self.cores.map_or(0.0, |cores| running.min(ratio(cores)));
        self.progress += passed * speed;
        self.now = to;
    }

    /// The share of a core that each running job has.
    fn speed(&self) -> f64 {
        let Some(cores) = self.cores.map(ratio) else {
            return 1.0;
        };
        let running = ratio(self.running.len());
        if running <= cores {
            return 1.0;
        }
        cores / running / (1.0 + CONTENTION * (running - cores))
    }

    fn arrive(&mut self, size: usize) {
        self.counts.arrivals += 1;
        let spread = self.jitter * (2.0 * self.random.f64() - 1.0);
        let slowdown = self.traffic.slowdown(Duration::from_secs_f64(self.now));
        let work = self.service * (1.0 + spread) * slowdown;
        if !self.queue.is_empty() || self.running.len() >= size {
            self.counts.waits += 1;
        }
        self.queue.push_back((self.now, work));
        self.next_arrival = self.now + self.gap();
    }

    fn fill(&mut self, size: usize) {
        while self.running.len() < size {
            let Some((came, work)) = self.queue.pop_front() else {
                return;
            };
            if came < self.now {
                self.counts.waits_ended += 1;
                self.counts.waited += self.now - came;
            }
            self.counts.started += 1;
            self.running
                .push(Reverse(from_seconds(self.progress + work)));
        }
    }

    /// The time to the next arrival: they come by chance, at the rate of now. Where that is next to nothing, it is looked at again soon.
    fn gap(&mut self) -> f64 {
        let rate = self
            .traffic
            .rate(Duration::from_secs_f64(self.now))
            .max(0.1);
        -(1.0 - self.random.f64()).ln() / rate
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "progress is not below zero, and a simulation ends long before 2^64 picoseconds"
)]
fn from_seconds(progress: f64) -> u64 {
    (progress * UNIT) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a rounding of picoseconds")]
fn to_seconds(progress: u64) -> f64 {
    progress as f64 / UNIT
}
