//! What is measured, with the feature `metrics`.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use once_cell::race::OnceBox;

use super::level::{self, INHERITED};
use super::recorder::Recorder;
use super::slow::{SlowCall, SlowCalls};
use super::{Distribution, Metrics, Wait};
use crate::clock::{self, Instant};
use crate::error::OptionError;
use crate::key::Identity;
use crate::sync::{AtomicBool, AtomicU32, AtomicUsize, Mutex, Ordering};

pub(crate) use super::Metrics as Level;

/// So many histograms, where nothing else is said: 2.3 MiB.
const SERIES: usize = 256;

/// What the signals of a bus share: the level that they inherit, and room for histograms. Cheap to clone; clones are the same board.
#[derive(Clone)]
pub(crate) struct Board(Arc<Shared>);

struct Shared {
    level: AtomicU32,
    /// How many more histograms may be made.
    left: AtomicUsize,
    /// Held while one is made.
    making: Mutex<()>,
    /// Where those record that have none of their own.
    others: [OnceBox<Recorder>; Kind::COUNT],
    slow: SlowCalls,
    followers: Mutex<Vec<Weak<dyn Follower>>>,
}

/// Told when the level changes that it inherits.
pub(crate) trait Follower: Send + Sync {
    fn level_changed(&self);
}

/// What a histogram is of.
#[derive(Clone, Copy)]
enum Kind {
    Listener,
    Emission,
    Wait(Wait),
}

impl Kind {
    const COUNT: usize = 2 + Wait::ALL.len();

    fn index(self) -> usize {
        match self {
            Self::Listener => 0,
            Self::Emission => 1,
            Self::Wait(wait) => 2 + wait as usize,
        }
    }
}

