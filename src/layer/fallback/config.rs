//! The config, which is the layer.

use std::any::TypeId;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tower_layer::Layer;

use super::FallbackService;
use crate::error::OptionError;
use crate::event::{Delivery, Event, Events, IntoEvents};
use crate::layer::event_of;
use crate::layer::station::WayBack;
use crate::outcome::{Cause, IntoOutcome, Verdict};
use crate::sync::{AtomicU64, Ordering};

/// What is done instead, once a listener has failed for good: another listener is called, a value is taken for its outcome, or an event is emitted. If that goes well, so has the call.
///
/// It is used for calls that failed, panicked, timed out or were rejected, after all their attempts and within no deadline any more. What was skipped or cancelled has not failed. A failure that
/// says [`Decision::DeadLetter`](crate::layer::Decision::DeadLetter), itself or by a rule, asks for the dead letter, and goes there: the fallback is not used.
/// [`Disable`](crate::layer::Decision::Disable) and [`Pause`](crate::layer::Decision::Pause) are carried out whether or not the fallback saves the call.
///
/// A call that it has saved is `Done` to the report and to the failure callbacks. So that it is not silent, each is logged as a warning (ten lines a second and signal), and [`used`](Self::used) counts.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Signal;
/// use fanfare::layer::{Fallback, Retry};
///
/// let signal = Signal::<u32>::new();
/// let by_mail = Fallback::listener(async |n: u32, cause| println!("{n} by mail, since the hook {cause}"));
/// signal
///     .listen()
///     .fallback(by_mail.clone())
///     .retry(Retry::exponential())
///     .on(async |_| Err::<(), _>("no connection"))?;
/// assert_eq!(signal.emit(7).await.delivered(), 1);
/// assert_eq!(by_mail.used(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a fallback does nothing until it is given to a listener, a signal or a bus"]
pub struct Fallback {
    pub(super) form: Form,
    pub(super) wanted: Option<Wanted>,
    pub(super) back: Option<Arc<OnceLock<WayBack>>>,
    /// It is for events of this type only.
    takes: Option<(TypeId, &'static str)>,
    emits: bool,
    name: &'static str,
    used: Arc<AtomicU64>,
}

pub(super) type Wanted = Arc<dyn Fn(&Cause) -> bool + Send + Sync>;
/// Does something else with what was delivered.
pub(super) type Form = Arc<dyn Fn(&Delivery, &Cause) -> Instead + Send + Sync>;
pub(super) type Instead = Pin<Box<dyn Future<Output = Verdict> + Send>>;

impl Fallback {
    fn with(
        name: &'static str,
        form: impl Fn(&Delivery, &Cause) -> Instead + Send + Sync + 'static,
    ) -> Self {
        Self {
            form: Arc::new(form),
            wanted: None,
            back: None,
            takes: None,
            emits: false,
            name,
            used: Arc::default(),
        }
    }

    fn of_events<E: Event>(mut self) -> Self {
        self.takes = Some((TypeId::of::<E>(), std::any::type_name::<E>()));
        self
    }

    /// Another listener: an async closure of the event and why the first has failed. What it may return is [`IntoOutcome`]'s to say; if it fails, the call has failed, with both errors.
    ///
    /// It runs on the permit of the listener. It is for listeners of `E`: a listener of another type that is given it, or inherits it, is refused.
    pub fn listener<E, F, Fut>(listener: F) -> Self
    where
        E: Event,
        F: FnOnce(E, Cause) -> Fut + Clone + Send + Sync + 'static, // fix: the event's type and a `Cause`; an `Arc` of what it captures
        Fut: Future<Output: IntoOutcome> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
    {
        Self::with("to a listener", move |delivery, cause| {
            let instead = listener.clone()(event_of::<E>(delivery).clone(), cause.clone());
            Box::pin(async { instead.await.into_outcome() })
        })
        .of_events::<E>()
    }

