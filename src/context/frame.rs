//! The chain of calls: which listeners the code that runs here was called by.
//!
//! A thread-local points to the [`Frame`] of the innermost call that is being polled, which lives on the stack of whoever polls; frames point outwards. So a call costs one
//! write, of its place, and a pass over all listeners of an emission one pointer. What goes to another task or thread takes the chain along as [`Link`]s.

use std::sync::Arc;

use super::Lease;
use super::current::{self, PlaceCell, within};

/// The calls that a frame can be in.
pub(crate) trait Calls {
    /// The id of the listener at a place.
    fn listener(&self, place: usize) -> u64;
    /// The id of the signal.
    fn signal(&self) -> u64;
    /// The name of the signal.
    fn name(&self) -> &Arc<str>;
}

/// One call while it is polled.
pub(crate) struct Frame<'a> {
    pub(crate) calls: &'a dyn Calls,
    /// Which of them it is.
    pub(crate) place: PlaceCell,
    /// The permit that the listener runs on, if its signal has a pool.
    pub(crate) lease: Option<&'a Arc<Lease>>,
    /// The number of the version that this poll has in hand, or zero.
    pub(crate) version: u64,
    /// The call is marked as running.
    pub(crate) marked: bool,
    /// Its emission is counted as inside the signal.
    pub(crate) inside: bool,
    /// The key whose turn the emission has, or waits for, as bits; zero if there is none.
    pub(crate) turn: u64,
    /// 1 for a call of an emission that no listener made.
    pub(crate) depth: usize,
    pub(crate) outer: Outer<'a>,
}

/// What a call was made in.
#[derive(Clone, Copy)]
pub(crate) enum Outer<'a> {
    Nothing,
    Frame(&'a Frame<'a>),
    Link(&'a Arc<Link>),
}

/// One call that what runs in another task or thread was made in. It has suspended since, or waits in place.
pub(crate) struct Link {
    listener: u64,
    signal: u64,
    name: Arc<str>,
    lease: Option<Arc<Lease>>,
    turn: u64,
    depth: usize,
    outer: Option<Arc<Link>>,
}

impl Frame<'_> {
    /// Runs `code` with this as the innermost call.
    #[inline]
    pub(crate) fn enter<R>(&self, code: impl FnOnce() -> R) -> R {
        if cfg!(fanfare_plant = "context-not-entered") {
            return code();
        }
        current::enter(self, code)
    }
}

/// One call of the chain.
pub(crate) struct Seen<'a> {
    pub(crate) listener: u64,
    pub(crate) signal: u64,
    pub(crate) name: &'a Arc<str>,
    pub(crate) version: u64,
    pub(crate) marked: bool,
    pub(crate) inside: bool,
    pub(crate) turn: u64,
}

impl<'a> Outer<'a> {
    /// The permit that the innermost call runs on.
    pub(crate) fn lease(self) -> Option<&'a Arc<Lease>> {
        match self {
            Self::Nothing => None,
            Self::Frame(frame) => frame.lease,
            Self::Link(link) => link.lease.as_ref(),
        }
    }

    /// How many calls there are around.
    #[inline]
    pub(crate) fn depth(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Frame(frame) => frame.depth,
            Self::Link(link) => link.depth,
        }
    }

    /// The calls around, innermost first.
    pub(crate) fn chain(self) -> impl Iterator<Item = Seen<'a>> {
        let mut next = self;
        std::iter::from_fn(move || match next {
            Self::Nothing => None,
            Self::Frame(frame) => {
                next = frame.outer;
                Some(Seen {
                    listener: frame.calls.listener(frame.place.get()),
                    signal: frame.calls.signal(),
                    name: frame.calls.name(),
                    version: frame.version,
                    marked: frame.marked,
                    inside: frame.inside,
                    turn: frame.turn,
                })
            }
            Self::Link(link) => {
                next = link.outer.as_ref().map_or(Self::Nothing, Self::Link);
                Some(Seen {
                    listener: link.listener,
                    signal: link.signal,
                    name: &link.name,
                    version: 0,
                    marked: true,
                    inside: true,
                    turn: link.turn,
                })
            }
        })
    }

    /// The chain for what goes to another task or thread.
    pub(crate) fn to_link(self) -> Option<Arc<Link>> {
        match self {
            Self::Nothing => None,
            Self::Link(link) => Some(Arc::clone(link)),
            Self::Frame(frame) => Some(Arc::new(Link {
                listener: frame.calls.listener(frame.place.get()),
                signal: frame.calls.signal(),
                name: Arc::clone(frame.calls.name()),
                lease: frame.lease.cloned(),
                turn: frame.turn,
                depth: frame.depth,
                outer: frame.outer.to_link(),
            })),
        }
    }
}

/// Whether the code that runs here was called by a call that `which` picks.
pub(crate) fn is_within(mut which: impl FnMut(&Seen<'_>) -> bool) -> bool {
    within(|outer| outer.chain().any(|seen| which(&seen)))
}

/// How many calls of those around `which` picks.
pub(crate) fn count_within(mut which: impl FnMut(&Seen<'_>) -> bool) -> usize {
    within(|outer| outer.chain().filter(|seen| which(seen)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Called(Arc<str>);

    impl Called {
        fn frame<'a>(&'a self, depth: usize, outer: Outer<'a>) -> Frame<'a> {
            Frame {
                calls: self,
                place: depth.into(),
                lease: None,
                version: 0,
                marked: false,
                inside: false,
                turn: 0,
                depth,
                outer,
            }
        }
    }

    impl Calls for Called {
        fn listener(&self, place: usize) -> u64 {
            10 + place as u64
        }

        fn signal(&self) -> u64 {
            7
        }

        fn name(&self) -> &Arc<str> {
            &self.0
        }
    }

    #[test]
    fn what_runs_in_a_call_finds_the_calls_around_it_and_nothing_after() {
        let called = Called("signal".into());
        let seen = || within(|outer| outer.chain().map(|seen| seen.listener).collect::<Vec<_>>());
        let outer = called.frame(1, Outer::Nothing);
        outer.enter(|| {
            let inner = called.frame(2, Outer::Frame(&outer));
            inner.enter(|| assert_eq!(seen(), [12, 11]));
            assert_eq!(seen(), [11]);
            assert!(is_within(|seen| seen.signal == 7));
        });
        assert!(seen().is_empty());
    }
}
