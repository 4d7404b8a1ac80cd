//! Why a bus is not well.

use std::fmt;
use std::time::Duration;

use crate::observe::Blame;
use crate::outcome::Skip;

/// How bad a [`Reason`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Severity {
    /// Worse than normal, and yet ready.
    Degraded,
    /// It is to be given no more work for now.
    NotReady,
    /// It will not recover by itself: it is to be started again.
    NotLive,
}

/// Why a bus is not well, with the numbers that say so. `Display` is for people; [`advice`](Self::advice) says what to do.
///
/// Counts of what was done are over the [window](crate::observe::Health::window).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "reason", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// The runtime that is watched is no more.
    RuntimeEnded,
    /// The runtime has polled nothing for so long.
    RuntimeStalled {
        /// For how long.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "stalled_seconds", with = "crate::observe::serde::seconds")
        )]
        stalled: Duration,
    },
    /// The bus is shut down, or is about to be.
    Closed,
    /// A buffer is full, or a lane of it: what comes waits or is refused. One that drops events instead is [under pressure](Self::BufferPressure).
    BufferFull {
        /// The signal.
        signal: String,
        /// How many events it holds, or the lane.
        capacity: usize,
    },
    /// Nobody gets a permit of a pool: those that wait have waited [too long](crate::observe::HealthCheckBuilder::pool_wait), and as long no check has seen one taken.
    PoolSaturated {
        /// The pool.
        pool: String,
        /// The number of permits.
        size: usize,
        /// How many wait for one.
        waiting: usize,
        /// For how long they have, on average.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "waited_seconds", with = "crate::observe::serde::seconds")
        )]
        waited: Duration,
    },
    /// A listener waits to be [ready](crate::ListenBuilder::hold_until_ready).
    AwaitsReady {
        /// The signal.
        signal: String,
        /// The listener's [label](crate::observe::ListenerSnapshot::label).
        listener: String,
        /// How many events it holds.
        held: usize,
    },
    /// Those that wait for a permit of a pool have waited [too long](crate::observe::HealthCheckBuilder::pool_wait), while permits are taken.
    PoolWait {
        /// The pool.
        pool: String,
        /// The number of permits.
        size: usize,
        /// How many wait for one.
        waiting: usize,
        /// For how long they have, on average.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "waited_seconds", with = "crate::observe::serde::seconds")
        )]
        waited: Duration,
    },
    /// A buffer is fuller than it should be, or under pressure by the watermarks that it was given.
    BufferPressure {
        /// The signal.
        signal: String,
        /// How many events it holds, or its fullest lane.
        buffered: usize,
        /// How many it can hold, or the lane.
        capacity: usize,
    },
    /// Workers of the runtime do not get on: something blocks their threads.
    WorkersBlocked {
        /// How many.
        blocked: usize,
        /// Of how many.
        workers: usize,
        /// For how long the longest.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "blocked_seconds", with = "crate::observe::serde::seconds")
        )]
        longest: Duration,
    },
    /// Circuit breakers of a listener reject its calls.
    BreakerOpen {
        /// The signal.
        signal: String,
        /// The listener's [label](crate::observe::ListenerSnapshot::label).
        listener: String,
        /// How many are open: one, or one for each key.
        open: usize,
        /// Of how many.
        breakers: usize,
    },
    /// A listener is switched off: disabled, or paused.
    SwitchedOff {
        /// The signal.
        signal: String,
        /// The listener's [label](crate::observe::ListenerSnapshot::label).
        listener: String,
        /// How.
        #[cfg_attr(
            feature = "serde",
            serde(serialize_with = "crate::observe::serde::words")
        )]
        why: Skip,
        /// How many events it holds.
        held: usize,
    },
    /// A listener fails more often than it may.
    Failing {
        /// The signal.
        signal: String,
        /// The listener's [label](crate::observe::ListenerSnapshot::label).
        listener: String,
        /// Calls that returned an error, panicked or ran into a deadline.
        failed: u64,
        /// Of how many.
        calls: u64,
    },
    /// Calls were given up and led to dead letters.
    DeadLetters {
        /// The signal.
        signal: String,
        /// How many.
        letters: u64,
    },
    /// Events were dropped that somebody was to have: a full buffer had no room for them, the runtime ended, or a shutdown did not wait for them. Not those that
    /// [newer ones replace](crate::DropReason::Superseded), or that [nobody is there for](crate::DropReason::StreamDropped) any more.
    Dropped {
        /// The signal.
        signal: String,
        /// How many.
        events: u64,
    },
    /// A signal has almost as many calls in the background as it may have.
    BackgroundFull {
        /// The signal.
        signal: String,
        /// How many go on.
        background: usize,
        /// How many there may be.
        most: usize,
    },
    /// The 99th percentile of a listener's calls is too long.
    Slow {
        /// The signal.
        signal: String,
        /// The listener's [label](crate::observe::ListenerSnapshot::label).
        listener: String,
        /// How many calls took longer than they may.
        slow: u64,
        /// Of how many that were timed.
        timed: u64,
        /// How long they may take.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "limit_seconds", with = "crate::observe::serde::seconds")
        )]
        limit: Duration,
        /// What the latest of its [slow calls](crate::Bus::slow_calls) was slow for, if there is one in the window. Without a monitor only that it blocked its thread can be known.
        blame: Option<Blame>,
    },
    /// There are more tasks than there should be.
    ManyTasks {
        /// How many are alive.
        alive: usize,
        /// How many there may be.
        most: usize,
    },
    /// The process has more memory than it should.
    MuchMemory {
        /// How many bytes of it are in RAM.
        resident: u64,
        /// How many may be.
        most: u64,
    },
}

