//! Listeners that return events.

use std::future::Future;

use futures_util::FutureExt as _;

use super::listen::WithDelivery;
use super::register::registered;
use super::{ListenBuilder, Signal, Subscription};
use crate::error::BoxError;
use crate::event::{Delivery, Event, Events, IntoEvents, IntoFollowUps};
use crate::layer::{event_of, follow_up, leaf};
use crate::registry::RegisterError;

/// # Events that follow
///
/// What the listener returns is emitted on the bus of its signal, once the call has succeeded: after all attempts and with all layers, never when it fails, and once however often it was tried.
///
/// Its events are emitted one after another, in their order, as a part of the call: the emission waits for them, the permit of the listener goes back meanwhile, the recursion limit counts them, and they
/// inherit [ids](Delivery::causation_id) from the delivery. What their own listeners do is told by their own signals; it makes no failure of this one.
///
/// # Failures
///
/// Whatever is not emitted is dropped, counted by [`Stats::follow_ups_lost`](crate::Stats::follow_ups_lost), and logged with its types.
///
/// - **The call is ended while they are emitted** (its emission dropped, cancelled or timed out): the emission that is under way is cancelled, and those whose turn has not come are dropped. The
///   deadline of the listener is over by then, and does not end them.
/// - **The signal of an event is shut down**, or the bus: the others are emitted, and the listener is reported as cancelled by shutdown.
/// - **The bus is gone**: the listener is reported as failed, with [`FollowUpError`](crate::FollowUpError), which names the types.
/// - **Events that lead back to themselves** end at the [recursion limit](crate::SignalBuilder::recursion_limit), with the path in the rejection.
impl<E: Event> ListenBuilder<'_, E> {
    /// Registers an async closure that returns events. See [`Signal::follow`](crate::Signal::follow).
    ///
    /// # Errors
    ///
    /// [`RegisterError::NoBus`], if the signal is none of a bus; or as [`on`](Self::on).
    pub fn follow<F, Fut, M>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoFollowUps<M>> + Send + 'static, // fix: return `One(event)`, or an `Option`, `Vec` or tuple of events; hold nothing that is not `Send` across an `.await`
    {
        self.register_follow(false, move |d| {
            let attempt = listener.clone()(event_of::<E>(d).clone());
            attempt.map(collect::<Fut::Output, M> as fn(_) -> _)
        })
    }

    /// Registers an async closure that returns events and can fail: `?` works with no annotation. See [`Signal::try_follow`](crate::Signal::try_follow).
    ///
    /// # Errors
    ///
    /// As [`follow`](Self::follow).
    pub fn try_follow<F, Fut, R, M>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<R, BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
        R: IntoEvents<M>, // fix: return `Ok(One(event))`, or an `Option`, `Vec` or tuple of events
    {
        self.follow(listener)
    }
}

/// # Events that follow, with the delivery
impl<E: Event> ListenBuilder<'_, E, WithDelivery> {
    /// Registers an async closure of the event and its delivery that returns events. See [`Signal::follow`](crate::Signal::follow).
    ///
    /// # Errors
    ///
    /// [`RegisterError::NoBus`], if the signal is none of a bus; or as [`on`](Self::on).
    pub fn follow<F, Fut, M>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E, Delivery) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type and a `Delivery`; an `Arc` of what it captures
        Fut: Future<Output: IntoFollowUps<M>> + Send + 'static, // fix: return `One(event)`, or an `Option`, `Vec` or tuple of events; hold nothing that is not `Send` across an `.await`
    {
        self.register_follow(true, move |d| {
            let attempt = listener.clone()(event_of::<E>(d).clone(), d.clone());
            attempt.map(collect::<Fut::Output, M> as fn(_) -> _)
        })
    }

    /// Registers an async closure of the event and its delivery that returns events and can fail. See [`Signal::try_follow`](crate::Signal::try_follow).
    ///
    /// # Errors
    ///
    /// As [`follow`](Self::follow).
    pub fn try_follow<F, Fut, R, M>(self, listener: F) -> Result<Subscription, RegisterError>
    where
        F: FnOnce(E, Delivery) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type and a `Delivery`; an `Arc` of what it captures
        Fut: Future<Output = Result<R, BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
        R: IntoEvents<M>, // fix: return `Ok(One(event))`, or an `Option`, `Vec` or tuple of events
    {
        self.follow(listener)
    }
}

