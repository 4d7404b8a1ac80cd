//! Events that follow from events: what a listener returns to have emitted.

use std::any::{Any, TypeId};
use std::fmt;

use super::Event;
use crate::error::BoxError;

/// Exactly one event, for [`ListenBuilder::follow`](crate::ListenBuilder::follow) and wherever else [`IntoEvents`] is taken.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Bus, One};
///
/// #[derive(Clone)]
/// struct OrderPlaced { id: u64 }
/// #[derive(Clone)]
/// struct Invoice { order: u64 }
///
/// let bus = Bus::new();
/// bus.follow(async |order: OrderPlaced| One(Invoice { order: order.id }));
/// bus.on(async |invoice: Invoice| assert_eq!(invoice.order, 7));
/// assert!(bus.emit(OrderPlaced { id: 7 }).await.is_ok());
/// assert_eq!(bus.signal::<Invoice>().stats().emissions(), 1);
/// # }
/// ```
// Not `Clone`: an event is, so this can never be taken for one.
#[derive(Debug)]
pub struct One<E>(pub E);

/// Events of any types, in the order in which they are to be emitted. It is what the other forms of [`IntoEvents`] are short for.
///
/// ```
/// use fanfare::Events;
///
/// let mut events = Events::new();
/// events.push(7_u32);                      // one event
/// events.add(vec!["a", "b"]);              // whatever is `IntoEvents`
/// assert_eq!((events.len(), events.types().last()), (3, Some("&str")));
/// ```
#[derive(Default)]
#[must_use = "events are emitted by whoever is given them"]
pub struct Events(Vec<Erased>);

/// An event whose type is not known.
pub(crate) struct Erased {
    pub(crate) event: Box<dyn Any + Send + Sync>,
    pub(crate) event_type: &'static str,
}

impl Erased {
    pub(crate) fn type_id(&self) -> TypeId {
        (*self.event).type_id()
    }
}

impl Events {
    /// No events. See [`Events`](crate::Events).
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one event, behind those that are there. See [`Events`](crate::Events).
    pub fn push<E: Event>(&mut self, event: E) {
        self.0.push(Erased {
            event: Box::new(event),
            event_type: std::any::type_name::<E>(),
        });
    }

    /// Adds any number of events, behind those that are there. See [`Events`](crate::Events).
    pub fn add<M>(&mut self, events: impl IntoEvents<M>) {
        events.into_events(self);
    }

    /// How many there are. See [`Events`](crate::Events).
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none. See [`Events`](crate::Events).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The types of the events, as `std::any::type_name` writes them. See [`Events`](crate::Events).
    pub fn types(&self) -> impl DoubleEndedIterator<Item = &'static str> {
        self.0.iter().map(|erased| erased.event_type)
    }

    pub(crate) fn into_vec(self) -> Vec<Erased> {
        self.0
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types()).finish()
    }
}

/// What a listener may return to have it emitted once it has succeeded: [`One`] event; an `Option`, a `Vec`, an array or a tuple (of up to eight) of events; [`Events`]; or `()`.
///
/// Events of an `Option`, a `Vec` or a tuple stand in it as they are, since that is how they read best: `Some(Mail { .. })`, `(Invoice { .. }, Mail { .. })`. Why is `One` not left out too? An
/// event is any `Clone` value, and so is an `Option` of one: the compiler could not tell whether `Option<Mail>` is meant as an event. For the same reason what stands inside one of these inside
/// another is wrapped: `(Invoice { .. }, Some(One(Mail { .. })))`. Where it is left out the program does not compile, so nothing is emitted as an `Option` by accident.
///
/// The parameter `M` is found by the compiler: leave it out, or write `_`.
///
/// # Examples
///
/// ```
/// use fanfare::{Events, IntoEvents, One};
///
/// fn count<M>(events: impl IntoEvents<M>) -> usize {
///     let mut all = Events::new();
///     all.add(events);
///     all.len()
/// }
/// assert_eq!(count(One("event")), 1);
/// assert_eq!(count(None::<&str>), 0);
/// assert_eq!(count(("event", 7_u32)), 2);
/// assert_eq!(count(("event", Some(One(7_u32)), vec![One('a'), One('b')])), 4);
/// ```
///
/// ```compile_fail
/// # use fanfare::Events;
/// Events::new().add(("event", Some(7_u32))); // is the second an event of the type `Option<u32>`?
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not made of events",
    label = "not `One`, `Option`, `Vec`, an array, a tuple or `Events`",
    note = "for exactly one event, write `One(event)`"
)]
pub trait IntoEvents<M> {
    /// Adds the events to those that are collected.
    fn into_events(self, events: &mut Events);
}

