//! What a listener may return.

use std::ops::ControlFlow;

use super::Cause;
use crate::error::BoxError;

/// What a listener's return value means to the emission. A listener may return it directly, for what the other return types cannot say.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Signal, Verdict};
///
/// let signal = Signal::<u32>::new();
/// signal.on(async |n| match n {
///     0 => Verdict::stop(),            // a success; nobody after it is called
///     1..=9 => Verdict::done(),
///     _ => Verdict::failed("too large"),
/// });
/// assert_eq!(signal.emit(12).await.failed(), 1);
/// # }
/// ```
#[derive(Debug)]
pub struct Verdict(pub(crate) Flow);

#[derive(Debug)]
pub(crate) enum Flow {
    Done,
    Break,
    /// The error as the listener gave it, for the layers around it.
    Failed(BoxError),
    Not(Cause),
}

impl Verdict {
    /// The listener succeeded. See [`Verdict`](crate::Verdict).
    pub fn done() -> Self {
        Self(Flow::Done)
    }

    /// The listener succeeded, and no listener that has not started yet is to be called. See [`Verdict`](crate::Verdict).
    pub fn stop() -> Self {
        Self(Flow::Break)
    }

    /// The listener failed. See [`Verdict`](crate::Verdict).
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self(Flow::Failed(error.into()))
    }

    pub(crate) fn not(cause: Cause) -> Self {
        Self(Flow::Not(cause))
    }

    /// Why it is no success, if it is none.
    pub(crate) fn into_cause(self) -> Option<Cause> {
        match self.0 {
            Flow::Done | Flow::Break => None,
            Flow::Failed(error) => Some(Cause::of(error)),
            Flow::Not(cause) => Some(cause),
        }
    }
}

/// What a listener may return: `()`, `Result<(), E>` for any `E: Into<BoxError>`, `ControlFlow<()>`, `Result<ControlFlow<()>, E>`, or `!`.
///
/// `ControlFlow::Break(())` is a success that stops the emission: no listener that has not started yet is called. A type of your own is turned
/// into a [`Verdict`] at the end of the listener.
#[diagnostic::on_unimplemented(
    message = "a listener cannot return `{Self}`",
    label = "not an outcome",
    note = "return `()`, `Result<(), E>` where `E: Into<BoxError>`, or `ControlFlow<()>`",
    note = "to drop a value, end the closure with `;`"
)]
pub trait IntoOutcome {
    /// Says what the value means.
    fn into_outcome(self) -> Verdict;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Verdict {
        Verdict::done()
    }
}

impl IntoOutcome for Verdict {
    fn into_outcome(self) -> Verdict {
        self
    }
}

impl IntoOutcome for ControlFlow<()> {
    fn into_outcome(self) -> Verdict {
        match self {
            Self::Continue(()) => Verdict::done(),
            Self::Break(()) => Verdict::stop(),
        }
    }
}

impl<E: Into<BoxError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Verdict {
        match self {
            Ok(()) => Verdict::done(),
            Err(error) => Verdict::failed(error),
        }
    }
}

impl<E: Into<BoxError>> IntoOutcome for Result<ControlFlow<()>, E> {
    fn into_outcome(self) -> Verdict {
        match self {
            Ok(flow) => flow.into_outcome(),
            Err(error) => Verdict::failed(error),
        }
    }
}

/// Names the type `!` on stable Rust, where it cannot be written outside a return type.
mod never {
    pub trait Returns {
        type Type;
    }

    impl<T> Returns for fn() -> T {
        type Type = T;
    }
}

/// A listener that only panics returns `!`.
impl IntoOutcome for <fn() -> ! as never::Returns>::Type {
    fn into_outcome(self) -> Verdict {
        self
    }
}
