//! The options of a scaling pool.

use std::fmt;
use std::time::Duration;

use super::frame::Bounds;
use super::policy::ScalingPolicy;
use super::target::{Memory, TargetWait};
use crate::error::{OptionError, check_count};

const LONGEST: Duration = Duration::from_secs(3_600);
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// How a pool chooses its own size: from what wait for a permit on it grows, when it shrinks, and within which bounds.
///
/// It goes by the wait for permits and by the share of them that is in use, on a tick; never by how long listeners take. Growing wakes those that wait at once; on the way down no permit is taken
/// from a listener that runs. [`scaling`](crate::scaling) has the parts, and the book's sizing chapter says how to tune it.
///
/// | | [`conservative`](Self::conservative) | [`aggressive`](Self::aggressive) |
/// |---|---|---|
/// | grows in one tick by up to | a half | its size |
/// | while a backlog gets shorter by itself | waits | grows on |
/// | shrinks after low utilisation in | 5 ticks | 3 ticks |
/// | shrinks in one tick by up to | a tenth | a quarter |
/// | may shrink after a change in | 10 ticks | 5 ticks |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fanfare::{Bus, Pool, Scaling};
///
/// let scaling = Scaling::conservative().min(4).max(64).target_wait(Duration::from_millis(2));
/// let pool = Pool::builder(8).name("orders").scaling(scaling).build();
/// let bus = Bus::builder().pool(pool.clone()).build();
/// assert_eq!(pool.size(), 8);
/// # drop(bus);
/// ```
#[must_use = "options do nothing until a pool is built with them"]
pub struct Scaling {
    kind: Kind,
    min: usize,
    max: Option<usize>,
    tick: Duration,
    target_wait: Option<Duration>,
    hysteresis: Option<(f64, f64)>,
    steps: (f64, f64),
    cool_down: u32,
    saturation: f64,
}

enum Kind {
    Conservative,
    Aggressive,
    Custom(Box<dyn ScalingPolicy>),
}

/// A policy, and the bounds that hold whatever it says.
pub(in crate::pool) struct Checked {
    pub(in crate::pool::scaling) policy: Box<dyn ScalingPolicy>,
    pub(in crate::pool::scaling) bounds: Bounds,
    pub(in crate::pool::scaling) tick: Duration,
}

impl Scaling {
    /// Grows by up to a half a tick, and lets a backlog that gets shorter go away by itself; gives back slowly. See [`Scaling`](crate::Scaling).
    pub fn conservative() -> Self {
        Self::of(Kind::Conservative, (0.5, 0.1), 10)
    }

    /// Doubles while the wait is far above the target, and gives back sooner. See [`Scaling`](crate::Scaling).
    pub fn aggressive() -> Self {
        Self::of(Kind::Aggressive, (1.0, 0.25), 5)
    }

    /// Goes by a policy of one's own, within the bounds of [`conservative`](Self::conservative) unless they are set. See [`ScalingPolicy`].
    pub fn custom(policy: impl ScalingPolicy) -> Self {
        Self::of(Kind::Custom(Box::new(policy)), (0.5, 0.1), 10)
    }

    fn of(kind: Kind, steps: (f64, f64), cool_down: u32) -> Self {
        Self {
            kind,
            min: 1,
            max: None,
            tick: Duration::from_millis(100),
            target_wait: None,
            hysteresis: None,
            steps,
            cool_down,
            saturation: 0.95,
        }
    }

    /// The fewest permits. Default: 1; from 1 to the size that the pool begins with. See [`Scaling`](crate::Scaling).
    pub fn min(mut self, permits: usize) -> Self {
        self.min = permits;
        self
    }

    /// The most permits. Default: 16 times the size that the pool begins with; from that size to 1,048,576. See [`Scaling`](crate::Scaling).
    pub fn max(mut self, permits: usize) -> Self {
        self.max = Some(permits);
        self
    }

    /// How often it decides. Default: 100 ms; from 1 ms to an hour. See [`Scaling`](crate::Scaling).
    pub fn tick(mut self, every: Duration) -> Self {
        self.tick = every;
        self
    }

    /// The mean wait for a permit above which it grows. Default: 5 ms; above zero to an hour. A [`custom`](Self::custom) policy takes none. See [`Scaling`](crate::Scaling).
    pub fn target_wait(mut self, wait: Duration) -> Self {
        self.target_wait = Some(wait);
        self
    }

    /// Between which shares of permits in use nothing changes: below `low` it may shrink, from `high` on it may grow. Default: 0.5 and 0.8 for `conservative`, 0.6 and 0.75 for `aggressive`;
    /// above zero, the first below the second, up to 1. A [`custom`](Self::custom) policy takes none. See [`Scaling`](crate::Scaling).
    pub fn hysteresis(mut self, low: f64, high: f64) -> Self {
        self.hysteresis = Some((low, high));
        self
    }

    /// The largest share of its size by which it grows in one tick; one permit at least. Default: 0.5 for `conservative`, 1.0 for `aggressive`; above zero to 4. See [`Scaling`](crate::Scaling).
    pub fn step_up(mut self, share: f64) -> Self {
        self.steps.0 = share;
        self
    }

