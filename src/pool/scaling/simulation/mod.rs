//! A simulated pool: jobs come by chance at a rate that a shape gives, wait, and are served by so many servers, in virtual time.

mod comparison;
mod run;
mod servers;
mod traffic;

use std::time::Duration;

pub use comparison::Comparison;
pub use run::{Run, Tick};
pub use traffic::Traffic;

use crate::error::{OptionError, check_count};
use crate::pool::{EXPECTED, MOST};
use servers::Servers;

use super::config::Scaling;

/// A load to try pools on: pure, and the same again with the same seed.
///
/// What decides is what decides in a real [`Pool`](crate::Pool): the same policies behind the same bounds. Only the jobs are made up.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fanfare::Scaling;
/// use fanfare::scaling::{Simulation, Traffic};
///
/// let step = Traffic::Step { before: 60.0, after: 800.0, at: Duration::from_secs(2) };
/// let simulation = Simulation::new(step).service(Duration::from_millis(50)).ticks(100);
/// let compared = simulation.compare(4, Scaling::conservative().min(4).max(64))?;
/// assert!(compared.share_of_best() > 0.9);
/// assert!(compared.run().moves() > 0);
/// # Ok::<(), fanfare::OptionError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a simulation does nothing until it is run"]
pub struct Simulation {
    traffic: Traffic,
    service: Duration,
    jitter: f64,
    cores: Option<usize>,
    ticks: usize,
    seed: u64,
}

impl Simulation {
    /// A simulation of this load, with defaults for the rest. See [`Simulation`](crate::scaling::Simulation).
    pub fn new(traffic: Traffic) -> Self {
        Self {
            traffic,
            service: Duration::from_millis(50),
            jitter: 0.5,
            cores: None,
            ticks: 600,
            seed: 0,
        }
    }

    /// How long a job runs, in the mean. Default: 50 ms; from 1 microsecond to an hour. See [`Simulation`](crate::scaling::Simulation).
    pub fn service(mut self, mean: Duration) -> Self {
        self.service = mean;
        self
    }

    /// By which share of that a job is shorter or longer at most. Default: 0.5; from 0 to 1. See [`Simulation`](crate::scaling::Simulation).
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// How many cores the jobs share that run: with more of them than cores, each becomes slower, and all together a little. Default: none, jobs wait for something else than a core; from 1.
    /// See [`Simulation`](crate::scaling::Simulation).
    pub fn cores(mut self, cores: usize) -> Self {
        self.cores = Some(cores);
        self
    }

    /// How many ticks long it is. Default: 600; from 1 to 1,000,000. See [`Simulation`](crate::scaling::Simulation).
    pub fn ticks(mut self, ticks: usize) -> Self {
        self.ticks = ticks;
        self
    }

    /// Which of all runs of chance it is. Default: 0. See [`Simulation`](crate::scaling::Simulation).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs a pool that scales itself and begins with `size` permits. See [`Simulation`](crate::scaling::Simulation).
    ///
    /// # Errors
    ///
    /// The first option, of the simulation or the scaling, that is outside its limits.
    pub fn run(&self, size: usize, scaling: Scaling) -> Result<Run, OptionError> {
        self.check(size)?;
        let checked = scaling.check(size, MOST)?;
        let every = checked.tick;
        Ok(run::scaling(
            self.servers(),
            self.ticks,
            every,
            size,
            checked,
        ))
    }

    /// Runs a pool of one size, with the default tick. See [`Simulation`](crate::scaling::Simulation).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_fixed(&self, size: usize) -> Result<Run, OptionError> {
        self.check(size)?;
        let tick = Duration::from_millis(100);
        Ok(run::fixed(self.servers(), self.ticks, tick, size))
    }

    /// Runs a pool that scales itself, and fixed pools from its minimum to its maximum, on the same load. See [`Simulation`](crate::scaling::Simulation).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn compare(&self, size: usize, scaling: Scaling) -> Result<Comparison, OptionError> {
        self.check(size)?;
        let checked = scaling.check(size, MOST)?;
        let (tick, bounds) = (checked.tick, checked.bounds);
        let run = run::scaling(self.servers(), self.ticks, tick, size, checked);
        let fixed = |size| run::fixed(self.servers(), self.ticks, tick, size);
        Ok(comparison::compare(run, bounds.min, bounds.max, fixed))
    }

    fn servers(&self) -> Servers {
        Servers::new(
            self.traffic,
            self.service,
            self.jitter,
            self.cores,
            self.seed,
        )
    }

    fn check(&self, size: usize) -> Result<(), OptionError> {
        check_count("pool", size, MOST, EXPECTED)?;
        check_count(
            "ticks",
            self.ticks,
            1_000_000,
            "it takes 1 to 1,000,000 ticks",
        )?;
        check_count(
            "cores",
            self.cores.unwrap_or(1),
            MOST,
            "it takes 1 to 1,048,576 cores",
        )?;
        let limits = Duration::from_micros(1)..=Duration::from_secs(3_600);
        if !limits.contains(&self.service) {
            let expected = "it takes 1 microsecond to an hour";
            return Err(OptionError::new(
                "service",
                format_args!("{:?}", self.service),
                expected,
            ));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(OptionError::new(
                "jitter",
                self.jitter,
                "it takes a share from 0 to 1",
            ));
        }
        Ok(())
    }
}
