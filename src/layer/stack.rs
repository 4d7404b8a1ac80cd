//! Which layers are around a listener, and in which order.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

use super::keyed::OnLane;
use super::live::Cells;
use super::station::{Station, WayBack};
use super::{
    BoxListener, CatchPanic, CircuitBreaker, Concurrency, DeadLetter, Deadline, Dedup,
    FailurePolicy, Fallback, Fault, Keyed, RateLimit, Retry, Timeout, Trace,
};
use crate::error::{BoxError, OptionError};
use crate::event::{Addressee, Delivery, Event};
use crate::listener::{Keeper, Onward};
use crate::span::{Detail, Rule};

/// A place in the stack of a listener, named after the layer that stands there. A layer of yours at a place stands just outside the layer that it is named after; of
/// several at one place, the first that was given is outermost, those of a bus outside those of a signal outside those of a listener.
///
/// The order is fixed, outermost first, as the variants are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Outermost: around all others.
    Trace,
    /// For a layer that measures calls, with all their attempts.
    Metrics,
    /// Where a call that has failed for good is seen.
    DeadLetter,
    /// What is done instead, once a call has failed for good.
    Fallback,
    /// The time of all attempts.
    Deadline,
    /// The turn of the event's key, before dedup, so that a duplicate finds out what came of the first.
    Keyed,
    /// Once a call, before its first attempt.
    Dedup,
    /// Outside of it is once a call; inside, once an attempt.
    Retry,
    /// Each attempt passes the rate limit.
    RateLimit,
    /// Each attempt takes its place among those that run at once.
    Concurrency,
    /// Each attempt passes the breaker, which sees how it ends.
    CircuitBreaker,
    /// The time of one attempt.
    Timeout,
    /// A panic becomes an error.
    Panic,
    /// Innermost: directly around the listener, where a panic is a panic.
    Listener,
}

impl Place {
    /// All places, outermost first.
    pub const ALL: [Self; 14] = [
        Self::Trace,
        Self::Metrics,
        Self::DeadLetter,
        Self::Fallback,
        Self::Deadline,
        Self::Keyed,
        Self::Dedup,
        Self::Retry,
        Self::RateLimit,
        Self::Concurrency,
        Self::CircuitBreaker,
        Self::Timeout,
        Self::Panic,
        Self::Listener,
    ];

    /// What stands here, in words.
    pub(super) fn with(self, detail: &str) -> String {
        match detail {
            "" => self.to_string(),
            detail => format!("{self} ({detail})"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trace => "trace",
            Self::Metrics => "metrics",
            Self::DeadLetter => "dead letter",
            Self::Fallback => "fallback",
            Self::Deadline => "deadline",
            Self::Keyed => "keyed",
            Self::Dedup => "dedup",
            Self::Retry => "retry",
            Self::RateLimit => "rate limit",
            Self::Concurrency => "concurrency",
            Self::CircuitBreaker => "circuit breaker",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::Listener => "listener",
        })
    }
}

/// The layers that a listener, a signal or a bus was given. Nothing, and free to clone, for most.
#[derive(Clone, Default)]
pub(crate) struct Layers(Option<Box<Slots>>);

/// The layers by name, and those that have none.
#[derive(Clone, Default)]
pub(crate) struct Slots {
    pub(crate) trace: Option<Trace>,
    pub(crate) dead_letter: Option<DeadLetter>,
    pub(crate) fallback: Option<Fallback>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) keyed: Option<Keyed>,
    pub(crate) lanes: Option<usize>,
    pub(crate) dedup: Option<Dedup>,
    pub(crate) retry: Option<Retry>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) concurrency: Option<Concurrency>,
    pub(crate) circuit_breaker: Option<CircuitBreaker>,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) fault: Option<Fault>,
    pub(crate) policy: FailurePolicy,
    custom: Vec<Custom>,
}

/// A layer that Fanfare does not know.
#[derive(Clone)]
struct Custom {
    place: Place,
    name: &'static str,
    wrap: Arc<dyn Fn(BoxListener) -> BoxListener + Send + Sync>,
}

/// What a stack is built for.
pub(crate) struct Around {
    pub(crate) addressee: Addressee,
    pub(crate) keeper: Arc<dyn Keeper>,
    /// The listener itself asks for the time of the emission.
    pub(crate) wants_time: bool,
    /// Where follow-up events are emitted, if the listener or a layer has some.
    pub(crate) onward: Option<Weak<dyn Onward>>,
}

