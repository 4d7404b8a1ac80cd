//! The config, which is the layer.

use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::DeadlineService;
use crate::layer::live::LiveTime;

/// Ends a call, with all its attempts and the waits between them, that takes longer than this.
///
/// Its place is outside the retry: a timeout of one attempt is [`Timeout`](crate::layer::Timeout)'s, which must be shorter. Counted from when the call begins. The
/// listener sees it as [`Delivery::deadline`](crate::Delivery::deadline), and the retry begins no wait that would end after it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::time::Duration;
/// use fanfare::{Outcome, Signal};
/// use fanfare::layer::Retry;
///
/// let signal = Signal::<u32>::new();
/// signal
///     .listen()
///     .deadline(Duration::from_secs(10))
///     .retry(Retry::constant(Duration::from_secs(1)).max_attempts(100))
///     .timeout(Duration::from_secs(3))
///     .on(async |_| std::future::pending::<()>().await)?;
/// let begun = tokio::time::Instant::now();
/// assert_eq!(signal.emit(1).await.count(Outcome::TimedOut), 1);
/// assert_eq!(begun.elapsed(), Duration::from_secs(10));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    given: Duration,
}

impl Deadline {
    /// So long for all attempts together. See [`Deadline`](crate::layer::Deadline).
    pub fn new(given: Duration) -> Self {
        Self { given }
    }

    /// How long. See [`Deadline`](crate::layer::Deadline).
    pub fn given(self) -> Duration {
        self.given
    }
}

impl From<Duration> for Deadline {
    fn from(given: Duration) -> Self {
        Self::new(given)
    }
}

impl<S> Layer<S> for Deadline {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> DeadlineService<S> {
        DeadlineService::new(inner, Arc::new(LiveTime::new(self.given)))
    }
}