    /// The largest share of its size by which it shrinks in one tick; one permit at least. Default: 0.1 for `conservative`, 0.25 for `aggressive`; above zero to 0.5. See
    /// [`Scaling`](crate::Scaling).
    pub fn step_down(mut self, share: f64) -> Self {
        self.steps.1 = share;
        self
    }

    /// In how many ticks after a change of the size, up or down, it does not shrink. Default: 10 for `conservative`, 5 for `aggressive`; any number up to 100,000, and 0 is none. See
    /// [`Scaling`](crate::Scaling).
    pub fn cool_down(mut self, ticks: u32) -> Self {
        self.cool_down = ticks;
        self
    }

    /// The share of the time that the workers of the runtime were busy, from which on in any of the last three ticks it does not grow. Default: 0.95; above zero to 1. See [`Scaling`](crate::Scaling).
    pub fn saturation(mut self, share: f64) -> Self {
        self.saturation = share;
        self
    }

    /// What it comes to for a pool that begins with `size` permits.
    pub(in crate::pool) fn check(self, size: usize, most: usize) -> Result<Checked, OptionError> {
        let bounds = self.bounds(size, most)?;
        check_tick(self.tick)?;
        let tick = self.tick;
        let policy = self.policy()?;
        Ok(Checked {
            policy,
            bounds,
            tick,
        })
    }

    fn bounds(&self, size: usize, most: usize) -> Result<Bounds, OptionError> {
        let max = self
            .max
            .unwrap_or_else(|| size.saturating_mul(16).min(most));
        check_count(
            "min",
            self.min,
            size,
            "it takes 1 to the size that the pool begins with",
        )?;
        if !(size..=most).contains(&max) {
            let expected = "it takes the size that the pool begins with to 1,048,576";
            return Err(OptionError::new("max", max, expected));
        }
        check_share(
            "step_up",
            self.steps.0,
            4.0,
            "it takes a share above 0, up to 4",
        )?;
        check_share(
            "step_down",
            self.steps.1,
            0.5,
            "it takes a share above 0, up to 0.5",
        )?;
        check_share(
            "saturation",
            self.saturation,
            1.0,
            "it takes a share above 0, up to 1",
        )?;
        if self.cool_down > 100_000 {
            let expected = "it takes up to 100,000 ticks";
            return Err(OptionError::new("cool_down", self.cool_down, expected));
        }
        Ok(Bounds {
            min: self.min,
            max,
            steps: self.steps,
            cool_down: self.cool_down,
            saturation: self.saturation,
        })
    }

    fn policy(self) -> Result<Box<dyn ScalingPolicy>, OptionError> {
        let (aggressive, hysteresis) = match self.kind {
            Kind::Conservative => (false, (0.5, 0.8)),
            Kind::Aggressive => (true, (0.6, 0.75)),
            Kind::Custom(policy) => {
                refuse_for_custom("target_wait", self.target_wait)?;
                refuse_for_custom("hysteresis", self.hysteresis)?;
                return Ok(policy);
            }
        };
        let target = self.target_wait.unwrap_or(Duration::from_millis(5));
        if target.is_zero() || target > LONGEST {
            let expected = "it takes a wait above zero, up to an hour";
            return Err(OptionError::new(
                "target_wait",
                format_args!("{target:?}"),
                expected,
            ));
        }
        let hysteresis = self.hysteresis.unwrap_or(hysteresis);
        let (low, high) = hysteresis;
        if !(low > 0.0 && low < high && high <= 1.0) {
            let expected = "it takes two shares above 0 up to 1, the first below the second";
            return Err(OptionError::new(
                "hysteresis",
                format_args!("{low}, {high}"),
                expected,
            ));
        }
        Ok(Box::new(TargetWait {
            target,
            hysteresis,
            patience: if aggressive { 3 } else { 5 },
            steps: self.steps,
            lets_clear: !aggressive,
            memory: Memory::default(),
        }))
    }
}

fn refuse_for_custom(
    option: &'static str,
    value: Option<impl fmt::Debug>,
) -> Result<(), OptionError> {
    value.map_or(Ok(()), |value| {
        let expected = "a custom policy takes none: it decides by itself";
        Err(OptionError::new(
            option,
            format_args!("{value:?}"),
            expected,
        ))
    })
}

pub(super) fn check_tick(tick: Duration) -> Result<(), OptionError> {
    if (SHORTEST_TICK..=LONGEST).contains(&tick) {
        return Ok(());
    }
    let expected = "it takes 1 ms to an hour";
    Err(OptionError::new("tick", format_args!("{tick:?}"), expected))
}

pub(super) fn check_share(
    option: &'static str,
    value: f64,
    most: f64,
    expected: &'static str,
) -> Result<(), OptionError> {
    if value > 0.0 && value <= most {
        Ok(())
    } else {
        Err(OptionError::new(option, value, expected))
    }
}

impl fmt::Debug for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scaling")
            .field("min", &self.min)
            .field("max", &self.max)
            .field("tick", &self.tick)
            .finish_non_exhaustive()
    }
}
