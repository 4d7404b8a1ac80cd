//! The error of an injected failure.

use std::error::Error;
use std::fmt;

/// What a delivery fails with that [`Fault::fail`](crate::layer::Fault::fail) injected a failure into: which seed and which draw it was.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Signal;
/// use fanfare::layer::{Fault, InjectedFault};
///
/// let signal = Signal::<u32>::new();
/// signal.listen().fault(Fault::new().fail(1.0).seed(1234)).on(async |_| {})?;
/// let report = signal.emit(7).await;
/// let error = report.entries()[0].cause().error().unwrap();
/// assert_eq!(error.to_string(), "injected failure (fault seed 1234, draw 1)");
/// let injected: &InjectedFault = error.downcast_ref().unwrap();
/// assert_eq!((injected.seed(), injected.draw()), (1234, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InjectedFault {
    seed: u64,
    draw: u64,
}

impl InjectedFault {
    pub(super) fn new(seed: u64, draw: u64) -> Self {
        Self { seed, draw }
    }

    /// The seed that gives it again. See [`InjectedFault`](crate::layer::InjectedFault).
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of its draw, from 1. See [`InjectedFault`](crate::layer::InjectedFault).
    pub fn draw(&self) -> u64 {
        self.draw
    }
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, draw } = self;
        write!(f, "injected failure (fault seed {seed}, draw {draw})")
    }
}

impl Error for InjectedFault {}
