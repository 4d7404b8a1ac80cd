//! The future.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use pin_project_lite::pin_project;

use super::config::{Taken, Wanted};
use super::{DeadLetter, Letter};
use crate::error::BoxError;
use crate::event::Delivery;
use crate::layer::Decision;
use crate::layer::ending::poll_to_end;
use crate::layer::policy::Failure;
use crate::outcome::{CallError, Cause, Outcome, catch};

pin_project! {
    /// The future of [`DeadLetterService`](super::DeadLetterService).
    pub struct DeadLetterFuture<F> {
        // Dropped when it has ended: whoever takes the letter may need what it held.
        #[pin]
        call: Option<F>,
        config: Arc<DeadLetter>,
        delivery: Delivery,
        // The call has failed; its letter is being taken.
        failed: Option<(Cause, Taken)>,
    }
}

impl<F> DeadLetterFuture<F> {
    pub(super) fn new(call: F, config: Arc<DeadLetter>, delivery: Delivery) -> Self {
        Self {
            call: Some(call),
            config,
            delivery,
            failed: None,
        }
    }
}

impl<F, E> Future for DeadLetterFuture<F>
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
            let asked = is_asked(this.config, &error, this.delivery);
            let cause = Cause::of(error);
            if !(asked || is_wanted(this.config, &cause)) || !is_final_failure(&cause) {
                return Poll::Ready(Err(CallError::new(cause).into()));
            }
            let letter = letter(this.config, cause.clone(), this.delivery);
            let sink = &this.config.sink;
            let taken = catch(|| sink(letter))
                .unwrap_or_else(|message| Box::pin(std::future::ready(Err(panicked(&message)))));
            *this.failed = Some((cause, taken));
        }
        let (_, taken) = this.failed.as_mut().expect("set above");
        let taken = match catch(|| taken.as_mut().poll(cx)) {
            Ok(polled) => ready!(polled),
            Err(message) => Err(panicked(&message)),
        };
        let (cause, _) = this.failed.take().expect("looked at above");
        let error = CallError::new(cause);
        Poll::Ready(Err(match taken {
            Ok(()) => {
                this.delivery.call().note_letter();
                tracing::info!(
                    signal = this.delivery.signal(),
                    key = this.delivery.listener_key(),
                    attempt = this.delivery.call().attempts(),
                    cause = %error.cause(),
                    "a dead letter was taken"
                );
                error.into()
            }
            Err(letter) => DeadLetterError {
                call: error.into(),
                letter,
            }
            .into(),
        }))
    }
}

/// Whether the error, or a rule, says that it is to be dead-lettered.
fn is_asked(config: &DeadLetter, error: &BoxError, delivery: &Delivery) -> bool {
    let delivery = delivery.latest();
    config.policy.decide(&Failure::new(error, &delivery)) == Some(Decision::DeadLetter)
}

fn is_wanted(config: &DeadLetter, cause: &Cause) -> bool {
    // Rather one letter too many than one too few.
    let wanted = |wanted: &Wanted| catch(|| wanted(cause)).unwrap_or(true);
    !config.only_asked && config.wanted.as_ref().is_none_or(wanted)
}

fn is_final_failure(cause: &Cause) -> bool {
    let outcome = cause.outcome();
    outcome.is_failure() && outcome != Outcome::Cancelled
}

fn letter(config: &DeadLetter, cause: Cause, delivery: &Delivery) -> Letter {
    Letter {
        cause,
        failed_at: SystemTime::now(),
        age: delivery.age(),
        back: config.back.as_ref().and_then(|back| back.get().cloned()),
        delivery: delivery.latest(),
    }
}

fn panicked(message: &str) -> BoxError {
    format!("panicked: {message}").into()
}

/// A call has failed for good, and so has whoever was to take its letter. The event is in neither's hands.
#[derive(Debug)]
pub struct DeadLetterError {
    call: BoxError,
    letter: BoxError,
}

impl DeadLetterError {
    /// Why the call failed. See [`DeadLetter`](crate::layer::DeadLetter).
    pub fn call(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.call
    }

    /// Why its letter was not taken. See [`DeadLetter`](crate::layer::DeadLetter).
    pub fn letter(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.letter
    }
}

impl fmt::Display for DeadLetterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; and its dead letter was not taken: {}",
            self.call, self.letter
        )
    }
}

impl Error for DeadLetterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.call.source()
    }
}

impl<F> fmt::Debug for DeadLetterFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetterFuture")
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}
