//! The config, which is the layer.

use tower_layer::Layer;

use super::CatchPanicService;

/// Turns a panic of the listener into an error, so that breaker, retry and dead letter see it.
///
/// It stands innermost in every stack of Fanfare's, without being asked for; as a layer of its own it serves inside a stack that you build by hand. Whether a panic is tried again is the retry's to say:
/// [`Retry::retry_panics`](crate::layer::Retry::retry_panics). It has no state.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::{Outcome, Signal};
/// use fanfare::layer::Retry;
///
/// let signal = Signal::<u32>::new();
/// signal.listen().retry(Retry::constant(std::time::Duration::ZERO)).on(async |_| panic!("on purpose"))?;
/// let report = signal.emit(1).await;
/// assert_eq!(report.entries()[0].cause().panic_message(), Some("on purpose"));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatchPanic;

impl<S> Layer<S> for CatchPanic {
    type Service = CatchPanicService<S>;

    fn layer(&self, inner: S) -> CatchPanicService<S> {
        CatchPanicService::new(inner)
    }
}