/// What an `Option`, a `Vec`, an array or a tuple of events is made of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be emitted: an event is `Clone + Send + Sync + 'static`",
    label = "neither an event nor made of events"
)]
pub trait Item<M> {
    #[doc(hidden)]
    fn push_to(self, events: &mut Events);
}

/// What the compiler finds out about a return type.
mod found {
    #[derive(Debug)]
    pub enum Itself {}
    #[derive(Debug)]
    pub struct Inside<M>(M);
    #[derive(Debug)]
    pub struct Surely<M>(M);
    #[derive(Debug)]
    pub struct Perhaps<M>(M);
}

impl<E: Event> Item<found::Itself> for E {
    fn push_to(self, events: &mut Events) {
        events.push(self);
    }
}

impl<T: IntoEvents<M>, M> Item<found::Inside<M>> for T {
    fn push_to(self, events: &mut Events) {
        self.into_events(events);
    }
}

impl<E: Event> IntoEvents<found::Itself> for One<E> {
    fn into_events(self, events: &mut Events) {
        events.push(self.0);
    }
}

impl IntoEvents<found::Itself> for Events {
    fn into_events(mut self, events: &mut Events) {
        events.0.append(&mut self.0);
    }
}

impl IntoEvents<found::Itself> for () {
    fn into_events(self, _: &mut Events) {}
}

impl<T: Item<M>, M> IntoEvents<M> for Option<T> {
    fn into_events(self, events: &mut Events) {
        if let Some(item) = self {
            item.push_to(events);
        }
    }
}

impl<T: Item<M>, M> IntoEvents<M> for Vec<T> {
    fn into_events(self, events: &mut Events) {
        events.0.reserve(self.len());
        for item in self {
            item.push_to(events);
        }
    }
}

impl<T: Item<M>, M, const N: usize> IntoEvents<M> for [T; N] {
    fn into_events(self, events: &mut Events) {
        for item in self {
            item.push_to(events);
        }
    }
}

macro_rules! tuples {
    ($(($($item:ident $found:ident),+))+) => { $(
        impl<$($item: Item<$found>, $found),+> IntoEvents<($($found,)+)> for ($($item,)+) {
            #[expect(non_snake_case, reason = "named as their types are")]
            fn into_events(self, events: &mut Events) {
                let ($($item,)+) = self;
                $($item.push_to(events);)+
            }
        }
    )+ };
}

tuples! {
    (A MA)
    (A MA, B MB)
    (A MA, B MB, C MC)
    (A MA, B MB, C MC, D MD)
    (A MA, B MB, C MC, D MD, F MF)
    (A MA, B MB, C MC, D MD, F MF, G MG)
    (A MA, B MB, C MC, D MD, F MF, G MG, H MH)
    (A MA, B MB, C MC, D MD, F MF, G MG, H MH, I MI)
}

/// What a listener of [`ListenBuilder::follow`](crate::ListenBuilder::follow) may return: [`IntoEvents`], or a `Result` of that, whose error is any `E: Into<BoxError>`.
///
/// The parameter `M` is found by the compiler.
#[diagnostic::on_unimplemented(
    message = "a listener's follow-up events cannot be `{Self}`",
    label = "not made of events",
    note = "for exactly one event, return `One(event)`",
    note = "return `Option`, `Vec` or a tuple of events, `Events`, `()`, or a `Result` of one of these"
)]
pub trait IntoFollowUps<M> {
    /// The events, or why the listener has failed.
    ///
    /// # Errors
    ///
    /// The listener's own.
    fn into_follow_ups(self) -> Result<Events, BoxError>;
}

impl<T: IntoEvents<M>, M> IntoFollowUps<found::Surely<M>> for T {
    fn into_follow_ups(self) -> Result<Events, BoxError> {
        let mut events = Events::new();
        events.add(self);
        Ok(events)
    }
}

impl<T: IntoEvents<M>, E: Into<BoxError>, M> IntoFollowUps<found::Perhaps<M>> for Result<T, E> {
    fn into_follow_ups(self) -> Result<Events, BoxError> {
        self.map_err(Into::into)?.into_follow_ups()
    }
}
