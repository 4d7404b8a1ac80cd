//! The options of a signal, and their defaults.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::lifecycle::OnLifecycle;
use crate::buffer::{Marks, Overflow, Shape};
use crate::error::{OptionError, check_count, check_replay};
use crate::keyed::{DEFAULT_LANES, check_lanes};
use crate::listener::Toll;
use crate::metrics::{Board, Level, Meters};
use crate::outcome::ReportEntry;
use crate::pool::Pool;
use crate::registry::OnChange;
use crate::span::Rule;
use crate::sync::Handle;

/// How the listeners of one emission run.
///
/// Stages are barriers in every mode: all listeners of a stage have finished before the next stage starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Dispatch {
    /// Each listener is started in order in the emitter's task and polled there; those that suspend go on together. The default without a pool.
    Concurrent,
    /// Each listener is a task of its own. The default with a pool.
    Parallel,
    /// One after another in the emitter's task: each finishes before the next starts.
    Sequential,
}

impl fmt::Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Concurrent => "concurrent",
            Self::Parallel => "parallel",
            Self::Sequential => "sequential",
        })
    }
}

/// Which of two listeners of equal stage and priority is called first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The one that was registered first.
    #[default]
    Fifo,
    /// The one that was registered last.
    Lifo,
}

/// What a listener's failure means for those that have not started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// They are called all the same.
    #[default]
    Continue,
    /// They are skipped. In `Concurrent` that is all that come after a failure in place, and later stages; in `Parallel`, later stages.
    Stop,
}

/// Which listeners are timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Timing {
    /// Those where it costs next to nothing: that run as tasks, or suspend.
    #[default]
    Auto,
    /// All of them: two readings of the clock a call.
    On,
}

/// What happens to an event that nobody listens to.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum DeadEvents {
    /// It is counted, no more.
    #[default]
    Ignore,
    /// It is logged: a `tracing` warning with the signal's name, rate-limited.
    Log,
    /// The function is called.
    Call(Arc<dyn Fn(&DeadEvent<'_>) + Send + Sync>),
}

impl DeadEvents {
    /// Calls `callback` for each event that nobody listens to.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use std::sync::Arc;
    /// use fanfare::{Bus, DeadEvents};
    ///
    /// let dead = Arc::new(AtomicUsize::new(0));
    /// let count = Arc::clone(&dead);
    /// let bus = Bus::builder()
    ///     .dead_events(DeadEvents::call(move |event| {
    ///         assert_eq!(event.event_type(), "u32");
    ///         count.fetch_add(1, Ordering::Relaxed);
    ///     }))
    ///     .build();
    /// assert!(bus.emit(1_u32).await.is_empty());
    /// assert_eq!(dead.load(Ordering::Relaxed), 1);
    /// # }
    /// ```
    pub fn call(callback: impl Fn(&DeadEvent<'_>) + Send + Sync + 'static) -> Self {
        Self::Call(Arc::new(callback))
    }
}

impl fmt::Debug for DeadEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignore => "Ignore",
            Self::Log => "Log",
            Self::Call(_) => "Call(..)",
        })
    }
}

/// An event that nobody listened to. See [`DeadEvents::call`].
#[derive(Clone, Copy, Debug)]
pub struct DeadEvent<'a> {
    pub(crate) signal: &'a str,
    pub(crate) event_type: &'static str,
}

impl<'a> DeadEvent<'a> {
    /// The name of the signal. See [`DeadEvents::call`](crate::DeadEvents::call).
    pub fn signal(&self) -> &'a str {
        self.signal
    }

    /// The event type's name, as `std::any::type_name` writes it. See [`DeadEvents::call`](crate::DeadEvents::call).
    pub fn event_type(&self) -> &'static str {
        self.event_type
    }
}

/// Told of every listener that did not succeed.
pub(crate) type OnFailure = Arc<dyn Fn(&ReportEntry) + Send + Sync>;

