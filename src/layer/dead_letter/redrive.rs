//! Giving letters back to their listeners.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::{DeadLetters, Letter};
use crate::clock::{self, sleep_until};
use crate::layer::station::CameBack;

/// Gives letters back to their listeners, one after another, when it is awaited. [`DeadLetters::redrive`] makes it, and shows how.
///
/// It takes on those letters that are there when it begins. One that fails again is a new letter, which this redrive leaves alone. One whose listener could not be called, or whose call ended
/// in a way that makes no new letter (cancelled, skipped, a failure that the dead letter does not take), goes back.
///
/// # Cancel safety
///
/// A letter is taken out just before its call. A call that is under way when this is dropped goes on, and makes a new letter if it fails.
#[must_use = "a redrive does nothing unless it is awaited"]
pub struct Redrive {
    letters: DeadLetters,
    wanted: Option<Pick>,
    per_second: Option<u32>,
    most: usize,
}

type Pick = Box<dyn Fn(&Letter) -> bool + Send>;

impl Redrive {
    pub(super) fn new(letters: DeadLetters) -> Self {
        Self {
            letters,
            wanted: None,
            per_second: None,
            most: usize::MAX,
        }
    }

    /// Takes only those that `wanted` says yes to. Default: all. See [`DeadLetters`].
    pub fn filter(mut self, wanted: impl Fn(&Letter) -> bool + Send + 'static) -> Self {
        self.wanted = Some(Box::new(wanted));
        self
    }

    /// At most so many a second, evenly: a call that took long is not made up for. Default: as fast as their listeners take them; 0 is taken as 1. See [`DeadLetters`].
    pub fn rate(mut self, per_second: u32) -> Self {
        self.per_second = Some(per_second.max(1));
        self
    }

    /// At most so many in all. Default: all that are there. See [`DeadLetters`].
    pub fn limit(mut self, letters: usize) -> Self {
        self.most = letters;
        self
    }

    async fn run(self) -> Redriven {
        let mut redriven = Redriven::default();
        let wanted = |letter: &Letter| self.wanted.as_ref().is_none_or(|wanted| wanted(letter));
        let letters = self.letters.letters().into_iter();
        let picked: Vec<Letter> = letters.filter(wanted).take(self.most).collect();
        let every = self.per_second.map(|rate| Duration::from_secs(1) / rate);
        let mut next = clock::now();
        for letter in picked {
            if let Some(every) = every {
                sleep_until(next).await;
                next = clock::now() + every;
            }
            let Some(number) = self.letters.take_one(&letter) else {
                continue;
            };
            match letter.give_back().await {
                Ok(CameBack { cause: None, .. }) => redriven.delivered += 1,
                Ok(CameBack { letter: true, .. }) => redriven.failed += 1,
                _ => {
                    redriven.left += 1;
                    self.letters.put_back(number, letter);
                }
            }
        }
        redriven
    }
}

impl IntoFuture for Redrive {
    type Output = Redriven;
    type IntoFuture = Pin<Box<dyn Future<Output = Redriven> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Redrive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redrive")
            .field("per_second", &self.per_second)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

/// What a [`Redrive`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    delivered: usize,
    failed: usize,
    left: usize,
}

impl Redriven {
    /// Letters whose listener has succeeded this time. See [`DeadLetters`].
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// Letters whose listener has failed again; each is a new letter. See [`DeadLetters`].
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Letters that are where they were: their listener could not be called, or the call made no new letter. See [`DeadLetters`].
    pub fn left(&self) -> usize {
        self.left
    }
}
