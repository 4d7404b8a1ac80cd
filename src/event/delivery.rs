//! One event on its way to one listener.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::{Addressee, Call, Envelope, Headers};
use crate::clock::{self, Coarse, Instant};
use crate::key::{Identity, Key};

/// One event on its way to one listener: the request type of every `tower` service and layer.
///
/// The event is type-erased and shared, so that one service serves any event type; [`event`](Self::event) gives it back.
/// Cloning costs a reference count. A listener that wants its delivery takes it: `listen().with_delivery().on(async |event, delivery| ..)`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Bus, BoxError, Delivery};
///
/// let bus = Bus::new();
/// bus.service::<u32, _>(tower::service_fn(async |d: Delivery| -> Result<(), BoxError> {
///     assert_eq!(d.event::<u32>(), Some(&7));
///     assert_eq!(d.attempt(), 1);
///     assert_eq!(d.header("tenant"), Some("acme"));
///     Ok(())
/// }));
/// assert_eq!(bus.emit(7_u32).header("tenant", "acme").await.delivered(), 1);
/// # }
/// ```
#[derive(Clone)]
pub struct Delivery {
    pub(super) call: Arc<Call>,
    /// The token of an attempt after the first, once somebody has asked for it.
    token: Option<Arc<OnceLock<CancellationToken>>>,
    deadline: Option<Instant>,
    attempt: u32,
}

impl Delivery {
    pub(crate) fn first<E: Any + Send + Sync>(
        event: Arc<E>,
        envelope: Arc<Envelope>,
        listener: Arc<Addressee>,
    ) -> Self {
        Self {
            deadline: envelope.deadline,
            call: Arc::new(Call::new(event, envelope, listener)),
            token: None,
            attempt: 1,
        }
    }

    /// The delivery of a later attempt, with a token of its own.
    pub(crate) fn again(&self, attempt: u32) -> Self {
        self.call.note_attempt(attempt);
        // Those of an attempt that a layer has made a failure of.
        drop(self.call.take_follow_ups());
        Self {
            call: Arc::clone(&self.call),
            token: Some(Arc::default()),
            deadline: self.deadline,
            attempt,
        }
    }

    /// The delivery of a call that is made once more, after it was given up. The deadline of its emission is past.
    pub(crate) fn redriven(&self) -> Self {
        Self {
            call: Arc::new(self.call.redriven()),
            token: None,
            deadline: None,
            attempt: 1,
        }
    }

    /// The same, with the number of the last attempt that was made of the call.
    pub(crate) fn latest(&self) -> Self {
        Self {
            attempt: self.call.attempts(),
            ..self.clone()
        }
    }

    /// The same, with this deadline unless there is an earlier one.
    pub(crate) fn by(mut self, deadline: Instant) -> Self {
        let earlier = self.deadline.filter(|earlier| *earlier < deadline);
        self.deadline = Some(earlier.unwrap_or(deadline));
        self
    }

    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// Who is called.
    pub(crate) fn who(&self) -> &Arc<Identity> {
        &self.call.listener.identity
    }

    /// The event, if it is an `E`. See [`Delivery`](crate::Delivery).
    pub fn event<E: Any>(&self) -> Option<&E> {
        self.call.event.downcast_ref()
    }

    /// The event, shared, if it is an `E`. See [`Delivery`](crate::Delivery).
    pub fn shared_event<E: Any + Send + Sync>(&self) -> Option<Arc<E>> {
        Arc::clone(&self.call.event).downcast().ok()
    }

    /// The event, of whatever type.
    pub(crate) fn any_event(&self) -> &(dyn Any + Send + Sync) {
        &*self.call.event
    }

