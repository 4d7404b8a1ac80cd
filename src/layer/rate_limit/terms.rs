//! What calls go by, and the way from what they went by before.

use super::state::{Bucket, FullAt, Kept};
use crate::clock::Instant;
use crate::pool::WhenFull;

/// The settings in effect.
pub(super) struct Terms {
    pub(super) bucket: Bucket,
    pub(super) when_used_up: WhenFull,
    pub(super) words: String,
    /// One more with each change.
    pub(super) number: u64,
    /// The bucket before, and when this one took its place.
    pub(super) before: Option<(Bucket, Instant)>,
}

impl Terms {
    fn is_odd(&self) -> bool {
        self.number % 2 == 1
    }

    /// A state as it is by these terms. It goes by them already, or by those just before.
    pub(super) fn open(&self, kept: Kept) -> FullAt {
        match self.before {
            Some((old, at)) if kept.is_odd() != self.is_odd() => {
                old.carried(kept.state(), self.bucket, at)
            }
            _ => kept.state(),
        }
    }

    pub(super) fn keep(&self, state: FullAt) -> Kept {
        Kept::of(state, self.is_odd())
    }

    /// One step of a state under these terms.
    pub(super) fn step<R>(&self, kept: &mut Kept, step: impl FnOnce(FullAt) -> (FullAt, R)) -> R {
        let (state, result) = step(self.open(*kept));
        *kept = self.keep(state);
        result
    }
}
