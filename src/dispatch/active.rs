//! The listeners of one emission that run beyond their first poll, apart from the one in the emission's own place.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream as _;
use futures_util::stream::FuturesUnordered;

use super::Core;
use super::running::{Finished, Parked};
use super::tasks::Tasks;
use crate::event::Event;

/// So many are all polled whenever one may have moved, which costs less than to know which. Beyond, each has a waker of its own.
const FEW: usize = 32;

/// The listeners that have been started and have not finished.
pub(super) enum Active<E: Event> {
    None,
    Few(Few<E>),
    Many(FuturesUnordered<Parked<E>>),
    Tasks(Tasks<E>),
}

pub(super) struct Few<E: Event> {
    pub(super) parked: Vec<Parked<E>>,
    /// Those before this place have been polled in this poll of the emission.
    polled: usize,
}

impl<E: Event> Active<E> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Few(few) => few.parked.is_empty(),
            Self::Many(many) => many.is_empty(),
            Self::Tasks(tasks) => tasks.is_empty(),
        }
    }

    /// The tasks, if that is how the listeners run.
    pub(super) fn running_tasks(&self) -> Option<&Tasks<E>> {
        match self {
            Self::Tasks(tasks) => Some(tasks),
            _ => None,
        }
    }

    /// A new poll of the emission begins.
    pub(super) fn rewind(&mut self) {
        if let Self::Few(few) = self {
            few.polled = 0;
        }
    }

    /// Keeps a call that has been polled just now and has suspended.
    pub(super) fn park(&mut self, call: Parked<E>) {
        if let Self::None = self {
            *self = Self::Few(Few {
                parked: Vec::with_capacity(FEW),
                polled: 0,
            });
        }
        match self {
            Self::Few(few) if few.parked.len() < FEW => {
                if few.polled == few.parked.len() {
                    few.polled += 1;
                }
                few.parked.push(call);
            }
            Self::Few(few) => {
                let parked = std::mem::take(&mut few.parked);
                *self = Self::Many(parked.into_iter().chain([call]).collect());
            }
            Self::Many(many) => many.push(call),
            Self::None | Self::Tasks(_) => unreachable!("calls run here, or all in tasks"),
        }
    }

    /// The tasks of the emission, made if there are none yet and if they can be.
    pub(super) fn tasks(
        &mut self,
        make: impl FnOnce() -> Option<Tasks<E>>,
    ) -> Option<&mut Tasks<E>> {
        if !matches!(self, Self::Tasks(_)) {
            *self = Self::Tasks(make()?);
        }
        match self {
            Self::Tasks(tasks) => Some(tasks),
            _ => unreachable!("set above"),
        }
    }

    /// The next call that has ended. `None` if none runs. With a `probe`, the polls are timed, unless there are many or they are of tasks.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        probe: Option<&Core>,
    ) -> Poll<Option<Finished<E>>> {
        match self {
            Self::None => Poll::Ready(None),
            Self::Few(few) => few.poll_next(cx, probe),
            Self::Many(many) => Pin::new(many).poll_next(cx),
            Self::Tasks(tasks) => tasks.poll_next(cx),
        }
    }
}

impl<E: Event> Few<E> {
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        probe: Option<&Core>,
    ) -> Poll<Option<Finished<E>>> {
        while let Some(call) = self.parked.get_mut(self.polled) {
            if let Poll::Ready(finished) = call.0.as_mut().poll_call(cx, probe) {
                self.parked.remove(self.polled);
                return Poll::Ready(Some(finished));
            }
            self.polled += 1;
        }
        if self.parked.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
