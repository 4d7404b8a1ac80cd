//! The twin of `current.rs` for the model checkers, which switch between tasks of one thread in the middle of a call: each task has a copy of the frame.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::{Calls, Frame, Lease, Link, Outer};
use crate::sync::thread_local;

/// The place of a call, shared by its frame and the copies of that.
#[derive(Clone)]
pub(crate) struct PlaceCell(Rc<Cell<usize>>);

impl PlaceCell {
    pub(crate) fn new(place: usize) -> Self {
        Self(Rc::new(Cell::new(place)))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.get()
    }

    pub(crate) fn set(&self, place: usize) {
        self.0.set(place);
    }
}

impl From<usize> for PlaceCell {
    fn from(place: usize) -> Self {
        Self::new(place)
    }
}

/// So many listeners of a signal are known by their place. Models have fewer.
const KNOWN: usize = 16;

/// A frame that borrows nothing.
struct Kept {
    listeners: [u64; KNOWN],
    signal: u64,
    name: Arc<str>,
    place: PlaceCell,
    lease: Option<Arc<Lease>>,
    version: u64,
    marked: bool,
    inside: bool,
    turn: u64,
    depth: usize,
    outer: KeptOuter,
}

enum KeptOuter {
    Nothing,
    Frame(Rc<Kept>),
    Link(Arc<Link>),
}

thread_local! {
    static CURRENT: Cell<Option<Rc<Kept>>> = const { Cell::new(None) };
}

/// As the twin's.
pub(super) fn enter<R>(frame: &Frame<'_>, code: impl FnOnce() -> R) -> R {
    struct Reset(Option<Rc<Kept>>);
    impl Drop for Reset {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _reset = Reset(CURRENT.replace(Some(Kept::new(frame))));
    code()
}

/// As the twin's.
pub(crate) fn within<R>(code: impl FnOnce(Outer<'_>) -> R) -> R {
    let Some(kept) = CURRENT.replace(None) else {
        return code(Outer::Nothing);
    };
    CURRENT.set(Some(Rc::clone(&kept)));
    let (mut code, mut result) = (Some(code), None);
    kept.show(&mut |frame| result = code.take().map(|code| code(Outer::Frame(frame))));
    result.expect("a frame is shown once")
}

impl Kept {
    fn new(frame: &Frame<'_>) -> Rc<Self> {
        Rc::new(Self {
            listeners: std::array::from_fn(|place| frame.calls.listener(place)),
            signal: frame.calls.signal(),
            name: Arc::clone(frame.calls.name()),
            place: frame.place.clone(),
            lease: frame.lease.cloned(),
            version: frame.version,
            marked: frame.marked,
            inside: frame.inside,
            turn: frame.turn,
            depth: frame.depth,
            outer: match frame.outer {
                Outer::Nothing => KeptOuter::Nothing,
                Outer::Frame(frame) => KeptOuter::Frame(Self::new(frame)),
                Outer::Link(link) => KeptOuter::Link(Arc::clone(link)),
            },
        })
    }

    /// Makes the frame again, with those around it, for `look`.
    fn show(&self, look: &mut dyn FnMut(&Frame<'_>)) {
        let mut in_outer = |outer: Outer<'_>| {
            look(&Frame {
                calls: self,
                place: self.place.clone(),
                lease: self.lease.as_ref(),
                version: self.version,
                marked: self.marked,
                inside: self.inside,
                turn: self.turn,
                depth: self.depth,
                outer,
            });
        };
        match &self.outer {
            KeptOuter::Nothing => in_outer(Outer::Nothing),
            KeptOuter::Frame(kept) => kept.show(&mut |frame| in_outer(Outer::Frame(frame))),
            KeptOuter::Link(link) => in_outer(Outer::Link(link)),
        }
    }
}

impl Calls for Kept {
    fn listener(&self, place: usize) -> u64 {
        self.listeners.get(place).copied().unwrap_or(0)
    }

    fn signal(&self) -> u64 {
        self.signal
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }
}
