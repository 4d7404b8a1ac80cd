//! Where the frame of the innermost call is found: a thread-local pointer. `current_model.rs` is its twin for the model checkers.

use std::cell::Cell;

use super::{Frame, Outer};

/// The place of a call, which may change while its frame is the innermost.
pub(crate) type PlaceCell = Cell<usize>;

scoped_tls_hkt::scoped_thread_local!(static FRAME: for<'a> &'a Frame<'a>);

/// Runs `code` with this as the innermost call.
#[inline]
pub(super) fn enter<R>(frame: &Frame<'_>, code: impl FnOnce() -> R) -> R {
    FRAME.set(frame, code)
}

/// Runs `code` with what this thread's innermost call is.
#[inline]
pub(crate) fn within<R>(code: impl FnOnce(Outer<'_>) -> R) -> R {
    if FRAME.is_set() {
        FRAME.with(|frame| code(Outer::Frame(frame)))
    } else {
        code(Outer::Nothing)
    }
}
