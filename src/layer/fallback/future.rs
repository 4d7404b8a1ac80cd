//! The future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::config::{Instead, Wanted};
use super::{Fallback, FallbackError};
use crate::context::{because_of, lacks_permit};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::Decision;
use crate::layer::ending::poll_to_end;
use crate::layer::policy::Failure;
use crate::layer::station::{Station, WayBack};
use crate::outcome::{CallError, Cause, Flow, Outcome, Verdict, catch};

pin_project! {
    /// The future of [`FallbackService`](super::FallbackService).
    pub struct FallbackFuture<F> {
        // Dropped when it has ended: what is done instead may need what it held.
        #[pin]
        call: Option<F>,
        config: Arc<Fallback>,
        delivery: Delivery,
        // The call has failed for good, and this is decided besides.
        failed: Option<(Cause, Option<Decision>)>,
        instead: Option<Instead>,
    }
}

impl<F> FallbackFuture<F> {
    pub(super) fn new(call: F, config: Arc<Fallback>, delivery: Delivery) -> Self {
        Self {
            call: Some(call),
            config,
            delivery,
            failed: None,
            instead: None,
        }
    }
}

impl<F, E> Future for FallbackFuture<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.failed.is_none() {
            let Err(error) = ready!(poll_to_end(this.call, cx)) else {
                return Poll::Ready(Ok(()));
            };
            if !is_final_failure(&error) {
                return Poll::Ready(Err(error));
            }
            let decided = decide(this.config, &error, this.delivery);
            if decided == Some(Decision::DeadLetter) {
                return Poll::Ready(Err(error));
            }
            let cause = Cause::of(error);
            if !is_wanted(this.config, &cause) {
                return Poll::Ready(Err(CallError::new(cause).into()));
            }
            *this.failed = Some((cause, decided));
        }
        let (cause, decided) = this.failed.as_ref().expect("set above");
        if this.instead.is_none() {
            // It was left to a thread that an attempt could not end.
            if lacks_permit() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            *this.instead = Some(begin(this.config, this.delivery, cause));
        }
        let instead = this.instead.as_mut().expect("set above");
        let envelope = this.delivery.envelope();
        let polled = catch(|| because_of(envelope, || instead.as_mut().poll(cx)));
        let verdict = ready!(polled.unwrap_or_else(|message| Poll::Ready(panicked(message))));
        let dropped = catch(|| *this.instead = None);
        let verdict = dropped.map_or_else(panicked, |()| verdict);
        Poll::Ready(conclude(
            this.config,
            this.delivery,
            cause,
            *decided,
            verdict,
        ))
    }
}

/// Whether it has failed, and not been skipped or ended from outside.
fn is_final_failure(error: &BoxError) -> bool {
    let outcome = Cause::outcome_of(&**error);
    outcome.is_failure() && outcome != Outcome::Cancelled
}

fn is_wanted(config: &Fallback, cause: &Cause) -> bool {
    let wanted = |wanted: &Wanted| {
        catch(|| wanted(cause)).unwrap_or_else(|message| {
            tracing::error!(%message, "a condition of a fallback panicked");
            false
        })
    };
    config.wanted.as_ref().is_none_or(wanted)
}

fn station(config: &Fallback) -> Option<Arc<Station>> {
    let back = config.back.as_ref()?.get();
    back.and_then(WayBack::upgrade)
}

/// What is decided for the failure, by itself or by a rule.
fn decide(config: &Fallback, error: &BoxError, delivery: &Delivery) -> Option<Decision> {
    match station(config) {
        Some(station) => {
            let delivery = delivery.latest();
            station.policy.decide(&Failure::new(error, &delivery))
        }
        None => Decision::of(&**error),
    }
}

/// Begins what is done instead.
fn begin(config: &Fallback, delivery: &Delivery, cause: &Cause) -> Instead {
    config.note_use();
    // Those of an attempt that a layer has made a failure of.
    drop(delivery.call().take_follow_ups());
    let has_bus = || station(config).is_some_and(|station| station.onward.is_some());
    if config.emits() && !has_bus() {
        let error = "it emits, and is no layer of a listener of a bus: give it by `fallback(..)`";
        return Box::pin(std::future::ready(Verdict::failed(error)));
    }
    catch(|| because_of(delivery.envelope(), || (config.form)(delivery, cause)))
        .unwrap_or_else(|message| Box::pin(std::future::ready(panicked(message))))
}

/// What the call comes to.
fn conclude(
    config: &Fallback,
    delivery: &Delivery,
    cause: &Cause,
    decided: Option<Decision>,
    verdict: Verdict,
) -> Result<(), BoxError> {
    let fallback = match verdict.0 {
        Flow::Done => None,
        Flow::Break => {
            delivery.call().ask_to_stop();
            None
        }
        Flow::Failed(error) => Some(error),
        Flow::Not(cause) => Some(CallError::new(cause).into()),
    };
    if let Some(fallback) = fallback {
        let call = CallError::new(cause.clone()).into();
        return Err(FallbackError { call, fallback }.into());
    }
    if let Some(station) = station(config) {
        station.keeper.fell_back(cause);
        // For a call that fails, the station does this.
        station.carry_out(decided);
    }
    Ok(())
}

fn panicked(message: Arc<str>) -> Verdict {
    Verdict::not(Cause::Panicked(message))
}

impl<F> fmt::Debug for FallbackFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackFuture")
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}
