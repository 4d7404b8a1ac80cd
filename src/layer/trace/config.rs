//! The config, which is the layer.

use tower_layer::Layer;
use tracing::Level;

use super::TraceService;

/// Opens a `tracing` span named `deliver` around each call of a listener, with all its attempts: with the fields `signal`, `listener` (its key), `event`, `emission`, and, where the emission has
/// them, `correlation` and `traceparent`.
///
/// It stands outermost, so that what the layers inside log is in the span too. Disabled by the subscriber, it costs a look. It has no state.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use fanfare::Bus;
/// use fanfare::layer::Trace;
///
/// let bus = Bus::builder().trace(Trace::info()).build();
/// bus.listen::<u32>().key("audit").on(async |_| tracing::info!("in the span"))?;
/// assert!(bus.emit(1_u32).await.is_ok());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    level: Detail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Debug,
    Info,
}

impl Trace {
    /// A span of the level INFO. See [`Trace`](crate::layer::Trace).
    pub fn info() -> Self {
        let level = Detail::Info;
        Self { level }
    }

    /// A span of the level DEBUG. See [`Trace`](crate::layer::Trace).
    pub fn debug() -> Self {
        let level = Detail::Debug;
        Self { level }
    }

    pub(crate) fn level(self) -> Level {
        match self.level {
            Detail::Debug => Level::DEBUG,
            Detail::Info => Level::INFO,
        }
    }
}

impl<S> Layer<S> for Trace {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> TraceService<S> {
        TraceService::new(inner, self.level)
    }
}
