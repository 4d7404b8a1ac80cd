//! What a window is.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::by_count::ByCount;
use super::by_time::ByTime;
use super::debounce::Debounce;
use super::machine::{Machine, Span};
use super::stages::Stage;
use super::throttle::throttle;
use super::timed::Timed;
use super::{Derived, Upstream, Windowed};
use crate::error::{OptionError, check_count};
use crate::event::Event;
use crate::sync::AtomicU64;

/// How many events a window by time has room for, unless it says otherwise.
const AT_MOST: usize = 10_000;
/// A window has no more events than this, and lasts no longer.
const MOST: usize = 1 << 24;
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
const SHORTEST: Duration = Duration::from_millis(1);
/// An event is in at most so many windows by time.
const OVERLAP: u32 = 1_000;

/// Which events make a window, by count or by time; [tumbling](Self::count), each event in one window, or [sliding](Self::every), where windows overlap.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fanfare::{Signal, Window};
///
/// let signal = Signal::<f64>::new();
/// let hundreds = signal.window(Window::count(100));
/// let moving = signal.window(Window::count(100).every(1));           // the last 100, at each event
/// let minutes = signal.window(Window::time(Duration::from_secs(60)));
/// let refused = signal.try_window(Window::count(0)).unwrap_err();
/// assert_eq!(refused.option(), "count");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a window is what `window` takes"]
pub struct Window<Of = usize> {
    of: Of,
    every: Option<Of>,
    at_most: Option<usize>,
}

impl Window<usize> {
    /// A window of so many events. Tumbling: the next begins when it is complete. From 1 to 16,777,216. See [`Window`].
    pub fn count(events: usize) -> Self {
        Self {
            of: events,
            every: None,
            at_most: None,
        }
    }

    /// Makes it sliding: after each `events` events a window of the last ones, which are fewer at the beginning. Default: as many as are in it; from 1 to that. See [`Window`].
    pub fn every(mut self, events: usize) -> Self {
        self.every = Some(events);
        self
    }
}

impl Window<Duration> {
    /// A window of so much time. Tumbling: it begins with an event, and the next with the first event after its end. From 1 ms to 365 days. See [`Window`](crate::Window).
    ///
    /// An event that comes as a window ends is in the next one.
    pub fn time(length: Duration) -> Self {
        Self {
            of: length,
            every: None,
            at_most: None,
        }
    }

    /// Makes it sliding: each `step` a window of the last events, from the first event on until there are none. Default: its length; from a thousandth of that, and 1 ms, to
    /// that. See [`Window`](crate::Window).
    pub fn every(mut self, step: Duration) -> Self {
        self.every = Some(step);
        self
    }

    /// How many events it has room for. Of more, the oldest fall out, which [`Windowed::missed`] counts. Default: 10,000; from 1 to 16,777,216. See [`Window`](crate::Window).
    pub fn at_most(mut self, events: usize) -> Self {
        self.at_most = Some(events);
        self
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for usize {}
    impl Sealed for std::time::Duration {}
}

/// What a [`Window`] is measured in: a number of events, `usize`, or a `Duration`.
pub trait Measure: sealed::Sealed + Copy {
    #[doc(hidden)]
    fn derive<E: Event>(
        window: &Window<Self>,
        from: Windowing<'_, E>,
    ) -> Result<Derived<Windowed<E>>, OptionError>;
}

/// What is put into windows.
pub struct Windowing<'a, E: Event> {
    upstream: &'a Upstream<E>,
    at: &'static Location<'static>,
}

impl Measure for usize {
    fn derive<E: Event>(
        window: &Window,
        from: Windowing<'_, E>,
    ) -> Result<Derived<Windowed<E>>, OptionError> {
        let size = window.of;
        check_count("count", size, MOST, "it takes 1 to 16,777,216 events")?;
        let every = window.every.unwrap_or(size);
        check_count(
            "every",
            every,
            size,
            "it takes 1 event to as many as the window has",
        )?;
        Ok(from.derive(move || ByCount::new(size, every)))
    }
}

impl Measure for Duration {
    fn derive<E: Event>(
        window: &Window<Self>,
        from: Windowing<'_, E>,
    ) -> Result<Derived<Windowed<E>>, OptionError> {
        let length = window.of;
        check_time("time", length)?;
        let step = window.every.unwrap_or(length);
        if step < SHORTEST || step < length / OVERLAP || step > length {
            let value = format!("{step:?} of a window of {length:?}");
            let expected = "it takes a thousandth of the window, and 1 ms, to the whole of it";
            return Err(OptionError::new("every", value, expected));
        }
        let at_most = window.at_most.unwrap_or(AT_MOST);
        check_count("at_most", at_most, MOST, "it takes 1 to 16,777,216 events")?;
        Ok(from.derive(move || ByTime::new(length, step, at_most)))
    }
}

/// Checks how long a stage waits.
pub(super) fn check_time(option: &'static str, time: Duration) -> Result<(), OptionError> {
    if (SHORTEST..=LONGEST).contains(&time) {
        Ok(())
    } else {
        Err(OptionError::new(
            option,
            format!("{time:?}"),
            "it takes 1 ms to 365 days",
        ))
    }
}

impl<E: Event> Windowing<'_, E> {
    fn derive<M>(self, start: impl Fn() -> M + Send + Sync + 'static) -> Derived<Windowed<E>>
    where
        M: Machine<Item = Arc<E>, Out = Span<Arc<E>>>,
    {
        let held_back = Arc::<AtomicU64>::default();
        let source = Timed {
            source: Arc::clone(&self.upstream.source),
            start: Box::new(start),
            take: |event| Arc::new(event.into_owned()),
            finish: Windowed::of,
            held_back: Arc::clone(&held_back),
        };
        self.upstream
            .derive_state("window", self.at, Arc::new(source), held_back)
    }
}

impl<E: Event> Upstream<E> {
    pub(super) fn window<Of: Measure>(
        &self,
        at: &'static Location<'static>,
        window: &Window<Of>,
    ) -> Result<Derived<Windowed<E>>, OptionError> {
        Of::derive(window, Windowing { upstream: self, at })
    }

    pub(super) fn debounce(
        &self,
        at: &'static Location<'static>,
        quiet: Duration,
    ) -> Result<Derived<E>, OptionError> {
        check_time("debounce", quiet)?;
        let held_back = Arc::<AtomicU64>::default();
        let source = Timed {
            source: Arc::clone(&self.source),
            start: Box::new(move || Debounce::new(quiet)),
            take: |event: Cow<'_, E>| event.into_owned(),
            finish: |event| event,
            held_back: Arc::clone(&held_back),
        };
        Ok(self.derive_state("debounce", at, Arc::new(source), held_back))
    }

    pub(super) fn throttle(
        &self,
        at: &'static Location<'static>,
        every: Duration,
    ) -> Result<Derived<E>, OptionError> {
        check_time("throttle", every)?;
        let held_back = Arc::<AtomicU64>::default();
        let source = Stage {
            source: Arc::clone(&self.source),
            before: throttle(every, Arc::clone(&held_back)),
        };
        Ok(self.derive_state("throttle", at, Arc::new(source), held_back))
    }
}
