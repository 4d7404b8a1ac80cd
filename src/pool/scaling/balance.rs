//! One total of permits, moved between several pools.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::hold::Hold;
use super::meter::Meter;
use super::numbers::{ratio, whole};
use super::observers::{Observer, Observers};
use super::scaled::{ScaleReason, Scaled};
use super::scaler::told;
use super::share::{self, Demand};
use super::ticker::{Ticked, Ticker};
use crate::error::{OptionError, check_count};
use crate::pool::Pool;
use crate::sync::{Handle, Mutex};

/// The largest total, and the most pools.
const MOST: usize = 65_536;

/// One total of permits for several pools, each a signal's: those that have more to do get permits of those that have less.
///
/// On each tick permits move from the pool with the shortest time to clear to the one with the longest: those that wait and run, and that were rejected in the tick, times how long a permit is held in the mean, by the permits. What
/// is taken from a pool is given on at a later tick, once it is free: the listeners of all of them stay within the total. At the start each pool has its minimum, and the rest is divided evenly: at once, as far as its permits are free; what others have first, at the ticks that follow.
/// The pools are of fixed size otherwise: one that scales itself is refused, and one that is resized by hand is set back at the next tick.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Balance, Pool, Signal};
///
/// let (orders, mail) = (Pool::new(8), Pool::new(8));
/// let _orders = Signal::<u64>::builder().pool(orders.clone()).build();
/// let _mail = Signal::<String>::builder().pool(mail.clone()).build();
///
/// let balancing = Balance::new(64).pool(&orders, 8).pool(&mail, 4).start();
/// assert_eq!((orders.size(), mail.size()), (34, 30));
/// drop(balancing); // they keep the sizes that they have
/// # }
/// ```
#[must_use = "a balance does nothing until it is started"]
pub struct Balance {
    total: usize,
    members: Vec<(Pool, usize)>,
    tick: Duration,
    step: f64,
    hysteresis: f64,
    on_scaled: Vec<Observer>,
}

impl Balance {
    /// A balance of so many permits: from the sum of the minima to 65,536. See [`Balance`](crate::Balance).
    pub fn new(total: usize) -> Self {
        Self {
            total,
            members: Vec::new(),
            tick: Duration::from_millis(100),
            step: 0.125,
            hysteresis: 1.5,
            on_scaled: Vec::new(),
        }
    }

    /// Takes a pool in, which keeps `min` permits at least: from 1. One pool or more are needed. See [`Balance`](crate::Balance).
    pub fn pool(mut self, pool: &Pool, min: usize) -> Self {
        self.members.push((pool.clone(), min));
        self
    }

    /// How often permits are moved. Default: 100 ms; from 1 ms to an hour. See [`Balance`](crate::Balance).
    pub fn tick(mut self, every: Duration) -> Self {
        self.tick = every;
        self
    }

    /// The largest share of the total that is moved in one tick; one permit at least. Default: 0.125; above zero to 1. See [`Balance`](crate::Balance).
    pub fn step(mut self, share: f64) -> Self {
        self.step = share;
        self
    }

    /// How many times as long one pool must have to go as another before it is given permits of that. Default: 1.5; from 1 to 1,000. See [`Balance`](crate::Balance).
    pub fn hysteresis(mut self, times: f64) -> Self {
        self.hysteresis = times;
        self
    }

    /// Adds a callback for each pool that has become larger or smaller; those of the pools are called too. Default: none. See [`Scaled`].
    pub fn on_scaled(mut self, callback: impl Fn(&Scaled) + Send + Sync + 'static) -> Self {
        self.on_scaled.push(Observer::new(callback));
        self
    }

