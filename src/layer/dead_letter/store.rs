//! Dead letters in memory.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::{Letter, Redrive};
use crate::error::{BoxError, OptionError, check_count};
use crate::sync::Mutex;

/// Dead letters in memory, to look at and to redrive. Cheap to clone; clones are the same store. It may serve any number of listeners, signals and buses.
///
/// Bounded: when it is full, a further letter is not taken, and the call's failure says so. What is in it is gone when the process ends.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use fanfare::Signal;
/// use fanfare::layer::{DeadLetter, DeadLetters};
///
/// let letters = DeadLetters::new(1_000);
/// let up = Arc::new(AtomicBool::new(false));
/// let signal = Signal::<u32>::new();
/// let is_up = Arc::clone(&up);
/// signal
///     .listen()
///     .dead_letter(DeadLetter::keep(&letters))
///     .try_on(async move |_| if is_up.load(Ordering::Relaxed) { Ok(()) } else { Err("down".into()) })?;
/// let _ = signal.emit(7).await;
/// assert_eq!(letters.letters()[0].event::<u32>(), Some(&7));
///
/// up.store(true, Ordering::Relaxed);
/// let redriven = letters.redrive().filter(|letter| letter.redrives() < 3).rate(100).await;
/// assert_eq!((redriven.delivered(), letters.len()), (1, 0));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DeadLetters {
    inner: Arc<Store>,
}

struct Store {
    capacity: usize,
    kept: Mutex<Shelf>,
}

/// Letters in the order in which they came, each with its number.
#[derive(Default)]
struct Shelf {
    letters: VecDeque<(u64, Letter)>,
    came: u64,
}

impl DeadLetters {
    /// A store of so many letters. From 1 to 16,777,216. See [`DeadLetters`](crate::layer::DeadLetters).
    ///
    /// # Panics
    ///
    /// Where [`try_new`](Self::try_new) returns an error.
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        match Self::try_new(capacity) {
            Ok(letters) => letters,
            Err(error) => panic!("{error}"),
        }
    }

    /// A store of so many letters, or what is wrong with that. See [`DeadLetters`](crate::layer::DeadLetters).
    ///
    /// # Errors
    ///
    /// If the capacity is outside its limits.
    pub fn try_new(capacity: usize) -> Result<Self, OptionError> {
        check_count(
            "dead_letters",
            capacity,
            1 << 24,
            "it takes 1 to 16,777,216 letters",
        )?;
        Ok(Self {
            inner: Arc::new(Store {
                capacity,
                kept: Mutex::default(),
            }),
        })
    }

    /// How many there are. See [`DeadLetters`](crate::layer::DeadLetters).
    pub fn len(&self) -> usize {
        self.inner.kept.lock().letters.len()
    }

    /// Whether there are none. See [`DeadLetters`](crate::layer::DeadLetters).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there is room for. See [`DeadLetters`](crate::layer::DeadLetters).
    pub fn capacity(&self) -> usize {
        self.inner.capacity
    }

    /// All of them, oldest first; they stay. O(n). See [`DeadLetters`](crate::layer::DeadLetters).
    pub fn letters(&self) -> Vec<Letter> {
        let kept = self.inner.kept.lock();
        kept.letters.iter().map(|(_, it)| it.clone()).collect()
    }

    /// Takes out those that `which` picks, oldest first: to throw away, or to put elsewhere. O(n). See [`DeadLetters`](crate::layer::DeadLetters).
    pub fn take(&self, which: impl Fn(&Letter) -> bool) -> Vec<Letter> {
        // No user code runs under the lock.
        let picked: Vec<Letter> = self.letters().into_iter().filter(|l| which(l)).collect();
        let taken = |l: &Letter| self.take_one(l).is_some();
        picked.into_iter().filter(taken).collect()
    }

    /// Starts to give letters back to their listeners. See [`Redrive`].
    pub fn redrive(&self) -> Redrive {
        Redrive::new(self.clone())
    }

    /// Takes a letter, if there is room.
    pub(super) fn put(&self, letter: Letter) -> Result<(), BoxError> {
        let mut kept = self.inner.kept.lock();
        if kept.letters.len() >= self.inner.capacity {
            let capacity = self.inner.capacity;
            return Err(format!("the dead letters are full: they take {capacity}").into());
        }
        let number = kept.came;
        kept.came += 1;
        kept.letters.push_back((number, letter));
        Ok(())
    }

    /// Takes this very letter out, and says which number it had. `None` if somebody else has taken it.
    pub(super) fn take_one(&self, letter: &Letter) -> Option<u64> {
        let mut kept = self.inner.kept.lock();
        let call = letter.delivery.call();
        let same = |(_, other): &(u64, Letter)| Arc::ptr_eq(other.delivery.call(), call);
        let place = kept.letters.iter().position(same);
        let taken = place.and_then(|place| kept.letters.remove(place));
        drop(kept);
        taken.map(|(number, _)| number)
    }

    /// Puts a letter back where it was, that was not delivered for no fault of its own. There was room for it a moment ago.
    pub(super) fn put_back(&self, number: u64, letter: Letter) {
        let letters = &mut self.inner.kept.lock().letters;
        let place = letters.partition_point(|(other, _)| *other < number);
        letters.insert(place, (number, letter));
    }
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