impl Board {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            level: AtomicU32::new(Metrics::default().to_bits()),
            left: AtomicUsize::new(SERIES),
            making: Mutex::default(),
            others: Default::default(),
            slow: SlowCalls::new(),
            followers: Mutex::default(),
        }))
    }

    /// Before there is any.
    pub(crate) fn set_max_series(&self, series: usize) {
        self.0.left.store(series, Ordering::Relaxed);
    }

    pub(crate) fn set_slow_after(&self, after: Duration) {
        self.0.slow.set_after(after);
    }

    pub(crate) fn slow_calls(&self) -> Vec<SlowCall> {
        self.0.slow.latest()
    }

    pub(crate) fn check(level: Option<Metrics>) -> Result<(), OptionError> {
        level.map_or(Ok(()), Metrics::check)
    }

    /// What a bus was given is what its signals inherit.
    pub(crate) fn take_level(&self, level: &mut Option<Metrics>) {
        if let Some(level) = level.take() {
            self.0.level.store(level.to_bits(), Ordering::Relaxed);
        }
    }

    pub(crate) fn level(&self) -> Metrics {
        Metrics::of_bits(self.0.level.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Sets what the signals inherit, and gives what it was.
    pub(crate) fn set_level(&self, level: Metrics) -> Metrics {
        let before = self.0.level.swap(level.to_bits(), Ordering::SeqCst);
        let followers: Vec<_> = {
            let mut followers = self.0.followers.lock();
            followers.retain(|follower| follower.strong_count() > 0);
            followers.iter().filter_map(Weak::upgrade).collect()
        };
        for follower in followers {
            follower.level_changed();
        }
        Metrics::of_bits(before).unwrap_or_default()
    }

    fn add_follower(&self, follower: Weak<dyn Follower>) {
        let mut followers = self.0.followers.lock();
        if followers.len() == followers.capacity() {
            followers.retain(|follower| follower.strong_count() > 0);
        }
        followers.push(follower);
    }

    /// Whether there is no room for another histogram. After that, a look for one that there is finds it.
    fn is_full(&self) -> bool {
        self.0.left.load(Ordering::Acquire) == 0
    }

    /// The histogram of those that have none of their own.
    fn other(&self, kind: Kind) -> &Recorder {
        self.0.others[kind.index()].get_or_init(|| Box::new(Recorder::new()))
    }

    /// What those recorded that have no histogram of their own: of listeners, of emissions, and of waits.
    pub(crate) fn others(&self) -> (Distribution, Distribution, [Distribution; Wait::ALL.len()]) {
        let read = |kind: Kind| {
            let other = self.0.others[kind.index()].get();
            other.map_or_else(Distribution::default, Recorder::read)
        };
        let waits = Wait::ALL.map(|wait| read(Kind::Wait(wait)));
        (read(Kind::Listener), read(Kind::Emission), waits)
    }
}

/// Where one thing's durations are recorded: a histogram made at the first one for which there is room.
#[derive(Default)]
struct Series(OnceBox<Place>);

/// One of the histograms that there may be. It gives its room back when it is dropped.
struct Place {
    board: Board,
    recorder: Recorder,
}

impl Series {
    /// True if that took a histogram that there was not before.
    fn record(&self, board: &Board, kind: Kind, took: Duration) -> bool {
        let known = self.0.get();
        let place = known.or_else(|| self.made(board));
        match place {
            Some(place) => place.recorder.record(took),
            None => board.other(kind).record(took),
        }
        known.is_none() && place.is_some()
    }

    /// The histogram, if there is room for it or somebody else has just made it. One is made at a time: of two for the same thing, one would take the room of another's.
    #[cold]
    #[inline(never)]
    fn made(&self, board: &Board) -> Option<&Place> {
        if !board.is_full() {
            let making = board.0.making.lock();
            if self.0.get().is_none() && !board.is_full() {
                let _ = self.0.set(Box::new(Place::new(board)));
                board.0.left.fetch_sub(1, Ordering::Release);
            }
            drop(making);
        }
        self.0.get()
    }

    fn read(&self) -> Distribution {
        let place = self.0.get();
        place.map_or_else(Distribution::default, |place| place.recorder.read())
    }
}

impl Place {
    fn new(board: &Board) -> Self {
        Self {
            board: board.clone(),
            recorder: Recorder::new(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.board.0.left.fetch_add(1, Ordering::Relaxed);
    }
}

/// That something was drawn to be timed, an emission or an event that waits, and since when.
///
/// What it is drawn by is its number, scattered: whatever a listener's level, it says whether this one is timed, and of any row of numbers the share is right.
#[derive(Clone, Copy)]
pub(crate) struct Draw {
    scattered: u32,
    began: Instant,
}

impl Draw {
    pub(crate) fn began(self) -> Instant {
        self.began
    }

    pub(crate) fn elapsed(self) -> Duration {
        clock::since(self.began)
    }

    fn hits(self, level: u32) -> bool {
        hits(self.scattered, level)
    }
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): multiples of the golden ratio, which fall apart evenly.
fn scattered(nth: u64) -> u32 {
    let scattered = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    u32::try_from(scattered).expect("the upper half")
}

fn hits(scattered: u32, level: u32) -> bool {
    level::times(level) && (u64::from(scattered) * u64::from(level)) >> 32 == 0
}

/// What is measured of one signal.
pub(crate) struct Meters {
    board: Board,
    own: AtomicU32,
    /// Some listener has, or has had, a level of its own that times it.
    overridden: AtomicBool,
    emissions: Series,
    waits: [Series; Wait::ALL.len()],
    follower: OnceLock<Weak<dyn Follower>>,
}

impl Meters {
    pub(crate) fn new(board: &Board, own: Option<Metrics>) -> Self {
        Self {
            board: board.clone(),
            own: AtomicU32::new(own.map_or(INHERITED, Metrics::to_bits)),
            overridden: AtomicBool::new(false),
            emissions: Series::default(),
            waits: Default::default(),
            follower: OnceLock::new(),
        }
    }

    /// Tells this one from here on when the level changes; and now, in case it has since it was looked at.
    pub(crate) fn follow<F: Follower + 'static>(&self, follower: &Arc<F>) {
        let follower = Arc::downgrade(follower) as Weak<dyn Follower>;
        self.board.add_follower(Weak::clone(&follower));
        let _ = self.follower.set(follower);
        self.level_changed();
    }

    fn level_changed(&self) {
        if let Some(follower) = self.follower.get().and_then(Weak::upgrade) {
            follower.level_changed();
        }
    }

    fn bits(&self) -> u32 {
        match self.own.load(Ordering::Relaxed) {
            INHERITED => self.board.0.level.load(Ordering::Relaxed),
            own => own,
        }
    }

    pub(crate) fn level(&self) -> Metrics {
        Metrics::of_bits(self.bits()).unwrap_or_default()
    }

    /// What it inherits, unless it has a level of its own.
    pub(crate) fn inherited(&self) -> Metrics {
        self.board.level()
    }

    /// Sets the level of the signal, or that it inherits its bus's, and gives what it was.
    pub(crate) fn set_level(&self, level: Option<Metrics>) -> Option<Metrics> {
        let bits = level.map_or(INHERITED, Metrics::to_bits);
        let before = self.own.swap(bits, Ordering::SeqCst);
        self.level_changed();
        Metrics::of_bits(before)
    }

    /// Some listener has a level of its own from here on. One that asks for no more than its signal gives needs no further look.
    pub(crate) fn note_override(&self, level: Option<Metrics>) {
        if !level.is_some_and(|level| level::times(level.to_bits())) {
            return;
        }
        self.overridden.store(true, Ordering::SeqCst);
        self.level_changed();
    }

    /// Whether emissions are to be looked at: some of their calls may be timed.
    pub(crate) fn may_time(&self) -> bool {
        level::times(self.bits()) || self.overridden.load(Ordering::Relaxed)
    }

    /// Whether the emission of this number, as its thread counts them, is looked at.
    pub(crate) fn draw(&self, nth: impl FnOnce() -> u64) -> Option<Draw> {
        let (level, overridden) = (self.bits(), self.overridden.load(Ordering::Relaxed));
        if !overridden && !level::times(level) {
            return None;
        }
        let scattered = scattered(nth());
        (overridden || hits(scattered, level)).then(|| Draw {
            scattered,
            began: clock::now(),
        })
    }

    /// Whether the emission itself is timed.
    pub(crate) fn times(&self, draw: Option<Draw>) -> bool {
        draw.is_some_and(|draw| draw.hits(self.bits()))
    }

    /// Whether a call of a listener is timed, which may have a level of its own.
    pub(crate) fn times_call<'a>(
        &self,
        draw: Option<Draw>,
        own: impl FnOnce() -> Option<&'a Meter>,
    ) -> bool {
        let Some(draw) = draw else { return false };
        let own = own().map_or(INHERITED, |meter| meter.own.load(Ordering::Relaxed));
        draw.hits(if own == INHERITED { self.bits() } else { own })
    }

    pub(crate) fn emission(&self, took: Duration) {
        self.emissions.record(&self.board, Kind::Emission, took);
    }

    pub(crate) fn waited(&self, wait: Wait, took: Duration) {
        self.waits[wait as usize].record(&self.board, Kind::Wait(wait), took);
    }

    /// The event of this number begins to wait.
    pub(crate) fn waits(&self, nth: u64) -> Option<Draw> {
        let draw = self.draw(|| nth);
        draw.filter(|_| self.times(draw))
    }

    /// What was drawn waits no longer.
    pub(crate) fn arrived(&self, wait: Wait, draw: Option<Draw>) {
        if let Some(draw) = draw {
            self.waited(wait, draw.elapsed());
        }
    }

    /// Whether there is no room for another histogram.
    pub(crate) fn is_full(&self) -> bool {
        self.board.is_full()
    }

    /// The call of a listener has ended, which may have no meter if there is no room. True if that took long itself.
    pub(crate) fn call(
        &self,
        meter: Option<&Meter>,
        took: Duration,
        polled: Duration,
        who: impl FnOnce() -> Arc<Identity>,
    ) -> bool {
        let new = if let Some(meter) = meter {
            meter.series.record(&self.board, Kind::Listener, took)
        } else {
            self.board.other(Kind::Listener).record(took);
            false
        };
        let slow = || SlowCall {
            listener: who(),
            ended: clock::now(),
            took,
            polled,
        };
        self.board.0.slow.note(slow, took);
        new
    }

    pub(crate) fn emissions(&self) -> Distribution {
        self.emissions.read()
    }

    pub(crate) fn wait_times(&self, wait: Wait) -> Distribution {
        self.waits[wait as usize].read()
    }
}

/// What is measured of one listener.
#[derive(Default)]
pub(crate) struct Meter {
    own: AtomicU32,
    series: Series,
}

impl Meter {
    pub(crate) fn level(&self) -> Option<Metrics> {
        Metrics::of_bits(self.own.load(Ordering::Relaxed))
    }

    /// Sets the level of the listener, or that it inherits its signal's, and gives what it was.
    pub(crate) fn set_level(&self, level: Option<Metrics>) -> Option<Metrics> {
        let bits = level.map_or(INHERITED, Metrics::to_bits);
        Metrics::of_bits(self.own.swap(bits, Ordering::SeqCst))
    }

    pub(crate) fn durations(&self) -> Distribution {
        self.series.read()
    }
}

/// How long a call was polled, if it is timed. Behind a pointer: few are.
#[derive(Default)]
pub(crate) struct Stopwatch(Option<Box<Duration>>);

impl Stopwatch {
    /// One that runs, and has seen so much.
    pub(crate) fn running(polled: Duration) -> Self {
        Self(Some(Box::new(polled)))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn add(&mut self, polled: Duration) {
        if let Some(sum) = &mut self.0 {
            **sum += polled;
        }
    }

    pub(crate) fn polled(&self) -> Option<Duration> {
        self.0.as_deref().copied()
    }
}