impl Layers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn slots(&mut self) -> &mut Slots {
        self.0.get_or_insert_default()
    }

    /// Leaves out what stands at a place, however it came there.
    pub(crate) fn without(&mut self, place: Place) {
        let Some(slots) = &mut self.0 else { return };
        slots.custom.retain(|custom| custom.place != place);
        match place {
            Place::Trace => slots.trace = None,
            Place::DeadLetter => slots.dead_letter = None,
            Place::Fallback => slots.fallback = None,
            Place::Deadline => slots.deadline = None,
            Place::Keyed => (slots.keyed, slots.lanes) = (None, None),
            Place::Dedup => slots.dedup = None,
            Place::Retry => slots.retry = None,
            Place::RateLimit => slots.rate_limit = None,
            Place::Concurrency => slots.concurrency = None,
            Place::CircuitBreaker => slots.circuit_breaker = None,
            Place::Timeout => slots.timeout = None,
            Place::Listener => slots.fault = None,
            _ => {}
        }
    }

    /// Adds a layer that is cloned a call.
    pub(crate) fn add<L>(&mut self, place: Place, layer: L)
    where
        L: Layer<BoxListener> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.push::<L>(place, move |inner| BoxListener::of(layer.layer(inner)));
    }

    /// Adds a layer whose service is not `Clone`.
    pub(crate) fn add_exclusive<L>(&mut self, place: Place, layer: L)
    where
        L: Layer<BoxListener> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = ()> + Send + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.push::<L>(place, move |inner| {
            BoxListener::exclusive(layer.layer(inner))
        });
    }

    fn push<L>(
        &mut self,
        place: Place,
        wrap: impl Fn(BoxListener) -> BoxListener + Send + Sync + 'static,
    ) {
        self.slots().custom.push(Custom {
            place,
            name: short_name::<L>(),
            wrap: Arc::new(wrap),
        });
    }

    /// What makes no sense, by itself.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        let Some(slots) = &self.0 else { return Ok(()) };
        if let (None, Some(lanes)) = (&slots.keyed, slots.lanes) {
            return Err(OptionError::new(
                "lanes",
                lanes,
                "it takes `keyed_by` beside it, which says what the key of an event is",
            ));
        }
        slots.trace.map_or(Ok(()), Trace::check)?;
        slots.keyed().map_or(Ok(()), |keyed| keyed.check())?;
        slots.dedup.as_ref().map_or(Ok(()), Dedup::check)?;
        let (rate, breaker) = (&slots.rate_limit, &slots.circuit_breaker);
        rate.as_ref().map_or(Ok(()), RateLimit::check)?;
        let concurrency = slots.concurrency.as_ref();
        concurrency.map_or(Ok(()), Concurrency::check)?;
        breaker.as_ref().map_or(Ok(()), CircuitBreaker::check)?;
        slots.retry.as_ref().map_or(Ok(()), Retry::check)?;
        slots.fault.as_ref().map_or(Ok(()), Fault::check)?;
        check_times(
            slots.deadline.map(Deadline::given),
            slots.timeout.map(Timeout::given),
        )
    }

    /// What makes no sense for a listener of this signal.
    pub(crate) fn check_for(&self, signal: u64) -> Result<(), OptionError> {
        self.check()?;
        let dead_letter = self.0.as_ref().and_then(|slots| slots.dead_letter.as_ref());
        if dead_letter.and_then(DeadLetter::leads_to) == Some(signal) {
            return Err(OptionError::new(
                "dead_letter",
                "the signal of the listener itself",
                "it takes another one: a letter that fails would be a letter again, for ever; `without(Place::DeadLetter)` leaves out one that is inherited",
            ));
        }
        Ok(())
    }

    /// What makes no sense for a listener of these events.
    pub(crate) fn check_fallback<E: Event>(&self) -> Result<(), OptionError> {
        let fallback = self.0.as_ref().and_then(|slots| slots.fallback.as_ref());
        fallback.map_or(Ok(()), Fallback::check_for::<E>)
    }

    /// Whether a layer has events emitted.
    pub(crate) fn follows(&self) -> bool {
        let fallback = self.0.as_ref().and_then(|slots| slots.fallback.as_ref());
        fallback.is_some_and(Fallback::emits)
    }

    /// The level of the spans, if nothing but a trace stands around the listener.
    pub(crate) fn trace_alone(&self) -> Option<Detail> {
        let slots = self.0.as_deref()?;
        let always = |place| matches!(place, Some(Place::Trace | Place::Panic | Place::Listener));
        let alone = slots.policy.is_empty() && slots.words().iter().all(|it| always(it.0));
        let trace = slots.trace.filter(|_| alone);
        trace.map(|trace| trace.rule().detail)
    }

    /// The spans that an emission is asked to have.
    pub(crate) fn spans(&self) -> Option<Rule> {
        self.0.as_ref()?.trace.map(Trace::rule)
    }

    pub(crate) fn has_retry(&self) -> bool {
        self.0.as_ref().is_some_and(|slots| slots.retry.is_some())
    }

    /// What is around a listener, outermost first, in words.
    pub(crate) fn words(&self) -> Vec<String> {
        let none = Slots::default();
        let words = self.0.as_deref().unwrap_or(&none).words();
        words.into_iter().map(|(_, words)| words).collect()
    }

    /// Puts the layers around a listener.
    pub(crate) fn around<S>(&self, listener: S, around: Around) -> Arc<Station>
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let none = Slots::default();
        let slots = self.0.as_deref().unwrap_or(&none);
        let back = Arc::new(OnceLock::new());
        let mut live = Cells::default();
        let station = Arc::new(Station {
            service: slots.service(listener, &back, &mut live),
            policy: slots.policy.clone(),
            stack: slots.words(),
            live,
            wants_time: around.wants_time || slots.dead_letter.is_some(),
            addressee: Arc::new(around.addressee),
            onward: around.onward,
            keeper: around.keeper,
        });
        let _ = back.set(Arc::downgrade(&station));
        station.live.belong_to(&station.keeper);
        station
    }
}

