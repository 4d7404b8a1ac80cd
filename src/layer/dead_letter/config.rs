//! The config, which is the layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tower_layer::Layer;

use super::{DeadLetterService, DeadLetters, Letter};
use crate::error::BoxError;
use crate::layer::FailurePolicy;
use crate::layer::station::WayBack;
use crate::outcome::{Cause, Flow, IntoOutcome};

/// Hands what has failed for good to someone: a listener, a signal, or a store that it can be redriven from.
///
/// It takes calls that failed, panicked, timed out or were rejected after all their attempts; the failure itself stays in the report. A call that was cancelled or skipped makes no letter. Its
/// place is outside everything that could still save the call.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Signal;
/// use fanfare::layer::{DeadLetter, Retry};
///
/// let signal = Signal::<u32>::new();
/// signal
///     .listen()
///     .retry(Retry::exponential())
///     .dead_letter(DeadLetter::to(async |letter| {
///         assert_eq!((letter.event::<u32>(), letter.attempts()), (Some(&7), 3));
///     }))
///     .on(async |_| Err::<(), _>("no connection"))?;
/// assert_eq!(signal.emit(7).await.failed(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a dead letter does nothing until it is given to a listener, a signal or a bus"]
pub struct DeadLetter {
    pub(super) sink: Sink,
    pub(super) only_asked: bool,
    pub(super) wanted: Option<Wanted>,
    pub(super) policy: Arc<FailurePolicy>,
    pub(super) back: Option<Arc<std::sync::OnceLock<WayBack>>>,
    name: &'static str,
    /// The signal that the letters are emitted on.
    leads_to: Option<u64>,
}

pub(super) type Wanted = Arc<dyn Fn(&Cause) -> bool + Send + Sync>;
/// Takes one letter.
pub(super) type Sink = Arc<dyn Fn(Letter) -> Taken + Send + Sync>;
pub(super) type Taken = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

impl DeadLetter {
    fn with(name: &'static str, sink: Sink) -> Self {
        Self {
            sink,
            only_asked: false,
            wanted: None,
            policy: Arc::default(),
            back: None,
            name,
            leads_to: None,
        }
    }

    /// To an async closure, which may fail: then both errors are reported. See [`DeadLetter`](crate::layer::DeadLetter).
    pub fn to<F, Fut>(listener: F) -> Self
    where
        F: FnOnce(Letter) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        let sink = move |letter| -> Taken {
            let taken = listener.clone()(letter);
            Box::pin(async {
                match taken.await.into_outcome().0 {
                    Flow::Done | Flow::Break => Ok(()),
                    Flow::Failed(error) => Err(error),
                    Flow::Not(cause) => Err(cause.to_string().into()),
                }
            })
        };
        Self::with("to a listener", Arc::new(sink))
    }

    /// To a store in memory. See [`DeadLetters`].
    pub fn keep(letters: &DeadLetters) -> Self {
        let letters = letters.clone();
        let sink = move |letter| -> Taken { Box::pin(std::future::ready(letters.put(letter))) };
        Self::with("to a store", Arc::new(sink))
    }

    /// To a signal, by its number.
    pub(crate) fn to_signal_of(
        signal: u64,
        emit: impl Fn(Letter) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            leads_to: Some(signal),
            ..Self::with("to a signal", Arc::new(emit))
        }
    }

    /// Takes only those that a [`Decision::DeadLetter`](crate::layer::Decision::DeadLetter) names, by their error or by a policy. Default: every failure that is final.
    /// See [`DeadLetter`](crate::layer::DeadLetter).
    pub fn only_asked(mut self) -> Self {
        self.only_asked = true;
        self
    }

    /// Takes only those that `wanted` says yes to. Default: all. See [`DeadLetter`](crate::layer::DeadLetter).
    pub fn when(mut self, wanted: impl Fn(&Cause) -> bool + Send + Sync + 'static) -> Self {
        self.wanted = Some(Arc::new(wanted));
        self
    }

    /// Asks these rules whether a failure is to be dead-lettered.
    pub(crate) fn under(mut self, policy: &FailurePolicy) -> Self {
        self.policy = Arc::new(policy.clone());
        self
    }

    /// Gives the letters a way back to the listener, once that is known.
    pub(crate) fn with_way_back(mut self, back: &Arc<std::sync::OnceLock<WayBack>>) -> Self {
        self.back = Some(Arc::clone(back));
        self
    }

    pub(crate) fn leads_to(&self) -> Option<u64> {
        self.leads_to
    }
}

impl<S> Layer<S> for DeadLetter {
    type Service = DeadLetterService<S>;

    fn layer(&self, inner: S) -> DeadLetterService<S> {
        DeadLetterService::new(inner, self.clone())
    }
}

impl fmt::Display for DeadLetter {
    /// "to a listener"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.only_asked {
            f.write_str(", if asked")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeadLetter({self})")
    }
}