impl Reason {
    /// Every [name](Self::name) there is, in the order of the variants.
    pub(super) const NAMES: [&'static str; 18] = [
        "runtime_ended",
        "runtime_stalled",
        "closed",
        "buffer_full",
        "pool_saturated",
        "awaits_ready",
        "pool_wait",
        "buffer_pressure",
        "workers_blocked",
        "breaker_open",
        "switched_off",
        "failing",
        "dead_letters",
        "dropped",
        "background_full",
        "slow",
        "many_tasks",
        "much_memory",
    ];

    /// How bad it is. See [`Severity`](crate::observe::Severity).
    pub fn severity(&self) -> Severity {
        match self {
            Self::RuntimeEnded | Self::RuntimeStalled { .. } => Severity::NotLive,
            Self::Closed
            | Self::BufferFull { .. }
            | Self::PoolSaturated { .. }
            | Self::AwaitsReady { .. } => Severity::NotReady,
            _ => Severity::Degraded,
        }
    }

    /// Its name, as exports label it: `buffer_full`. See [`Reason`](crate::observe::Reason).
    pub fn name(&self) -> &'static str {
        self.words().0
    }

    /// What to do about it, in one sentence. See [`Reason`](crate::observe::Reason).
    pub fn advice(&self) -> &'static str {
        self.words().1
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::RuntimeEnded => ("runtime_ended", "start the process again"),
            Self::RuntimeStalled { .. } => (
                "runtime_stalled",
                "find what blocks the workers, by a stack dump of all threads, then start the process again",
            ),
            Self::Closed => ("closed", "nothing: it is being shut down"),
            Self::BufferFull { .. } => (
                "buffer_full",
                "find which listener of the signal is slow or fails, and lower what comes in",
            ),
            Self::PoolSaturated { .. } => (
                "pool_saturated",
                "find which listeners hold their permits, then fix those or give the pool more permits",
            ),
            Self::PoolWait { .. } => (
                "pool_wait",
                "lower what comes in, make its listeners quicker, or give the pool more permits",
            ),
            Self::AwaitsReady { .. } => (
                "awaits_ready",
                "wait for what it loads; if that has failed, the log says why",
            ),
            Self::BufferPressure { .. } => (
                "buffer_pressure",
                "watch whether it falls; if it does not, find the slow listener",
            ),
            Self::WorkersBlocked { .. } => (
                "workers_blocked",
                "find what blocks or computes in async code, and move it to `on_blocking`",
            ),
            Self::BreakerOpen { .. } => (
                "breaker_open",
                "look at what the listener calls; the breaker tries again by itself unless it was opened by hand",
            ),
            Self::SwitchedOff { .. } => (
                "switched_off",
                "find out who switched it off and why, and enable it",
            ),
            Self::Failing { .. } => ("failing", "read the listener's last error"),
            Self::DeadLetters { .. } => (
                "dead_letters",
                "read why the letters failed, fix that, and redrive them",
            ),
            Self::Dropped { .. } => (
                "dropped",
                "look at the overflow policy of buffer and streams, and at what is slow behind them",
            ),
            Self::BackgroundFull { .. } => (
                "background_full",
                "look at what is retried; beyond the limit, calls fail without a retry",
            ),
            Self::Slow { .. } => (
                "slow",
                "see what its slow calls are blamed on: the listener, what it waits for, or the runtime",
            ),
            Self::ManyTasks { .. } => (
                "many_tasks",
                "find who spawns them: tasks are spawned faster than they end",
            ),
            Self::MuchMemory { .. } => (
                "much_memory",
                "look at buffers, held events and dead letters; then at the rest of the process",
            ),
        }
    }
}