    /// The event type's name, as `std::any::type_name` writes it. See [`Delivery`](crate::Delivery).
    pub fn event_type(&self) -> &'static str {
        self.call.event_type
    }

    /// The name of the signal that emits. See [`Delivery`](crate::Delivery).
    pub fn signal(&self) -> &str {
        &self.who().signal
    }

    /// The key of the listener that is called, if it has one. See [`Delivery`](crate::Delivery).
    pub fn listener_key(&self) -> Option<&str> {
        self.who().key.as_ref().map(Key::as_str)
    }

    /// The number of the listener that is called, the same as `Subscription::id` gives. See [`Delivery`](crate::Delivery).
    pub fn listener_id(&self) -> u64 {
        self.who().id
    }

    /// A number that all deliveries of one emission share, and no other emission of the process has. See [`Delivery`](crate::Delivery).
    pub fn emission_id(&self) -> u64 {
        self.call.envelope.id
    }

    /// What the event belongs to: the id that `Emit::correlation_id` gave it, or the one that it inherits. See [`causation_id`](Self::causation_id).
    pub fn correlation_id(&self) -> Option<&str> {
        self.call.envelope.correlation.as_deref()
    }

    /// The id of the emission that this one was made for, if there is one.
    ///
    /// An emission inherits from the delivery of the listener that makes it, in the listener's own task, or from the one that `Emit::caused_by` names: its emission id
    /// becomes the causation id; its correlation id, or its emission id if it has none, the correlation id; `traceparent` and `tracestate` go along. A listener that has no
    /// delivery (a plain one) is not seen.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// let bus = fanfare::Bus::new();
    /// let inner = bus.clone();
    /// bus.listen::<u32>().with_delivery().on(async move |n, _| { inner.emit(n.to_string()).await; })?;
    /// bus.listen::<String>().with_delivery().on(async |_, delivery| {
    ///     assert_eq!(delivery.correlation_id(), Some("order-7"));
    ///     assert!(delivery.causation_id().is_some());
    /// })?;
    /// assert!(bus.emit(7_u32).correlation_id("order-7").await.is_ok());
    /// # Ok(()) }
    /// ```
    pub fn causation_id(&self) -> Option<&str> {
        self.call.envelope.causation.as_deref()
    }

    /// What travels beside the event. See [`Headers`].
    ///
    /// Where the call has a span of a [`Trace`](crate::layer::Trace), and OpenTelemetry sees that (feature `otel`), `traceparent` and `tracestate` name that span, for
    /// whoever the listener sends them on to; else they are those that the emission was given or has inherited.
    pub fn headers(&self) -> &Headers {
        &self.envelope().headers
    }

    /// The value of one header. See [`Headers`].
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)
    }

    /// Which attempt this is; the first is 1. See [`Delivery`](crate::Delivery).
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How often the event was taken back from the dead letters for this listener. See [`DeadLetters`](crate::layer::DeadLetters).
    pub fn redrives(&self) -> u32 {
        self.call.redrives
    }

    /// When the emission began, as far as that was noted: where a service, a listener with its delivery, or a layer that needs it is called, or the signal was
    /// built with `timestamps`. See [`Delivery`](crate::Delivery).
    pub fn emitted_at(&self) -> Option<SystemTime> {
        Coarse::at(self.call.envelope.emitted?).to_system_time()
    }

    /// How long ago the emission began, as far as that was noted. See [`emitted_at`](Self::emitted_at).
    pub fn age(&self) -> Option<Duration> {
        let emitted = self.call.envelope.emitted?;
        Some(clock::since(emitted))
    }

    /// When the call is ended whatever it has done by then, on tokio's clock: the earlier of the emission's timeout and the listener's deadline. The timeout of an
    /// attempt is not in it. In the background no attempt begins after it; one that runs then is ended by the listener's deadline alone. See [`Delivery`](crate::Delivery).
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How much time is left until the [`deadline`](Self::deadline), if there is one.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.deadline?.saturating_duration_since(clock::now()))
    }

    /// Fires when this attempt is given up: its timeout or the deadline passed, its emission was dropped, cancelled or shut down. For what the listener starts
    /// elsewhere: a task, a thread, a request. It does not fire when the attempt returns. See [`Delivery`](crate::Delivery).
    pub fn cancellation_token(&self) -> CancellationToken {
        let made = self.token.as_deref().unwrap_or(&self.call.token);
        made.get_or_init(CancellationToken::new).clone()
    }

    /// The attempt is given up. Whoever asks for its token only later, a thread that has not begun say, gets one that has fired.
    pub(crate) fn give_up(&self) {
        let made = self.token.as_deref().unwrap_or(&self.call.token);
        made.get_or_init(CancellationToken::new).cancel();
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("event_type", &self.event_type())
            .field("signal", &self.signal())
            .field("listener_key", &self.listener_key())
            .field("emission_id", &self.emission_id())
            .field("attempt", &self.attempt)
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}
