//! Counts that cost nothing: one shard a thread, which that thread alone writes.
//!
//! A shared counter is a locked write of five nanoseconds, and halves the throughput of two cores that share it. Here a thread takes a *seat* for as long as it lives
//! and adds to the shard of its seat with a load and a store. Threads beyond the seats share one more shard and pay for it.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::{AtomicU64, Ordering, lazy_static, thread_local};

/// What one thread has counted; alone on its cache line.
#[derive(Default)]
#[repr(align(64))]
struct Shard {
    begun: AtomicU64,
    done: AtomicU64,
    last: AtomicU64,
}

/// What emissions have done, by the thread that counted it.
pub(crate) struct Shards(Box<[Shard]>);

/// The sum over all threads.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum {
    /// Emissions that have begun.
    pub(crate) begun: u64,
    /// Calls that succeeded.
    pub(crate) done: u64,
    /// The largest value that was noted.
    pub(crate) last: u64,
}

impl Shards {
    pub(crate) fn new() -> Self {
        // One for each seat, and the one that is shared.
        Self((0..=seats()).map(|_| Shard::default()).collect())
    }

    /// Counts an emission. True for the first that this thread counts here.
    #[inline]
    pub(crate) fn begin(&self, seat: Seat) -> bool {
        let (shard, own) = self.shard(seat);
        add(&shard.begun, 1, own) == 0
    }

    /// How many emissions were counted for this seat.
    pub(crate) fn begun(&self, seat: Seat) -> u64 {
        self.shard(seat).0.begun.load(Ordering::Relaxed)
    }

    /// Counts calls that succeeded.
    #[inline]
    pub(crate) fn done(&self, seat: Seat, calls: u64) {
        let (shard, own) = self.shard(seat);
        add(&shard.done, calls, own);
    }

    /// Notes a value that grows.
    pub(crate) fn note(&self, seat: Seat, last: u64) {
        // Two threads that share a shard may note in the wrong order: they differ by less than what the clock tells apart.
        self.shard(seat).0.last.store(last, Ordering::Relaxed);
    }

    /// What all threads have counted. Exact for what happened before.
    pub(crate) fn sum(&self) -> Sum {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.0.iter().fold(Sum::default(), |sum, shard| Sum {
            begun: sum.begun + read(&shard.begun),
            done: sum.done + read(&shard.done),
            last: sum.last.max(read(&shard.last)),
        })
    }

    /// The shard of a seat, and whether its thread alone writes it.
    #[inline]
    fn shard(&self, seat: Seat) -> (&Shard, bool) {
        let shared = self.0.len() - 1;
        let place = seat.0.min(shared);
        (&self.0[place], place < shared)
    }
}

/// Adds, and says what was there before.
#[inline]
fn add(counter: &AtomicU64, n: u64, own: bool) -> u64 {
    if own || cfg!(fanfare_plant = "shard-is-shared") {
        // Nobody else writes it. Who had the seat before has handed it on under a lock.
        let before = counter.load(Ordering::Relaxed);
        counter.store(before + n, Ordering::Relaxed);
        before
    } else {
        counter.fetch_add(n, Ordering::Relaxed)
    }
}

/// Where a thread counts.
#[derive(Clone, Copy)]
pub(crate) struct Seat(usize);

const STANDING: usize = usize::MAX;
const NEW: usize = usize::MAX - 1;

thread_local! {
    static SEAT: Cell<usize> = const { Cell::new(NEW) };
    static TICK: Cell<u32> = const { Cell::new(0) };
    /// Gives the seat back when the thread ends.
    static HELD: Held = const { Held(Cell::new(STANDING)) };
}

lazy_static! {
    /// The standard library's lock in the models too: what a model leaves behind at its end cannot wait.
    static ref FREE: Mutex<Vec<usize>> = Mutex::new((0..seats()).rev().collect());
}

struct Held(Cell<usize>);

impl Drop for Held {
    fn drop(&mut self) {
        // Whatever counts here after this stands.
        let _ = SEAT.try_with(|seat| seat.set(STANDING));
        let seat = self.0.get();
        // The threads of loom may end after its statics.
        if seat < STANDING && !cfg!(fanfare_loom) {
            free().push(seat);
        }
    }
}

impl Seat {
    /// The seat of this thread, taken at its first call.
    #[inline]
    pub(crate) fn of_this_thread() -> Self {
        let seat = SEAT.get();
        if seat == NEW {
            Self::take()
        } else {
            Self(seat)
        }
    }

    #[cold]
    fn take() -> Self {
        // A thread that ends has no place to say that it has left: it stands.
        let seat = HELD.try_with(|held| {
            let seat = free().pop().unwrap_or(STANDING);
            held.0.set(seat);
            seat
        });
        let seat = seat.unwrap_or(STANDING);
        SEAT.set(seat);
        Self(seat)
    }
}

/// True once in `every` calls on this thread.
#[inline]
pub(crate) fn tick(every: u32) -> bool {
    let left = TICK.get();
    TICK.set(left.checked_sub(1).unwrap_or(every - 1));
    left == 0
}

/// How many threads have a shard of their own: twice the cores, as a runtime has a worker for each and others come and go.
fn seats() -> usize {
    static SEATS: OnceLock<usize> = OnceLock::new();
    if cfg!(any(fanfare_loom, fanfare_shuttle)) {
        // A model has few tasks, and some are to stand.
        return 2;
    }
    *SEATS.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (2 * cores).clamp(4, 32)
    })
}

/// The seats that nobody has, the first on top.
fn free() -> MutexGuard<'static, Vec<usize>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn threads_with_and_without_a_seat_count_exactly() {
        let shards = Arc::new(Shards::new());
        let threads: Vec<_> = (0..4 * seats())
            .map(|_| {
                let shards = Arc::clone(&shards);
                thread::spawn(move || {
                    for _ in 0..10_000 {
                        shards.begin(Seat::of_this_thread());
                        shards.done(Seat::of_this_thread(), 3);
                    }
                })
            })
            .collect();
        let threads_begun = threads.len() as u64;
        for thread in threads {
            thread.join().unwrap();
        }
        let sum = shards.sum();
        assert_eq!(sum.begun, 10_000 * threads_begun);
        assert_eq!(sum.done, 30_000 * threads_begun);
    }

    #[test]
    fn a_thread_that_ends_gives_its_seat_back() {
        for _ in 0..10 * seats() {
            let seat = thread::spawn(|| Seat::of_this_thread().0).join().unwrap();
            // The other test takes seats too, for a moment.
            assert!(seat < seats() || seat == STANDING);
        }
        let left: Vec<usize> = free().clone();
        let mut once = left.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), left.len(), "no seat is there twice");
    }
}
