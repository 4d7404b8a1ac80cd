//! The listeners of one emission that run.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream as _;
use futures_util::stream::FuturesUnordered;

use super::running::{Finished, Running};
use super::tasks::Tasks;

/// The listeners that have been started and have not finished.
pub(super) enum Active {
    None,
    Here(FuturesUnordered<Running>),
    Tasks(Tasks),
}

impl Active {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Here(running) => running.is_empty(),
            Self::Tasks(tasks) => tasks.is_empty(),
        }
    }

    pub(super) fn here(&mut self) -> &mut FuturesUnordered<Running> {
        if !matches!(self, Self::Here(_)) {
            *self = Self::Here(FuturesUnordered::new());
        }
        match self {
            Self::Here(running) => running,
            _ => unreachable!("set above"),
        }
    }

    pub(super) fn tasks(&mut self) -> &mut Tasks {
        if !matches!(self, Self::Tasks(_)) {
            *self = Self::Tasks(Tasks::default());
        }
        match self {
            Self::Tasks(tasks) => tasks,
            _ => unreachable!("set above"),
        }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished>> {
        match self {
            Self::None => Poll::Ready(None),
            Self::Here(running) => Pin::new(running).poll_next(cx),
            Self::Tasks(tasks) => tasks.poll_next(cx),
        }
    }
}
