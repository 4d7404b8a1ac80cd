//! Streams, sinks, and the next events of a bus.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use self::parts::{Part, Sealed};
use super::Bus;
use crate::event::Event;
use crate::signal::{EmitSink, EnqueueSink, EventStream, Next};

/// # Streams and sinks
///
/// As on [`Signal`](crate::Signal); the signal is found, and made if need be, by the event's type.
impl Bus {
    /// The events of one type that are emitted from now on, as a stream. [`EventStream`] has an example, and [`ListenBuilder::stream`](crate::ListenBuilder::stream) options.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn stream<E: Event>(&self) -> EventStream<E> {
        self.signal().stream()
    }

    /// The next event of this type that `wanted` says yes to. See [`Signal::next`](crate::Signal::next).
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn next<E: Event>(&self, wanted: impl Fn(&E) -> bool + Send + Sync + 'static) -> Next<E> {
        self.signal().next(wanted)
    }

    /// The next event of each of these types, whatever their order: the types are a tuple, of one to eight. `None` if the signal of one of them is gone, or has been shut down, before its event
    /// came.
    ///
    /// All are listened to from this call on. Dropping the future removes the listeners.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use fanfare::Bus;
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Paid(u32);
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Packed(u32);
    ///
    /// let bus = Bus::new();
    /// let both = bus.next_all::<(Paid, Packed)>();
    /// bus.emit(Packed(7)).await;
    /// bus.emit(Packed(8)).await;
    /// bus.emit(Paid(7)).await;
    /// assert_eq!(both.await, Some((Paid(7), Packed(7))));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[track_caller]
    pub fn next_all<T: EventTuple>(&self) -> NextAll<T> {
        NextAll(T::listen(self))
    }

    /// A sink that emits each item. [`EmitSink`] has an example.
    pub fn sink<E: Event>(&self) -> EmitSink<E> {
        self.signal().sink()
    }

    /// A sink that puts each item into the bounded buffer of its signal. [`EnqueueSink`] has an example.
    pub fn enqueue_sink<E: Event>(&self) -> EnqueueSink<E> {
        self.signal().enqueue_sink()
    }
}

/// The future of the next event of each type of a tuple. [`Bus::next_all`] makes it.
///
/// # Cancel safety
///
/// It listens from the call on that made it, whether or not it is polled, and keeps the events that have come until all have: polled by reference, in `select!` say, it misses nothing.
/// Dropping it drops them and removes its listeners.
#[must_use = "a future that is dropped is not listening any more"]
pub struct NextAll<T: EventTuple>(T::Parts);

impl<T: EventTuple> Future for NextAll<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        T::poll(&mut self.0, cx)
    }
}

impl<T: EventTuple> fmt::Debug for NextAll<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextAll")
            .field("events", &std::any::type_name::<T>())
            .finish_non_exhaustive()
    }
}

/// A tuple of one to eight events, for [`Bus::next_all`]. It is implemented for those, and cannot be for anything else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of events",
    label = "not a tuple of one to eight events",
    note = "an event is `Clone + Send + Sync + 'static`; for a single one, write `(Event,)` or use `next`"
)]
pub trait EventTuple: Sealed {}

/// Named by the trait, and by nobody outside.
mod parts {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::super::Bus;
    use crate::event::Event;
    use crate::signal::Next;

    /// One event: what is waited for, and what has come.
    #[derive(Debug)]
    pub struct Part<E: Event> {
        next: Next<E>,
        came: Option<E>,
    }

    impl<E: Event> Unpin for Part<E> {}

    impl<E: Event> Part<E> {
        #[track_caller]
        pub(super) fn of(bus: &Bus) -> Self {
            Self {
                next: Next::of(bus.listen()),
                came: None,
            }
        }

        /// Ready once it has come, with whether it has.
        pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
            if self.came.is_some() {
                return Poll::Ready(true);
            }
            let next = Pin::new(&mut self.next).poll(cx);
            next.map(|came| {
                self.came = came;
                self.came.is_some()
            })
        }

        pub(super) fn take(&mut self) -> E {
            self.came.take().expect("all have come")
        }
    }

    pub trait Sealed: Sized {
        type Parts: Unpin + Send;

        #[track_caller]
        fn listen(bus: &Bus) -> Self::Parts;

        fn poll(parts: &mut Self::Parts, cx: &mut Context<'_>) -> Poll<Option<Self>>;
    }
}

macro_rules! tuples {
    ($(($($event:ident),+))+) => { $(
        impl<$($event: Event),+> EventTuple for ($($event,)+) {}

        impl<$($event: Event),+> Sealed for ($($event,)+) {
            type Parts = ($(Part<$event>,)+);

            #[track_caller]
            fn listen(bus: &Bus) -> Self::Parts {
                ($(Part::<$event>::of(bus),)+)
            }

            #[expect(non_snake_case, reason = "named as their types are")]
            fn poll(parts: &mut Self::Parts, cx: &mut Context<'_>) -> Poll<Option<Self>> {
                let ($($event,)+) = parts;
                let mut pending = false;
                $(match $event.poll(cx) {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => return Poll::Ready(None),
                    Poll::Pending => pending = true,
                })+
                if pending {
                    return Poll::Pending;
                }
                Poll::Ready(Some(($($event.take(),)+)))
            }
        }
    )+ };
}

tuples! {
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, F)
    (A, B, C, D, F, G)
    (A, B, C, D, F, G, H)
    (A, B, C, D, F, G, H, I)
}
