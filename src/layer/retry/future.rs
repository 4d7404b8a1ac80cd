//! The future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_service::Service;

use super::service::{Settings, Shared};
use super::state::{Attempts, Next, Wish, elapsed};
use crate::clock::{self, Instant, Sleep, sleep_until};
use crate::context::{WithoutPermit, lacks_permit, without_permit};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::Decision;
use crate::layer::policy::Failure;
use crate::outcome::{CallError, Cause, CauseOf, Outcome, Rejection, catch};

/// So many attempts are made without a wait before other tasks have their turn.
const AT_ONCE: u32 = 32;

pin_project! {
    /// The future of [`RetryService`](super::RetryService).
    pub struct RetryFuture<S: Service<Delivery>> {
        #[pin]
        phase: Phase<S>,
        inner: S,
        shared: Arc<Shared>,
        delivery: Delivery,
        // When the call began, if a limit asks for it.
        begun: Option<Instant>,
        // Attempts in a row without a wait.
        at_once: u32,
        // Made by the first failure, and the settings that it goes by.
        attempts: Option<Box<(u64, Attempts)>>,
    }
}

pin_project! {
    #[project = PhaseProjection]
    enum Phase<S: Service<Delivery>> {
        Attempt { #[pin] attempt: Oneshot<S, Delivery> },
        // Whoever drives the call may take it to the background before the wait begins.
        Handover { number: u32, wait: Duration },
        Wait { number: u32, wait: WithoutPermit<Sleep> },
    }
}

impl<S: Service<Delivery> + Clone> RetryFuture<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>, delivery: Delivery) -> Self {
        let begun = shared.called();
        let attempt = inner.clone().oneshot(delivery.clone());
        Self {
            phase: Phase::Attempt { attempt },
            inner,
            shared,
            delivery,
            begun,
            at_once: 0,
            attempts: None,
        }
    }
}

impl<S> Future for RetryFuture<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (number, wait) = match this.phase.as_mut().project() {
                PhaseProjection::Attempt { attempt } => {
                    // A layer inside may panic where the listener's own panics are caught already.
                    let polled = catch(|| attempt.poll(cx).map_err(Into::into));
                    let Err(error) = ready!(polled.unwrap_or_else(panicked)) else {
                        return Poll::Ready(Ok(()));
                    };
                    let settings = this.shared.settings();
                    let attempts = attempts_by(&settings, this.attempts);
                    let (shared, begun) = (&*this.shared, &mut *this.begun);
                    let next = after(&error, &settings, shared, this.delivery, begun, attempts);
                    let Next::Attempt { number, wait } = next else {
                        return Poll::Ready(Err(error));
                    };
                    tracing::debug!(
                        signal = this.delivery.signal(),
                        key = this.delivery.listener_key(),
                        attempt = number,
                        ?wait,
                        cause = %CauseOf(&error),
                        "another attempt"
                    );
                    let background = settings.retry.background && !wait.is_zero();
                    if background && this.delivery.call().ask_to_defer() {
                        this.phase.set(Phase::Handover { number, wait });
                        // If nobody takes it, it goes on here.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    *this.at_once = if wait.is_zero() { *this.at_once + 1 } else { 0 };
                    // The attempt is dropped first: it may leave its permit to a thread.
                    let dropped = catch(|| this.phase.set(Phase::Handover { number, wait }));
                    if let Err(message) = dropped {
                        tracing::error!(signal = this.delivery.signal(), %message, "an attempt that had failed panicked while it was dropped");
                    }
                    if *this.at_once == AT_ONCE || (wait.is_zero() && lacks_permit()) {
                        *this.at_once = 0;
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    (number, wait)
                }
                PhaseProjection::Handover { number, wait } => (*number, *wait),
                PhaseProjection::Wait { number, wait } => {
                    ready!(Pin::new(wait).poll(cx));
                    (*number, Duration::ZERO)
                }
            };
            if wait.is_zero() {
                *this.delivery = this.delivery.again(number);
                let attempt = this.inner.clone().oneshot(this.delivery.clone());
                this.phase.set(Phase::Attempt { attempt });
            } else {
                // A wait beyond the clock's range is as good as for ever.
                let ends = clock::now().checked_add(wait);
                let ends = ends.unwrap_or_else(|| clock::now() + Duration::from_secs(1 << 30));
                let wait = without_permit(sleep_until(ends));
                this.phase.set(Phase::Wait { number, wait });
            }
        }
    }
}

fn panicked(message: Arc<str>) -> Poll<Result<(), BoxError>> {
    Poll::Ready(Err(CallError::new(Cause::Panicked(message)).into()))
}

/// The attempts of a call, by the settings that are in effect now.
fn attempts_by<'a>(
    settings: &Settings,
    attempts: &'a mut Option<Box<(u64, Attempts)>>,
) -> &'a mut Attempts {
    let Settings { number, retry } = settings;
    let (limits, begin) = (retry.limits, || retry.delays.begin());
    let attempts =
        &mut **attempts.get_or_insert_with(|| Box::new((*number, Attempts::new(limits, begin()))));
    if attempts.0 != *number {
        attempts.0 = *number;
        attempts.1.change(limits, begin());
    }
    &mut attempts.1
}

/// What happens after an attempt that failed.
fn after(
    error: &BoxError,
    settings: &Settings,
    shared: &Shared,
    delivery: &Delivery,
    begun: &mut Option<Instant>,
    attempts: &mut Attempts,
) -> Next {
    let config = &settings.retry;
    let failure = Failure::new(error, delivery);
    let wish = match config.policy.decide(&failure) {
        Some(decision) => wish_of(decision),
        None => wish_by_default(error, config.panics, config.rejections),
    };
    let now = clock::now();
    let left = delivery
        .deadline()
        .map(|deadline| deadline.saturating_duration_since(now));
    // Where no limit asked for it when the call began, one may ask now.
    let begun = *begun.get_or_insert(now);
    let next = attempts.failed(wish, elapsed(begun, now), left, shared.dice());
    let counts = matches!(next, Next::Attempt { .. }) && !matches!(wish, Wish::Snooze(_));
    match &config.budget {
        Some(budget) if counts && !budget.takes() => Next::GiveUp,
        _ => next,
    }
}

fn wish_of(decision: Decision) -> Wish {
    match decision {
        Decision::Retry => Wish::After(Duration::ZERO),
        Decision::RetryAfter(wait) => Wish::After(wait),
        Decision::Snooze(wait) => Wish::Snooze(wait),
        Decision::GiveUp | Decision::DeadLetter | Decision::Disable | Decision::Pause(_) => {
            Wish::GiveUp
        }
    }
}

/// What is done if nothing was decided.
fn wish_by_default(error: &BoxError, panics: bool, rejections: bool) -> Wish {
    let again = match Cause::outcome_of(&**error) {
        Outcome::Failed | Outcome::TimedOut => true,
        Outcome::Panicked => panics,
        Outcome::Rejected => rejections,
        _ => false,
    };
    if !again {
        return Wish::GiveUp;
    }
    let rejection = match error.downcast_ref().map(CallError::cause) {
        Some(Cause::Rejected(rejection)) => Some(rejection),
        _ => None,
    };
    let at_least = match rejection {
        Some(Rejection::RateLimited { retry_after }) => *retry_after,
        Some(Rejection::CircuitOpen { retry_after }) => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    Wish::Again { at_least }
}

impl<S: Service<Delivery>> fmt::Debug for RetryFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture")
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}