impl Slots {
    /// The order of keys, with its lanes.
    fn keyed(&self) -> Option<Keyed> {
        let keyed = self.keyed.clone()?;
        Some(match self.lanes {
            Some(lanes) => keyed.with_lanes(lanes),
            None => keyed,
        })
    }

    /// The layers around a listener, from the innermost out.
    fn service<S>(
        &self,
        listener: S,
        back: &Arc<OnceLock<WayBack>>,
        live: &mut Cells,
    ) -> BoxListener
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let innermost = self.fault.is_some() || self.custom_at(Place::Listener).next().is_some();
        let mut service = if innermost {
            let listener = put(self.fault.as_ref(), BoxListener::of(listener));
            let listener = self.wrapped(Place::Listener, listener);
            BoxListener::ready(CatchPanic.layer(listener))
        } else {
            BoxListener::ready(CatchPanic.layer(listener))
        };
        for place in Place::ALL.into_iter().rev().skip(1) {
            service = self.layered(place, service, back, live);
            service = self.wrapped(place, service);
        }
        service
    }

    /// The layer that a place is named after.
    fn layered(
        &self,
        place: Place,
        inner: BoxListener,
        back: &Arc<OnceLock<WayBack>>,
        live: &mut Cells,
    ) -> BoxListener {
        match place {
            Place::Trace => put(self.trace.as_ref(), inner),
            Place::DeadLetter => {
                let letter = self.dead_letter.clone();
                let letter = letter.map(|l| l.under(&self.policy).with_way_back(back));
                put(letter.as_ref(), inner)
            }
            Place::Deadline => put_live(self.deadline.as_ref(), inner, |service| {
                live.deadline = Some(service.live());
            }),
            Place::Fallback => {
                let fallback = self.fallback.clone().map(|it| it.with_way_back(back));
                put(fallback.as_ref(), inner)
            }
            Place::Keyed => put(self.keyed().map(|keyed| keyed.turns()).as_ref(), inner),
            Place::Dedup => put(self.dedup.as_ref(), inner),
            Place::Retry => {
                // A lane is taken an attempt: none is held while the retry sleeps.
                live.lanes = self.keyed().map(|keyed| keyed.lanes());
                let inner = put(live.lanes.clone().map(OnLane).as_ref(), inner);
                let retry = self.retry.clone().map(|retry| retry.under(&self.policy));
                put_live(retry.as_ref(), inner, |service| {
                    live.retry = Some(service.live());
                })
            }
            Place::RateLimit => put_live(self.rate_limit.as_ref(), inner, |service| {
                live.rate_limit = Some(service.live());
            }),
            Place::Concurrency => put_live(self.concurrency.as_ref(), inner, |service| {
                live.concurrency = Some(service.live());
            }),
            Place::CircuitBreaker => put_live(self.circuit_breaker.as_ref(), inner, |service| {
                live.circuit_breaker = service.live();
            }),
            Place::Timeout => put_live(self.timeout.as_ref(), inner, |service| {
                live.timeout = Some(service.live());
            }),
            _ => inner,
        }
    }

    fn custom_at(&self, place: Place) -> impl DoubleEndedIterator<Item = &Custom> {
        let at = move |custom: &&Custom| custom.place == place;
        self.custom.iter().filter(at)
    }

    /// The layers that were given for a place: the first outermost.
    fn wrapped(&self, place: Place, inner: BoxListener) -> BoxListener {
        let customs = self.custom_at(place).rev();
        customs.fold(inner, |inner, custom| (custom.wrap)(inner))
    }

    /// What is around the listener, and the place of what stands at its own.
    fn words(&self) -> Vec<(Option<Place>, String)> {
        let mut words = Vec::new();
        for place in Place::ALL {
            words.extend(self.custom_at(place).map(|it| (None, it.name.to_owned())));
            if let (Place::Listener, Some(fault)) = (place, &self.fault) {
                words.push((None, format!("fault (seed {})", fault.seed_used())));
            }
            let detail = match place {
                Place::Trace => self.trace.map(|trace| trace.to_string()),
                Place::DeadLetter => self.dead_letter.as_ref().map(ToString::to_string),
                Place::Fallback => self.fallback.as_ref().map(ToString::to_string),
                Place::Deadline => self.deadline.map(|it| format!("{:?}", it.given())),
                Place::Keyed => self.keyed().map(|keyed| keyed.to_string()),
                Place::Dedup => self.dedup.as_ref().map(ToString::to_string),
                Place::Retry => self.retry.as_ref().map(ToString::to_string),
                Place::RateLimit => self.rate_limit.as_ref().map(ToString::to_string),
                Place::Concurrency => self.concurrency.as_ref().map(ToString::to_string),
                Place::CircuitBreaker => self.circuit_breaker.as_ref().map(ToString::to_string),
                Place::Timeout => self.timeout.map(|it| format!("{:?}", it.given())),
                Place::Panic | Place::Listener => Some(String::new()),
                Place::Metrics => None,
            };
            words.extend(detail.map(|detail| (Some(place), place.with(&detail))));
        }
        words
    }
}

