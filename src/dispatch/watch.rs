//! What can end an emission early, apart from dropping it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Core;
use crate::clock::{self, Instant};
use crate::outcome::{Cancellation, Cause};
use crate::sync::{AtomicBool, Notify, Ordering, sleep_until};

/// Who ended an emission early.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    Deadline(Duration),
    Cancelled(Cancellation),
}

impl Ended {
    /// What it means for a listener whose turn has not come, and for one whose blocking thread goes on with nobody waiting.
    pub(super) fn cause(self) -> Cause {
        Cause::Cancelled(match self {
            Self::Deadline(_) => Cancellation::Deadline,
            Self::Cancelled(cancellation) => cancellation,
        })
    }

    /// What it means for a listener that was started and is dropped now, or whose thread nobody can stop.
    pub(super) fn cause_of(self, on_thread: bool) -> Cause {
        match self {
            Self::Deadline(given) if !on_thread => Cause::TimedOut(given),
            Self::Deadline(_) | Self::Cancelled(_) => self.cause(),
        }
    }
}

/// Fires once. That of a shutdown that has waited long enough is waited for by every emission that suspends, so it is the least that can be waited for: a lock when it begins and one when it ends.
#[derive(Default)]
pub(crate) struct Alarm {
    fired: AtomicBool,
    waiting: Notify,
}

impl Alarm {
    /// True if it had not fired.
    pub(crate) fn fire(&self) -> bool {
        let first = !self.fired.swap(true, Ordering::SeqCst);
        self.waiting.notify_waiters();
        first
    }

    /// Whoever does not see that it has fired after this was made is woken.
    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.waiting.notified()
    }

    /// Ready once it has fired.
    pub(crate) async fn fires(&self) {
        let fires = self.wait();
        if !self.has_fired() {
            fires.await;
        }
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }
}

/// Deadline and tokens of one emission. Looked at when it begins and while it is suspended: an emission that never suspends pays nothing.
#[derive(Default)]
pub(super) struct Watch<'a> {
    pub(super) deadline: Option<(Instant, Duration)>,
    pub(super) token: Option<CancellationToken>,
    drained: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
    /// What is waited for besides, if anything is.
    waiting: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
}

impl<'a> Watch<'a> {
    /// Whether the emission has ended before it began.
    pub(super) fn ended(&self, core: &Core) -> Option<Ended> {
        let tokens = [&self.token, &core.options.token];
        if tokens
            .into_iter()
            .flatten()
            .any(CancellationToken::is_cancelled)
        {
            return Some(Ended::Cancelled(Cancellation::Token));
        }
        let (at, given) = self.deadline?;
        (clock::now() >= at).then_some(Ended::Deadline(given))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, core: &'a Core) -> Poll<Ended> {
        let drained = self.drained.get_or_insert_with(|| {
            let (own, outer) = (self.token.take(), core.options.token.clone());
            let deadline = self.deadline;
            if own.is_some() || outer.is_some() || deadline.is_some() {
                self.waiting = Some(Box::pin(first(own, outer, deadline)));
            }
            Box::pin(core.drained.wait())
        });
        if core.drained.has_fired() || drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ended::Cancelled(Cancellation::Shutdown));
        }
        match &mut self.waiting {
            Some(waiting) => waiting.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

async fn first(
    own: Option<CancellationToken>,
    outer: Option<CancellationToken>,
    deadline: Option<(Instant, Duration)>,
) -> Ended {
    tokio::select! {
        biased;
        () = fired(own) => Ended::Cancelled(Cancellation::Token),
        () = fired(outer) => Ended::Cancelled(Cancellation::Token),
        given = passed(deadline) => Ended::Deadline(given),
    }
}

async fn fired(token: Option<CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => pending().await,
    }
}

async fn passed(deadline: Option<(Instant, Duration)>) -> Duration {
    match deadline {
        Some((at, given)) => {
            sleep_until(at).await;
            given
        }
        None => pending().await,
    }
}
