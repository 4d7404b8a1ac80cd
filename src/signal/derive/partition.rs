//! One of several: what a partition sorts events into.

use super::Derived;
use super::stages::Parts;
use crate::event::Event;

mod sealed {
    pub trait Sealed {}
}

/// One of several events, each of a type of its own: [`OneOf2`] to [`OneOf6`]. [`Signal::partition`](crate::Signal::partition) makes a signal of each.
pub trait OneOf: sealed::Sealed + Sized + 'static {
    /// A derived signal for each part, as a tuple.
    type Signals;

    #[doc(hidden)]
    fn signals<E: Event, F: Fn(&E) -> Self + Send + Sync + 'static>(
        parts: &Parts<'_, E, F>,
    ) -> Self::Signals;
}

macro_rules! one_of {
    ($(#[$meta:meta])* $name:ident: $($part:ident $number:literal),+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name<$($part),+> {
            $(
                #[doc = concat!("Part ", $number, " of the tuple.")]
                $part($part),
            )+
        }

        impl<$($part),+> sealed::Sealed for $name<$($part),+> {}

        impl<$($part: Event),+> OneOf for $name<$($part),+> {
            type Signals = ($(Derived<$part>,)+);

            fn signals<Source: Event, Sort: Fn(&Source) -> Self + Send + Sync + 'static>(
                parts: &Parts<'_, Source, Sort>,
            ) -> Self::Signals {
                ($(
                    parts.part(concat!("partition.", $number), |one| match one {
                        Self::$part(part) => Some(part),
                        _ => None,
                    }),
                )+)
            }
        }
    };
}

one_of!(
    /// One of two events. It is complete: a partition into more parts is of another type. [`Signal::partition`](crate::Signal::partition) has an example.
    OneOf2: A 1, B 2
);
one_of!(
    /// One of three events. See [`Signal::partition`](crate::Signal::partition).
    OneOf3: A 1, B 2, C 3
);
one_of!(
    /// One of four events. See [`Signal::partition`](crate::Signal::partition).
    OneOf4: A 1, B 2, C 3, D 4
);
one_of!(
    /// One of five events. See [`Signal::partition`](crate::Signal::partition).
    OneOf5: A 1, B 2, C 3, D 4, E 5
);
one_of!(
    /// One of six events. See [`Signal::partition`](crate::Signal::partition).
    OneOf6: A 1, B 2, C 3, D 4, E 5, F 6
);