/// Puts a layer of ours around, if there is one.
fn put<L>(layer: Option<&L>, inner: BoxListener) -> BoxListener
where
    L: Layer<BoxListener>,
    L::Service: Service<Delivery, Response = (), Error = BoxError> + Clone + Send + Sync + 'static,
    <L::Service as Service<Delivery>>::Future: Send + 'static,
{
    put_live(layer, inner, |_| {})
}

/// The same, and keeps what can be changed about it.
fn put_live<L>(layer: Option<&L>, inner: BoxListener, keep: impl FnOnce(&L::Service)) -> BoxListener
where
    L: Layer<BoxListener>,
    L::Service: Service<Delivery, Response = (), Error = BoxError> + Clone + Send + Sync + 'static,
    <L::Service as Service<Delivery>>::Future: Send + 'static,
{
    let Some(layer) = layer else { return inner };
    let service = layer.layer(inner);
    keep(&service);
    BoxListener::ready(service)
}

/// An attempt that may take as long as all attempts together would never be tried again.
pub(super) fn check_times(
    deadline: Option<Duration>,
    timeout: Option<Duration>,
) -> Result<(), OptionError> {
    for (name, given) in [("deadline", deadline), ("timeout", timeout)] {
        if given.is_some_and(|given| given.is_zero()) {
            return Err(OptionError::new(name, "0ns", "it takes a time above zero"));
        }
    }
    match (deadline, timeout) {
        (Some(deadline), Some(timeout)) if timeout >= deadline => Err(OptionError::new(
            "timeout",
            format!("{timeout:?} with a deadline of {deadline:?}"),
            "an attempt's timeout is shorter than the deadline of all attempts",
        )),
        _ => Ok(()),
    }
}

/// The name of a type without the modules that it is in.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let head = name.split('<').next().unwrap_or(name);
    head.rsplit("::").next().unwrap_or(head)
}