impl<E: Event, Takes> ListenBuilder<'_, E, Takes> {
    /// Registers what makes attempts that end with events.
    fn register_follow<F, Fut>(
        self,
        wants_time: bool,
        attempt: F,
    ) -> Result<Subscription, RegisterError>
    where
        F: Fn(&Delivery) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Events, BoxError>> + Send + 'static,
    {
        let call = move |d: &Delivery| follow_up(attempt(d), d.clone());
        self.register_stack(wants_time, true, |_| leaf(call), |layered| layered)
    }
}

/// A function by itself: the type of what maps to it does not name `M`.
fn collect<T: IntoFollowUps<M>, M>(returned: T) -> Result<Events, BoxError> {
    returned.into_follow_ups()
}

/// # Events that follow
impl<E: Event> Signal<E> {
    /// Registers an async closure that returns events, for a signal of a bus. They are emitted once it has succeeded: [`ListenBuilder`](crate::ListenBuilder#events-that-follow) says how.
    ///
    /// It returns [`IntoEvents`]: [`One`](crate::One) event, an `Option`, a `Vec` or a tuple of events; or a `Result` of that.
    ///
    /// # Performance
    ///
    /// That of a listener with a layer; an allocation for each event that it returns, and one for its emission.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use fanfare::Bus;
    ///
    /// #[derive(Clone)]
    /// struct OrderPlaced { id: u64, total: u64 }
    /// #[derive(Clone)]
    /// struct Review { order: u64 }
    ///
    /// let bus = Bus::new();
    /// let placed = bus.signal::<OrderPlaced>();
    /// placed.follow(async |order| (order.total > 1_000).then_some(Review { order: order.id }));
    /// bus.on(async |review: Review| println!("look at order {}", review.order));
    ///
    /// placed.emit(OrderPlaced { id: 7, total: 20 }).await;
    /// placed.emit(OrderPlaced { id: 8, total: 2_000 }).await;
    /// assert_eq!(bus.signal::<Review>().stats().emissions(), 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the signal is none of a bus; or as [`on`](Self::on).
    #[track_caller]
    pub fn follow<F, Fut, M>(&self, listener: F) -> Subscription
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output: IntoFollowUps<M>> + Send + 'static, // fix: return `One(event)`, or an `Option`, `Vec` or tuple of events; hold nothing that is not `Send` across an `.await`
    {
        registered(self.listen().follow(listener))
    }

    /// Registers an async closure that returns events and can fail: `?` works in it with no annotation, since its error type is [`BoxError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use fanfare::{Bus, One};
    ///
    /// let bus = Bus::new();
    /// let lines = bus.signal::<String>();
    /// lines.try_follow(async |line| {
    ///     let number: u32 = line.trim().parse()?;
    ///     Ok(One(number))
    /// });
    /// assert!(lines.emit("7".to_owned()).await.is_ok());
    /// assert_eq!(lines.emit("seven".to_owned()).await.failed(), 1);
    /// assert_eq!(bus.unknown_events(), 1); // nobody listens to numbers
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`follow`](Self::follow).
    #[track_caller]
    pub fn try_follow<F, Fut, R, M>(&self, listener: F) -> Subscription
    where
        F: FnOnce(E) -> Fut + Clone + Send + Sync + 'static, // fix: the signal's event type; an `Arc` of what it captures
        Fut: Future<Output = Result<R, BoxError>> + Send + 'static, // fix: hold nothing that is not `Send` across an `.await` (`Arc` for `Rc`)
        R: IntoEvents<M>, // fix: return `Ok(One(event))`, or an `Option`, `Vec` or tuple of events
    {
        registered(self.listen().try_follow(listener))
    }
}