/// A listener of a signal.
struct Who<'a>(&'a str, &'a str);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listener `{}` of `{}`", self.1, self.0)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RuntimeEnded => f.write_str("the runtime is no more"),
            Self::RuntimeStalled { stalled } => {
                write!(f, "the runtime has polled nothing for {stalled:.1?}")
            }
            Self::Closed => f.write_str("the bus is shut down"),
            Self::BufferFull { signal, capacity } => {
                write!(f, "the buffer of `{signal}` is full with {capacity} events")
            }
            Self::PoolSaturated {
                pool,
                size,
                waiting,
                waited,
            } => write!(
                f,
                "{waiting} wait for one of the {size} permits of `{pool}`, for {waited:.1?} on average, and nobody gets one"
            ),
            Self::PoolWait {
                pool,
                size,
                waiting,
                waited,
            } => write!(
                f,
                "{waiting} wait for one of the {size} permits of `{pool}`, for {waited:.1?} on average"
            ),
            Self::BufferPressure {
                signal,
                buffered,
                capacity,
            } => write!(
                f,
                "the buffer of `{signal}` holds {buffered} of {capacity} events"
            ),
            Self::WorkersBlocked {
                blocked,
                workers,
                longest,
            } => write!(
                f,
                "{blocked} of {workers} workers of the runtime are blocked, for {longest:.1?} at most"
            ),
            Self::ManyTasks { alive, most } => {
                write!(f, "{alive} tasks are alive, more than {most}")
            }
            Self::MuchMemory { resident, most } => {
                write!(
                    f,
                    "the process has {resident} bytes in RAM, more than {most}"
                )
            }
            _ => self.of_a_signal(f),
        }
    }
}

impl Reason {
    /// Those of what a signal and its listeners do.
    fn of_a_signal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AwaitsReady {
                signal,
                listener,
                held,
            } => write!(
                f,
                "{} is not ready, and holds {held} events",
                Who(signal, listener)
            ),
            Self::BreakerOpen {
                signal,
                listener,
                open,
                breakers,
            } => {
                let who = Who(signal, listener);
                write!(f, "{open} of {breakers} circuit breakers of {who} are open")
            }
            Self::SwitchedOff {
                signal,
                listener,
                why,
                held,
            } => write!(
                f,
                "{} is {why}, and holds {held} events",
                Who(signal, listener)
            ),
            Self::Failing {
                signal,
                listener,
                failed,
                calls,
            } => write!(
                f,
                "{failed} of {calls} calls of {} failed",
                Who(signal, listener)
            ),
            Self::DeadLetters { signal, letters } => {
                write!(f, "{letters} calls of `{signal}` led to dead letters")
            }
            Self::Dropped { signal, events } => write!(f, "`{signal}` dropped {events} events"),
            Self::BackgroundFull {
                signal,
                background,
                most,
            } => write!(
                f,
                "{background} calls of `{signal}` go on in the background, of {most} that may"
            ),
            Self::Slow {
                signal,
                listener,
                slow,
                timed,
                limit,
                blame,
            } => {
                let who = Who(signal, listener);
                write!(
                    f,
                    "{slow} of {timed} calls of {who} took longer than about {limit:?}"
                )?;
                match blame {
                    Some(blame) => write!(f, "; the latest slow one: {blame}"),
                    None => Ok(()),
                }
            }
            // The others have been written.
            _ => Ok(()),
        }
    }
}
