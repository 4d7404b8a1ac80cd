//! Events that are emitted if the work that they belong to succeeds.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::Bus;
use crate::error::BoxError;
use crate::event::{Event, Events, IntoEvents};
use crate::listener::Following;
use crate::outcome::{EmitError, Report};
use crate::sync::Mutex;

impl Bus {
    /// Runs `work`, and emits what it has collected in its [`Scope`] if it succeeds: one event after another, in their order, each once the one before is done. If it fails or panics, or is dropped,
    /// they are dropped with it, and nobody is told.
    ///
    /// It is the place for a transaction: what is committed is told, what is rolled back is not. `work` runs in the caller's task, and so do the emissions: inside a listener they inherit its ids.
    ///
    /// # Errors
    ///
    /// The error of `work`. What the listeners did is in the [`Emitted`](crate::Emitted) that it returns: [`into_result`](crate::Emitted::into_result) makes an error of that too.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `work` runs, `work` is dropped where it awaits, and nothing is emitted. Dropped after that, the emission that is under way is cancelled as [`Emit`](crate::Emit) says, and those
    /// whose turn has not come are dropped and logged with their types, although `work` has succeeded.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::BoxError> {
    /// use fanfare::Bus;
    ///
    /// #[derive(Clone)]
    /// struct OrderPlaced { id: u64 }
    ///
    /// let bus = Bus::new();
    /// bus.on(async |order: OrderPlaced| println!("order {}", order.id));
    ///
    /// let id = bus
    ///     .try_defer(async |scope| {
    ///         // begin the transaction, insert the order
    ///         let id = "7".parse()?;
    ///         scope.push(OrderPlaced { id });
    ///         // commit it
    ///         Ok(id)
    ///     })
    ///     .await?          // what the work failed with
    ///     .into_result()?; // what a listener failed with
    /// assert_eq!(id, 7_u64);
    ///
    /// let failed = bus
    ///     .defer(async |scope| {
    ///         scope.push(OrderPlaced { id: 8 });
    ///         Err::<(), _>("rolled back")
    ///     })
    ///     .await;
    /// assert_eq!(failed.unwrap_err(), "rolled back");
    /// assert_eq!(bus.signal::<OrderPlaced>().stats().emissions(), 1);
    /// # Ok(()) }
    /// ```
    pub async fn defer<T, E, F, Fut>(&self, work: F) -> Result<Emitted<T>, E>
    where
        F: FnOnce(Scope) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let scope = Scope::default();
        let open = Open(scope.clone());
        let value = work(scope).await?;
        let mut emitting = Emitting(Following::new(&self.onward(), open.end()));
        let mut reports = Vec::new();
        while let Some(report) = poll_fn(|cx| emitting.poll_next(cx)).await {
            reports.push(report);
        }
        Ok(Emitted { value, reports })
    }

    /// [`defer`](Self::defer) for work whose error is [`BoxError`]: `?` works in it with no annotation.
    ///
    /// # Errors
    ///
    /// The error of `work`.
    ///
    /// # Cancel safety
    ///
    /// As [`defer`](Self::defer).
    pub async fn try_defer<T, F, Fut>(&self, work: F) -> Result<Emitted<T>, BoxError>
    where
        F: FnOnce(Scope) -> Fut,
        Fut: Future<Output = Result<T, BoxError>>,
    {
        self.defer(work).await
    }
}

/// Collects the events of one [`Bus::defer`]. Cheap to clone; clones are the same scope.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let bus = fanfare::Bus::new();
/// let done = bus.defer(async |scope| {
///     scope.push(7_u32);        // one event
///     scope.add(("a", "b"));    // whatever is `IntoEvents`
///     Ok::<_, ()>(scope.len())
/// });
/// assert_eq!(*done.await.unwrap().value(), 3);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Scope {
    /// `None` once the work has ended.
    events: Arc<Mutex<Collected>>,
}

struct Collected(Option<Events>);

impl Default for Collected {
    fn default() -> Self {
        Self(Some(Events::new()))
    }
}

impl Scope {
    /// Adds one event. Once the work has ended it is too late: the event is dropped, and logged with its type.
    pub fn push<E: Event>(&self, event: E) {
        let mut events = Events::new();
        events.push(event);
        self.add(events);
    }

    /// Adds any number of events. See [`push`](Self::push).
    pub fn add<M>(&self, events: impl IntoEvents<M>) {
        let mut more = Events::new();
        more.add(events);
        let mut collected = self.events.lock();
        if let Some(events) = &mut collected.0 {
            events.add(more);
            return;
        }
        drop(collected);
        tracing::warn!(count = more.len(), types = ?more, "a scope was given events after its work had ended: they are dropped");
    }

    /// How many events there are; none once the work has ended. See [`Scope`](crate::Scope).
    pub fn len(&self) -> usize {
        self.events.lock().0.as_ref().map_or(0, Events::len)
    }

    /// Whether there are none. See [`Scope`](crate::Scope).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn end(&self) -> Events {
        let events = self.events.lock().0.take();
        events.unwrap_or_default()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("len", &self.len()).finish()
    }
}

/// The scope of work that runs. It ends with the work, however that does.
struct Open(Scope);

impl Open {
    fn end(self) -> Events {
        self.0.end()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        drop(self.0.end());
    }
}

/// Emits the events of work that has succeeded.
struct Emitting(Following);

impl Emitting {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Report>> {
        let followed = ready!(self.0.poll_next(cx));
        Poll::Ready(followed.map(|followed| followed.report.expect("the bus is borrowed")))
    }
}

impl Drop for Emitting {
    fn drop(&mut self) {
        if let Some((events, types)) = self.0.not_emitted() {
            tracing::warn!(
                count = events,
                types,
                "deferred events were dropped, since `defer` was dropped before they were emitted"
            );
        }
    }
}

/// What [`Bus::defer`] has done: what the work returned, and a report for each event.
#[derive(Debug)]
#[must_use = "the reports say what the listeners did: `into_result` makes an error of a failure, `into_value` passes it over"]
pub struct Emitted<T> {
    value: T,
    reports: Vec<Report>,
}

impl<T> Emitted<T> {
    /// What the work returned. See [`Bus::defer`](crate::Bus::defer).
    pub fn value(&self) -> &T {
        &self.value
    }

    /// What the listeners of each event did, in the order of the events. See [`Bus::defer`](crate::Bus::defer).
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// Whether no listener failed. See [`Bus::defer`](crate::Bus::defer).
    pub fn is_ok(&self) -> bool {
        self.reports.iter().all(Report::is_ok)
    }

    /// What the work returned, whatever the listeners did: that was told when it happened. See [`Bus::defer`](crate::Bus::defer).
    pub fn into_value(self) -> T {
        self.value
    }

    /// Both. See [`Bus::defer`](crate::Bus::defer).
    pub fn into_parts(self) -> (T, Vec<Report>) {
        (self.value, self.reports)
    }

    /// What the work returned, or the first failure of an emission. The work has succeeded all the same: to do it again would do it twice.
    ///
    /// # Errors
    ///
    /// [`EmitError`] of the first event that a listener failed with, or that was emitted on a closed signal; the value is dropped then.
    pub fn into_result(self) -> Result<T, EmitError> {
        for report in self.reports {
            report.into_result()?;
        }
        Ok(self.value)
    }
}
