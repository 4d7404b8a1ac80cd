//! The config, which is the layer.

use std::fmt;

use tower_layer::Layer;

use super::TraceService;
use crate::error::OptionError;
use crate::span::{Detail, Rule};

/// Opens `tracing` spans: one named `emit` around an emission, and inside it one named `deliver` around each call of a listener, with all its attempts.
///
/// For a signal or a bus that is given it. For one listener alone it opens the `deliver` span only; so it does as a layer that is put somewhere by hand. The chapter on tracing in the book has
/// the fields of both spans, and of the events that are in them.
///
/// It stands outermost, so that what the layers inside log is in the span too. An emission shares its event, as with any layer. Where no subscriber asks for the spans, or the emission is not
/// sampled, a listener that has no other layer, does not block and takes the event alone is called without its stack. Where there are spans, the emission takes the way of those that are more than a pass, its
/// listeners are called through the stack of layers, and each call makes a span.
///
/// # Sampling
///
/// Whether there are spans is decided once an emission, before a span is made; its calls follow. Where the emission has a `traceparent` header, given or inherited, its sampled flag decides.
/// What is emitted in a listener follows the emission that the listener was called by. Else [`sample`](Self::sample) decides.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Bus;
/// use fanfare::layer::Trace;
///
/// let bus = Bus::builder().trace(Trace::info().sample(64)).build();
/// bus.listen::<u32>().key("audit").on(async |_| tracing::info!("in the span"))?;
/// assert!(bus.emit(1_u32).await.is_ok());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    rule: Rule,
}

impl Trace {
    /// Spans of the level INFO. See [`Trace`](crate::layer::Trace).
    pub fn info() -> Self {
        Self::of(Detail::Info)
    }

    /// Spans of the level DEBUG. See [`Trace`](crate::layer::Trace).
    pub fn debug() -> Self {
        Self::of(Detail::Debug)
    }

    fn of(detail: Detail) -> Self {
        let rule = Rule { detail, one_in: 1 };
        Self { rule }
    }

    /// Opens spans for the first of every `one_in` emissions that no parent decides about. Default: 1, which is all; from 1. See [`Trace`](crate::layer::Trace).
    #[must_use]
    pub fn sample(mut self, one_in: u32) -> Self {
        self.rule.one_in = one_in;
        self
    }

    pub(crate) fn rule(self) -> Rule {
        self.rule
    }

    pub(crate) fn check(self) -> Result<(), OptionError> {
        match self.rule.one_in {
            0 => Err(OptionError::new(
                "sample",
                0,
                "it takes 1, which is every emission, or more",
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule.detail.level())?;
        match self.rule.one_in {
            1 => Ok(()),
            one_in => write!(f, ", 1 in {one_in}"),
        }
    }
}

impl<S> Layer<S> for Trace {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> TraceService<S> {
        TraceService::new(inner, self.rule)
    }
}
