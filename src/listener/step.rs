//! How far a call has come.

use std::sync::Arc;

use crate::error::BoxError;
use crate::outcome::{Cause, Flow, Verdict};

/// How far a call has come. Two words, so that it is handed back in registers; the rare case is boxed.
#[derive(Debug)]
pub(crate) enum Step {
    /// It succeeded.
    Done,
    /// It succeeded, and nobody after it is to be called.
    Break,
    /// It has suspended; its future is in the slot.
    Pending,
    /// It is not to be called without a further look.
    NotPlain,
    /// Its filter keeps it from being called.
    Refused(Box<Cause>),
    /// It did not succeed.
    Not(Box<Cause>),
}

impl Step {
    #[cold]
    pub(crate) fn not(cause: Cause) -> Self {
        Self::Not(Box::new(cause))
    }

    #[cold]
    fn failed(error: BoxError) -> Self {
        Self::not(Cause::of(error))
    }

    #[cold]
    pub(crate) fn panicked(message: Arc<str>) -> Self {
        Self::not(Cause::Panicked(message))
    }
}

impl From<Verdict> for Step {
    #[inline]
    fn from(verdict: Verdict) -> Self {
        match verdict.0 {
            Flow::Done => Self::Done,
            Flow::Break => Self::Break,
            Flow::Failed(error) => Self::failed(error),
            Flow::Not(cause) => Self::not(cause),
        }
    }
}
