//! The config, which is the layer.

use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::TimeoutService;
use crate::layer::live::LiveTime;

/// Ends an attempt that takes longer than this.
///
/// Its place is inside the retry and the breaker, to whom a timeout is a failure. The time of all attempts together is [`Deadline`](crate::layer::Deadline)'s.
/// Counted from when the attempt first suspends: until then nothing could end it. Costs no timer for an attempt that does not suspend.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::{Outcome, Signal};
///
/// let signal = Signal::<u32>::new();
/// signal.listen().timeout(Duration::from_secs(1)).on(async |_| std::future::pending::<()>().await)?;
/// assert_eq!(signal.emit(1).await.count(Outcome::TimedOut), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    given: Duration,
}

impl Timeout {
    /// So long for each attempt. See [`Timeout`](crate::layer::Timeout).
    pub fn new(given: Duration) -> Self {
        Self { given }
    }

    /// How long. See [`Timeout`](crate::layer::Timeout).
    pub fn given(self) -> Duration {
        self.given
    }
}

impl From<Duration> for Timeout {
    fn from(given: Duration) -> Self {
        Self::new(given)
    }
}

impl<S> Layer<S> for Timeout {
    type Service = TimeoutService<S>;

    fn layer(&self, inner: S) -> TimeoutService<S> {
        TimeoutService::new(inner, Arc::new(LiveTime::new(self.given)))
    }
}
