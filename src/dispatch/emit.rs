//! The future that `emit` returns.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;

use super::emission::List;
use super::{Core, Emission, Pass};
use crate::buffer::Queued;
use crate::event::{Delivery, Event, Headers};
use crate::keyed::Turn;
use crate::listener::Payload;
use crate::outcome::Report;
use crate::pool::Permit;
use crate::registry::{Registry, Snapshot};

pin_project! {
    /// The future of one emission. It resolves to a [`Report`] when every listener has finished.
    ///
    /// It calls the listeners that were registered when `emit` was called, whenever it is polled for the first time. If listeners were added or removed in between, that
    /// poll makes the list of then: O(n), with an allocation. Of those that were removed before it, the latest 64 are reported as skipped.
    ///
    /// The first call that suspends lives in it, so it is not `Unpin`: `pin!` it to poll it by reference.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the listeners that have not finished, at the await point that they are at; those of `Parallel` end at their next one, and
    /// blocking ones run to their end with nobody waiting. What was cancelled is counted and told to the failure callbacks. Listeners that had
    /// finished stay finished: an emission that is tried again calls them again.
    #[must_use = "an emission does nothing unless it is awaited; `emit_detached` and `enqueue` run by themselves"]
    pub struct Emit<'a, E: Event> {
        #[pin]
        emission: Emission<'a, E>,
    }
}

impl<'a, E: Event> Emit<'a, E> {
    #[inline(always)]
    pub(crate) fn new(
        core: &'a Arc<Core>,
        registry: Option<&'a Arc<Registry<E>>>,
        event: E,
    ) -> Self {
        Self {
            emission: Emission::new(core, registry, event),
        }
    }

    /// The same, with the list of this number.
    #[inline(always)]
    pub(crate) fn numbered(
        core: &'a Arc<Core>,
        registry: &'a Arc<Registry<E>>,
        number: u64,
        event: E,
    ) -> Self {
        let (list, payload) = (List::Number(number), Payload::new(event));
        Self {
            emission: Emission::to(core, Some(registry), list, payload),
        }
    }

    /// Gives all listeners together this long from now. What has started and not finished then is dropped and reported as
    /// [`TimedOut`](crate::Outcome::TimedOut); what has not started, and plain blocking listeners whose thread goes on, as
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
        self.emission.set_deadline(limit);
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
        self.emission.set_token(token);
        self
    }

    /// Sends a header along, to the listeners that take a [`Delivery`](crate::Delivery), and to layers and services.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.listen().with_delivery().on(async |_, delivery| assert_eq!(delivery.header("tenant"), Some("acme")))?;
    /// assert!(signal.emit(1).header("tenant", "acme").await.is_ok());
    /// # Ok(()) }
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.emission.envelope().set_header(name, value);
        self
    }

    /// Sends headers along. See [`header`](Self::header).
    pub fn headers(mut self, headers: &Headers) -> Self {
        let envelope = self.emission.envelope();
        for (name, value) in headers.iter() {
            envelope.set_header(name, value);
        }
        self
    }

    /// Says what the event belongs to: a request, an order. Default: what it [inherits](crate::Delivery::causation_id). Shown by
    /// [`Delivery::correlation_id`](crate::Delivery::correlation_id).
    pub fn correlation_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.emission.envelope().correlation = Some(id.into());
        self
    }

    /// Says that the event is emitted because of another, where the code does not run in the listener of that one: in a task that it has spawned, say.
    /// See [`Delivery::causation_id`](crate::Delivery::causation_id).
    pub fn caused_by(mut self, delivery: &Delivery) -> Self {
        self.emission.envelope().caused_by(delivery.envelope());
        self
    }
}

impl<E: Event> Future for Emit<'_, E> {
    type Output = Report;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Report> {
        self.project().emission.poll(cx)
    }
}

impl<E: Event> fmt::Debug for Emit<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit")
            .field("event", &std::any::type_name::<E>())
            .finish_non_exhaustive()
    }
}

/// An emission that was let in and has a task of its own.
pub(crate) struct Detached<E: Event> {
    core: Arc<Core>,
    registry: Arc<Registry<E>>,
    /// Taken by the first poll.
    parts: Option<(Arc<Snapshot<E>>, E, Pass)>,
    /// The turn of the event's key, and a permit, if it has them already.
    turn: Option<(Turn<Queued<E>>, Permit)>,
}

impl<E: Event> Detached<E> {
    pub(crate) fn new(
        core: &Arc<Core>,
        registry: &Arc<Registry<E>>,
        list: Arc<Snapshot<E>>,
        event: E,
        pass: Pass,
    ) -> Self {
        Self {
            core: Arc::clone(core),
            registry: Arc::clone(registry),
            parts: Some((list, event, pass)),
            turn: None,
        }
    }

    pub(crate) fn in_turn(mut self, turn: Turn<Queued<E>>, permit: Permit) -> Self {
        self.turn = Some((turn, permit));
        self
    }

    pub(crate) async fn run(mut self) -> Report {
        let parts = self.parts.take().expect("it runs once");
        let turn = self.turn.take();
        let emission = self.emission(parts);
        let mut emission = pin!(match turn {
            Some((turn, permit)) => emission.in_turn(turn, permit),
            None => emission,
        });
        poll_fn(|cx| emission.as_mut().poll(cx)).await
    }

    fn emission(&self, (snapshot, event, pass): (Arc<Snapshot<E>>, E, Pass)) -> Emission<'_, E> {
        let list = List::Kept(snapshot);
        Emission::to(&self.core, Some(&self.registry), list, Payload::new(event)).in_task(pass)
    }
}

impl<E: Event> Drop for Detached<E> {
    fn drop(&mut self) {
        // The runtime has ended before the first poll: it is reported as any emission that is dropped.
        if let Some(parts) = self.parts.take() {
            drop(self.emission(parts));
        }
    }
}
