//! What can end an emission early, apart from dropping it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Core;
use crate::clock::{self, Instant};
use crate::outcome::{Cancellation, Cause};
use crate::sync::sleep_until;

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

    /// What it means for a listener that was started and is dropped now.
    pub(super) fn cause_of_running(self) -> Cause {
        match self {
            Self::Deadline(given) => Cause::TimedOut(given),
            Self::Cancelled(_) => self.cause(),
        }
    }
}

/// Deadline and tokens of one emission. Looked at when it begins and while it is suspended: an emission that never suspends pays nothing.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) deadline: Option<(Instant, Duration)>,
    pub(super) token: Option<CancellationToken>,
    waiting: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
}

impl Watch {
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

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, core: &Core) -> Poll<Ended> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let drained = core.drained.clone();
            let (own, outer) = (self.token.take(), core.options.token.clone());
            let deadline = self.deadline;
            Box::pin(async move {
                tokio::select! {
                    biased;
                    () = drained.cancelled() => Ended::Cancelled(Cancellation::Shutdown),
                    () = fired(own) => Ended::Cancelled(Cancellation::Token),
                    () = fired(outer) => Ended::Cancelled(Cancellation::Token),
                    given = passed(deadline) => Ended::Deadline(given),
                }
            })
        });
        waiting.as_mut().poll(cx)
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