/// The options of a signal. A bus has a set of them that its signals start from.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) dispatch: Option<Dispatch>,
    pub(crate) order: Order,
    pub(crate) on_error: OnError,
    pub(crate) timing: Timing,
    pub(crate) pool: Option<Pool>,
    /// The permits of the pool are the lanes of the keys.
    pub(crate) own_lanes: bool,
    pub(crate) buffer: usize,
    pub(crate) overflow: Overflow,
    pub(crate) marks: Option<Marks>,
    pub(crate) enqueue_concurrency: usize,
    pub(crate) max_detached: usize,
    pub(crate) max_background: usize,
    pub(crate) timestamps: bool,
    /// What the signals of a bus share of what is measured.
    pub(crate) board: Board,
    /// How much of this signal is measured, if that was said of it.
    pub(crate) level: Option<Level>,
    pub(crate) max_listeners: usize,
    pub(crate) recursion_limit: usize,
    /// How many of its last events a signal keeps for those who come late.
    pub(crate) replay: Option<usize>,
    /// What an emission pays, in this order: the signal's own limit first, then that of its bus.
    pub(crate) tolls: Vec<Arc<dyn Toll>>,
    /// Which emissions have a span, if any.
    pub(crate) spans: Option<Rule>,
    pub(crate) on_failure: Vec<OnFailure>,
    pub(crate) on_change: Vec<OnChange>,
    pub(crate) on_lifecycle: Vec<OnLifecycle>,
    pub(crate) dead_events: DeadEvents,
    pub(crate) runtime: Option<Handle>,
    pub(crate) token: Option<CancellationToken>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dispatch: None,
            order: Order::Fifo,
            on_error: OnError::Continue,
            timing: Timing::Auto,
            pool: None,
            own_lanes: false,
            buffer: 1_024,
            overflow: Overflow::Wait,
            marks: None,
            enqueue_concurrency: 1,
            max_detached: 10_000,
            max_background: 1_000,
            timestamps: false,
            board: Board::new(),
            level: None,
            max_listeners: 100,
            recursion_limit: 64,
            replay: None,
            tolls: Vec::new(),
            spans: None,
            on_failure: Vec::new(),
            on_change: Vec::new(),
            on_lifecycle: Vec::new(),
            dead_events: DeadEvents::Ignore,
            runtime: None,
            token: None,
        }
    }
}

impl Options {
    /// What is measured of a signal.
    pub(crate) fn meters(&self) -> Meters {
        Meters::new(&self.board, self.level)
    }

    /// Makes the lanes of a signal whose events run in the order of their keys, and refuses what cannot be had beside it.
    pub(crate) fn use_lanes(
        &mut self,
        keyed: bool,
        lanes: Option<usize>,
    ) -> Result<(), OptionError> {
        let refuse = |option, value: &dyn fmt::Display, expected| {
            Err(OptionError::new(option, value, expected))
        };
        match (keyed, lanes) {
            (false, None) => return Ok(()),
            (false, Some(lanes)) => {
                return refuse(
                    "lanes",
                    &lanes,
                    "it takes `keyed_by` beside it, which says what the key of an event is",
                );
            }
            (true, Some(lanes)) if self.pool.is_some() => {
                return refuse(
                    "lanes",
                    &format!("{lanes} with a pool"),
                    "the permits of the signal's pool, its own or that of its bus, are its lanes: leave `lanes` out",
                );
            }
            (true, _) => {}
        }
        if self.overflow == Overflow::DropOldest {
            return refuse(
                "overflow",
                &"DropOldest with `keyed_by`",
                "it takes `Wait`, `WaitUpTo`, `Reject` or `DropNewest`: an event that has its place in the order keeps it",
            );
        }
        if self.enqueue_concurrency != 1 {
            return refuse(
                "enqueue_concurrency",
                &format!("{} with `keyed_by`", self.enqueue_concurrency),
                "`lanes` says how many keys run at once",
            );
        }
        if self.pool.is_none() {
            let lanes = lanes.unwrap_or(DEFAULT_LANES);
            check_lanes(lanes)?;
            self.dispatch.get_or_insert(Dispatch::Concurrent);
            self.pool = Some(Pool::builder(lanes).try_build()?);
            self.own_lanes = true;
        }
        Ok(())
    }

    /// What the buffer is like, as far as it does not depend on the event.
    pub(crate) fn shape<E>(&self) -> Shape<E> {
        let mut shape = Shape::new(self.buffer, self.overflow);
        shape.marks = self.marks.unwrap_or(shape.marks);
        shape
    }

    /// The mode in effect: what was asked for, or the default with or without a pool.
    pub(crate) fn mode(&self) -> Dispatch {
        self.dispatch.unwrap_or(match self.pool {
            Some(_) => Dispatch::Parallel,
            None => Dispatch::Concurrent,
        })
    }

    pub(crate) fn check(&self) -> Result<(), OptionError> {
        check_count(
            "buffer",
            self.buffer,
            1 << 24,
            "it takes 1 to 16,777,216 events",
        )?;
        self.overflow.check()?;
        Board::check(self.level)?;
        if let Some(marks) = self.marks {
            marks.check(self.buffer)?;
        }
        check_count(
            "enqueue_concurrency",
            self.enqueue_concurrency,
            1 << 16,
            "it takes 1 to 65,536 emissions",
        )?;
        check_count(
            "max_detached",
            self.max_detached,
            1 << 24,
            "it takes 1 to 16,777,216 emissions",
        )?;
        check_count(
            "max_background",
            self.max_background,
            1 << 24,
            "it takes 1 to 16,777,216 calls",
        )?;
        check_count(
            "max_listeners",
            self.max_listeners,
            usize::MAX,
            "it takes 1 listener or more",
        )?;
        check_count(
            "recursion_limit",
            self.recursion_limit,
            1_024,
            "it takes 1 to 1,024 nested emissions",
        )?;
        self.replay
            .map_or(Ok(()), |events| check_replay("replay", events))
    }

    /// Where work goes that needs a task: the builder's runtime, or else the one that this code runs in.
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.runtime.clone().or_else(|| Handle::try_current().ok())
    }
}
