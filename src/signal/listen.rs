//! Registration with options.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tower_service::Service;

use super::{Batch, Signal, Subscription};
use crate::error::{BoxError, OptionError};
use crate::event::{Delivery, Event};
use crate::key::Key;
use crate::listener::{Callee, Filter, Kind, Listener, Step, callee};
use crate::outcome::IntoOutcome;
use crate::registry::{Budget, Insert, Record, RegisterError, Wishes, entry};
use crate::sync::{AtomicU64, unique_id};

/// Registers one listener; everything is optional and by name. The last call, `on` or one of its siblings, says what is called.
///
/// # Examples
///
/// ```
/// use fanfare::Signal;
///
/// #[derive(Clone)]
/// struct OrderPlaced { total: u64 }
///
/// let placed = Signal::<OrderPlaced>::new();
/// let audit = placed
///     .listen()
///     .key("audit")                        // unique in the signal
///     .priority(10)                        // higher starts first
///     .stage(1)                            // stage 0 has finished before stage 1 starts
///     .filter(|order| order.total > 100)
///     .on(async |order| println!("{}", order.total))?;
/// assert_eq!(audit.key(), Some("audit"));
/// # Ok::<(), fanfare::RegisterError>(())
/// ```
#[must_use = "nothing is registered until `on` or one of its siblings is called"]
pub struct ListenBuilder<'a, E: Event> {
    target: Target<'a, E>,
    location: &'static Location<'static>,
    key: Option<String>,
    replace: bool,
    priority: i32,
    stage: u32,
    times: Option<u64>,
    filter: Option<Filter<E>>,
}

pub(super) enum Target<'a, E: Event> {
    Signal(Signal<E>),
    Batch(&'a Batch<E>),
}

impl<'a, E: Event> ListenBuilder<'a, E> {
    pub(super) fn new(target: Target<'a, E>, location: &'static Location<'static>) -> Self {
        Self {
            target,
            location,
            key: None,
            replace: false,
            priority: 0,
            stage: 0,
            times: None,
            filter: None,
        }
    }

    pub(crate) fn of(signal: Signal<E>, location: &'static Location<'static>) -> Self {
        Self::new(Target::Signal(signal), location)
    }

    /// Names the listener. Unique in the signal, not empty. Default: no key; the listener does not show in `keys()`. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Takes the place of the listener that has the key, in one step: every emission calls the old one or the new one, none calls both or neither.
    /// Without such a listener it is an addition. The new one keeps the old one's place among those of equal stage and priority. Default: off.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// let signal = fanfare::Signal::<u32>::new();
    /// let old = signal.listen().key("price").on(async |_| {})?;
    /// signal.listen().key("price").replace().on(async |_| {})?;
    /// assert_eq!(signal.len(), 1);
    /// assert!(!old.remove()); // stale: the new one stays
    /// # Ok(()) }
    /// ```
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }

    /// Higher starts first; equal ones in the order of registration. Default: 0. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Every listener of a stage has finished before the next stage starts. Default: 0, the first. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn stage(mut self, stage: u32) -> Self {
        self.stage = stage;
        self
    }

    /// Calls the listener at most once, then removes it. The attempt counts, whatever comes of it. Default: no limit. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Calls the listener at most `n` times, then removes it. `n` is 1 or more. Default: no limit. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn times(mut self, n: u64) -> Self {
        self.times = Some(n);
        self
    }

    /// Calls the listener only for events that `wanted` says yes to; the others are reported as skipped. It runs in the emitter's task, before a
    /// permit is taken; it should be quick. A panic in it is the listener's. Default: every event. See [`ListenBuilder`](crate::ListenBuilder).
    pub fn filter(mut self, wanted: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Box::new(wanted));
        self
    }

    /// Registers an async closure, an async fn, or a closure that returns a future. See [`Signal::on`].
    ///
    /// # Errors
    ///
    /// [`RegisterError`], if the key is taken or an option makes no sense.
    pub fn on<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.register(Kind::Async, |_| callee::owned(listener))
    }

    /// Registers an async closure that can fail: `?` works with no annotation. See [`Signal::try_on`].
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn try_on<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.register(Kind::Async, |_| callee::owned(listener))
    }

    /// Registers a closure that borrows the event and runs in place. See [`Signal::on_sync`].
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_sync<F, R>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: Fn(&E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        let listener = move |event: &E| Step::from(listener(event).into_outcome());
        self.register(Kind::Sync, |_| callee::borrowed(listener))
    }

    /// Registers an async closure that shares one `Arc` of the event with the others of its kind. See [`Signal::on_shared`].
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_shared<F, Fut>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(Arc<E>) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        self.register(Kind::Shared, |_| callee::shared(listener))
    }

    /// Registers a closure that blocks. See [`Signal::on_blocking`].
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn on_blocking<F, R>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: Fn(E) -> R + Send + Sync + 'static, // fix: capture only what is `Send + Sync` (`Arc` for `Rc`, `Mutex` for `RefCell`)
        R: IntoOutcome,
    {
        self.register(Kind::Blocking, |_| callee::blocking(listener))
    }

    /// Registers a value that implements [`Listener`].
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn listener(self, listener: impl Listener<E>) -> Result<Subscription, RegisterError> {
        self.register(Kind::Async, |_| callee::listener(listener))
    }

    /// Registers a `tower` service. See [`Signal::service`].
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn service<S>(self, service: S) -> Result<Subscription, RegisterError>
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.register(Kind::Service, |record| {
            callee::service(service, record.identity())
        })
    }

    fn register<C: Callee<E> + 'static>(
        self,
        kind: Kind,
        callee: impl FnOnce(&Record) -> C,
    ) -> Result<Subscription, RegisterError> {
        let event_type = std::any::type_name::<E>();
        if event_type.starts_with('&') {
            return Err(RegisterError::ReferenceType { event_type });
        }
        let key = match self.key {
            None => None,
            Some(text) => Some(Key::parse(&text).ok_or_else(|| {
                OptionError::new("key", "\"\"", "it takes text that is not empty")
            })?),
        };
        let budget = match self.times {
            None => Budget::Unlimited,
            Some(0) => {
                return Err(OptionError::new(
                    "times",
                    0,
                    "it takes 1 or more; a listener that is not wanted is `remove`d",
                )
                .into());
            }
            Some(of) => Budget::Times {
                left: AtomicU64::new(of),
                of,
            },
        };
        let signal = match &self.target {
            Target::Signal(signal) => signal,
            Target::Batch(batch) => batch.signal(),
        };
        let wishes = Wishes {
            key,
            priority: self.priority,
            stage: self.stage,
            budget,
            filtered: self.filter.is_some(),
        };
        let home = Arc::clone(signal.inner.registry.home());
        let record = Record::new(unique_id(), self.location, home, kind, wishes);
        let callee = callee(&record);
        let (entry, listed) = entry(record, callee, self.filter);
        let subscription = Subscription::new(listed);
        let insert = Insert {
            entry,
            replace: self.replace,
        };
        match self.target {
            Target::Signal(signal) => signal.inner.insert(&[insert])?,
            Target::Batch(batch) => batch.stage(insert),
        }
        Ok(subscription)
    }
}

impl<E: Event> std::fmt::Debug for ListenBuilder<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenBuilder")
            .field("key", &self.key)
            .field("priority", &self.priority)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