    /// Starts it on the runtime that this is called in, as one task. See [`Balance`](crate::Balance).
    ///
    /// # Panics
    ///
    /// Where [`try_start`](Self::try_start) returns an error.
    #[track_caller]
    pub fn start(self) -> Balancing {
        match self.try_start() {
            Ok(started) => started,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts it, or says which option makes no sense.
    ///
    /// ```
    /// use fanfare::{Balance, Pool};
    ///
    /// let error = Balance::new(4).pool(&Pool::new(1), 5).try_start().unwrap_err();
    /// assert_eq!(error.to_string(), "option `total` cannot be 4: it takes the sum of the minima to 65,536 permits");
    /// ```
    ///
    /// # Errors
    ///
    /// The first option that is outside its limits, a pool that is there twice or scales itself, or that this is not called inside a runtime. The pools stay as they are.
    pub fn try_start(self) -> Result<Balancing, OptionError> {
        self.check()?;
        let runtime = Handle::try_current().map_err(|_| {
            OptionError::new("runtime", "none", "it is started inside a tokio runtime")
        })?;
        let mins: Vec<usize> = self.members.iter().map(|(_, min)| *min).collect();
        let wanted = share::begin(self.total, &mins);
        let members: Vec<Member> = self.members.into_iter().map(Member::new).collect();
        let state = State {
            wanted: wanted.clone(),
            meters: members
                .iter()
                .map(|member| Metered::new(&member.pool, &runtime))
                .collect(),
        };
        let balanced = Arc::new(Balanced {
            total: self.total,
            most: whole(ratio(self.total) * self.step).max(1),
            hysteresis: self.hysteresis,
            members,
            state: Mutex::new(state),
            observers: Observers::new(None, self.on_scaled),
            ticker: Ticker::new(self.tick),
        });
        balanced.set(balanced.due(&wanted, balanced.free()));
        Ticker::start(&balanced);
        Ok(Balancing(balanced))
    }

    fn check(&self) -> Result<(), OptionError> {
        check_count(
            "pools",
            self.members.len(),
            MOST,
            "it takes 1 to 65,536 pools",
        )?;
        let mut least = 0_usize;
        for (place, (pool, min)) in self.members.iter().enumerate() {
            check_count("min", *min, MOST, "it takes 1 to 65,536 permits")?;
            least = least.saturating_add(*min);
            let expected = "it takes pools that do not scale themselves, each once";
            let twice = self.members[..place]
                .iter()
                .any(|(other, _)| other.is(pool));
            if twice || pool.0.scaler.is_some() {
                return Err(OptionError::new("pool", format_args!("{pool:?}"), expected));
            }
        }
        if !(least..=MOST).contains(&self.total) {
            let expected = "it takes the sum of the minima to 65,536 permits";
            return Err(OptionError::new("total", self.total, expected));
        }
        super::config::check_tick(self.tick)?;
        let expected = "it takes a share above 0, up to 1";
        super::config::check_share("step", self.step, 1.0, expected)?;
        if !(1.0..=1_000.0).contains(&self.hysteresis) {
            return Err(OptionError::new(
                "hysteresis",
                self.hysteresis,
                "it takes 1 to 1,000",
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance")
            .field("total", &self.total)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

/// A [`Balance`](crate::Balance) that works, until this is dropped or the runtime ends where it was started. The pools keep the sizes that they have then.
#[must_use = "a balance ends when this is dropped"]
pub struct Balancing(Arc<Balanced>);

impl Balancing {
    /// The permits of all its pools together. See [`Balance`](crate::Balance).
    pub fn total(&self) -> usize {
        self.0.total
    }

    /// How many permits each pool has now, in the order in which they were given. While permits move, their sum is less than the total. See [`Balance`](crate::Balance).
    pub fn sizes(&self) -> Vec<usize> {
        self.0.sizes()
    }
}

impl fmt::Debug for Balancing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balancing")
            .field("total", &self.total())
            .field("sizes", &self.sizes())
            .finish_non_exhaustive()
    }
}

struct Balanced {
    total: usize,
    /// Permits that are moved in one tick at most.
    most: usize,
    hysteresis: f64,
    members: Vec<Member>,
    state: Mutex<State>,
    observers: Observers,
    ticker: Ticker,
}

struct Member {
    pool: Pool,
    min: usize,
}

impl Member {
    fn new((pool, min): (Pool, usize)) -> Self {
        Self { pool, min }
    }
}

struct State {
    /// Where the sizes are going.
    wanted: Vec<usize>,
    meters: Vec<Metered>,
}

struct Metered {
    meter: Meter,
    hold: Hold,
}

impl Metered {
    fn new(pool: &Pool, runtime: &Handle) -> Self {
        Self {
            meter: Meter::new(pool, runtime),
            hold: Hold::default(),
        }
    }

    fn demand(&mut self, member: &Member, runtime: &Handle) -> Demand {
        let before = self.meter;
        let stats = self.meter.read(&member.pool, runtime);
        if let Some(held) = self.meter.held_since(&before) {
            self.hold.note(&stats, held);
        }
        Demand {
            min: member.min,
            in_use: stats.in_use,
            // Where nobody waits, as a full pool rejects, those that were rejected are what waits elsewhere.
            waiting: stats.waiting + usize::try_from(stats.rejections).unwrap_or(usize::MAX / 4),
            hold: self.hold.mean(stats.tick),
        }
    }
}

impl Balanced {
    fn sizes(&self) -> Vec<usize> {
        self.members
            .iter()
            .map(|member| member.pool.size())
            .collect()
    }

    /// The permits that nobody has, and that no listener holds beyond the size of its pool.
    fn free(&self) -> usize {
        let taken = self.members.iter().map(|member| {
            let pool = &member.pool;
            pool.size().max(pool.in_use())
        });
        self.total.saturating_sub(taken.sum())
    }

    /// The size that each pool should have now: what is to be taken, at once; what is to be given, as far as it is free.
    fn due(&self, wanted: &[usize], mut free: usize) -> Vec<usize> {
        let sizes = self.sizes();
        let pairs = sizes.into_iter().zip(wanted);
        let due = pairs.map(|(size, wanted)| {
            let given = wanted.saturating_sub(size).min(free);
            free -= given;
            size.min(*wanted) + given
        });
        due.collect()
    }

    /// Sets the sizes, and tells of those that were others.
    fn set(&self, sizes: Vec<usize>) {
        for (member, size) in self.members.iter().zip(sizes) {
            let before = member.pool.set_size(size, ScaleReason::Balance);
            if before != size {
                let told = told(&member.pool, before, size, ScaleReason::Balance);
                self.observers.tell(&told);
            }
        }
    }
}

impl Ticked for Balanced {
    fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    fn begin(self: &Arc<Self>, _: &Handle) {}

    fn tick(self: &Arc<Self>, runtime: &Handle) -> bool {
        let due = {
            let mut state = self.state.lock();
            let meters = state.meters.iter_mut().zip(&self.members);
            let demands: Vec<Demand> = meters
                .map(|(meter, member)| meter.demand(member, runtime))
                .collect();
            // What a pool gives in this tick is free in the next, or once its listeners have given it back.
            let free = self.free();
            if self.sizes() == state.wanted {
                state.wanted = share::share(&state.wanted, &demands, self.most, self.hysteresis);
            }
            self.due(&state.wanted, free)
        };
        self.set(due);
        true
    }

    fn needs_ticks(&self) -> bool {
        true
    }
}
