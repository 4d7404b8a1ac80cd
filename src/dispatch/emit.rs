//! The future that `emit` returns.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Emission;
use crate::event::Event;
use crate::outcome::Report;

/// The future of one emission. It resolves to a [`Report`] when every listener has finished.
///
/// It holds the version of the registry that was newest when `emit` was called: poll it or drop it soon.
///
/// # Cancel safety
///
/// Dropping it cancels the listeners that have not finished, at the await point that they are at; those of `Parallel` end at their next one, and
/// blocking ones run to their end with nobody waiting. What was cancelled is counted and told to the failure callbacks. Listeners that had
/// finished stay finished: an emission that is tried again calls them again.
#[must_use = "an emission does nothing unless it is awaited; `emit_detached` and `enqueue` run by themselves"]
pub struct Emit<'a, E: Event> {
    inner: Inner<E>,
    _signal: PhantomData<&'a ()>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "boxing would cost every emission an allocation"
)]
enum Inner<E> {
    /// Nobody is called.
    Nobody(Option<Report>),
    Somebody(Emission<E>),
}

impl<E: Event> Emit<'_, E> {
    pub(crate) fn nobody(report: Report) -> Self {
        Self {
            inner: Inner::Nobody(Some(report)),
            _signal: PhantomData,
        }
    }

    pub(crate) fn of(emission: Emission<E>) -> Self {
        Self {
            inner: Inner::Somebody(emission),
            _signal: PhantomData,
        }
    }

    /// Gives all listeners together this long from now. What has started and not finished then is dropped and reported as
    /// [`TimedOut`](crate::Outcome::TimedOut); what has not started, and blocking listeners whose thread goes on, as
    /// [`Cancelled`](crate::Outcome::Cancelled).
    ///
    /// A listener is ended at an await point: one that never returns from a poll is beyond every mode that runs in a task. Needs tokio's timer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use std::time::Duration;
    /// use fanfare::{Outcome, Signal};
    ///
    /// let signal = Signal::<u32>::new();
    /// signal.on(async |_| std::future::pending::<()>().await);
    /// let report = signal.emit(1).timeout(Duration::from_secs(1)).await;
    /// assert_eq!(report.count(Outcome::TimedOut), 1);
    /// # }
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        if let Inner::Somebody(emission) = &mut self.inner {
            emission.set_deadline(limit);
        }
        self
    }

    /// Cancels the emission when the token fires. What has not finished then is reported as [`Cancelled`](crate::Outcome::Cancelled).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use fanfare::{Outcome, Signal};
    /// use tokio_util::sync::CancellationToken;
    ///
    /// let signal = Signal::<u32>::new();
    /// signal.on(async |_| std::future::pending::<()>().await);
    /// let token = CancellationToken::new();
    /// token.cancel();
    /// let report = signal.emit(1).cancel_on(token).await;
    /// assert_eq!(report.count(Outcome::Cancelled), 1);
    /// # }
    /// ```
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        if let Inner::Somebody(emission) = &mut self.inner {
            emission.set_token(token);
        }
        self
    }
}

/// Nothing in it is pinned: listeners that suspend have a place of their own.
impl<E: Event> Unpin for Emit<'_, E> {}

impl<E: Event> Future for Emit<'_, E> {
    type Output = Report;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Report> {
        match &mut self.inner {
            Inner::Nobody(report) => Poll::Ready(
                report
                    .take()
                    .expect("an emission is not polled after it was ready"),
            ),
            Inner::Somebody(emission) => emission.poll(cx),
        }
    }
}

impl<E: Event> fmt::Debug for Emit<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit")
            .field("event", &std::any::type_name::<E>())
            .finish_non_exhaustive()
    }
}