    /// A value, as if the listener had returned it: `()` for a success, `ControlFlow::Break(())` for one that stops the emission. For listeners of any type.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::Signal;
    /// use fanfare::layer::Fallback;
    ///
    /// let signal = Signal::<u32>::new();
    /// let best_effort = Fallback::value(());
    /// signal.listen().fallback(best_effort.clone()).on(async |_| Err::<(), _>("nobody minds"))?;
    /// assert!(signal.emit(7).await.is_ok());
    /// assert_eq!(best_effort.used(), 1);
    /// # Ok(()) }
    /// ```
    pub fn value(value: impl IntoOutcome + Clone + Send + Sync + 'static) -> Self {
        Self::with("a value", move |_, _| {
            Box::pin(ready(value.clone().into_outcome()))
        })
    }

    /// Events, made of the event and why the listener has failed. They are emitted as those of [`follow`](crate::ListenBuilder::follow) are, once the call has succeeded by it.
    ///
    /// It is for listeners of `E`, on a signal of a bus: any other that is given it, or inherits it, is refused.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::layer::Fallback;
    /// use fanfare::{Bus, Cause, One};
    ///
    /// #[derive(Clone)]
    /// struct Payment { order: u64 }
    /// #[derive(Clone)]
    /// struct Refused { order: u64, why: String }
    ///
    /// let bus = Bus::new();
    /// bus.listen::<Payment>()
    ///     .fallback(Fallback::event(|payment: &Payment, cause: &Cause| {
    ///         One(Refused { order: payment.order, why: cause.to_string() })
    ///     }))
    ///     .try_on(async |_| Err("no money".into()))?;
    /// bus.on(async |refused: Refused| assert_eq!((refused.order, &*refused.why), (7, "failed: no money")));
    /// assert!(bus.emit(Payment { order: 7 }).await.is_ok());
    /// assert_eq!(bus.signal::<Refused>().stats().emissions(), 1);
    /// # Ok(()) }
    /// ```
    pub fn event<E, R, M>(events: impl Fn(&E, &Cause) -> R + Send + Sync + 'static) -> Self
    where
        E: Event,
        R: IntoEvents<M>,
    {
        let form = move |delivery: &Delivery, cause: &Cause| -> Instead {
            let mut instead = Events::new();
            instead.add(events(event_of::<E>(delivery), cause));
            delivery.call().set_follow_ups(instead);
            Box::pin(ready(Verdict::done()))
        };
        Self {
            emits: true,
            ..Self::with("an event", form).of_events::<E>()
        }
    }

    /// Uses it only for failures that `wanted` says yes to; a panic in it is a no. Default: all. See [`Fallback`](crate::layer::Fallback).
    pub fn when(mut self, wanted: impl Fn(&Cause) -> bool + Send + Sync + 'static) -> Self {
        self.wanted = Some(Arc::new(wanted));
        self
    }

    /// How often it was used, whether it saved the call or failed too: this one and its clones together, those that signals and listeners have inherited included.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn note_use(&self) {
        self.used.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it has events emitted.
    pub(crate) fn emits(&self) -> bool {
        self.emits
    }

    /// What makes no sense for a listener of these events.
    pub(crate) fn check_for<E: Event>(&self) -> Result<(), OptionError> {
        match self.takes {
            Some((takes, name)) if takes != TypeId::of::<E>() => Err(OptionError::new(
                "fallback",
                format!("one for events of type `{name}`"),
                "a listener takes one for its own events; give it to that listener or its signal, rather than to the bus",
            )),
            _ => Ok(()),
        }
    }

    /// Gives it the way to the listener that it is around, once that is known.
    pub(crate) fn with_way_back(mut self, back: &Arc<OnceLock<WayBack>>) -> Self {
        self.back = Some(Arc::clone(back));
        self
    }
}

impl<S> Layer<S> for Fallback {
    type Service = FallbackService<S>;

    fn layer(&self, inner: S) -> FallbackService<S> {
        FallbackService::new(inner, self.clone())
    }
}

impl fmt::Display for Fallback {
    /// "to a listener"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("form", &self.name)
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}
