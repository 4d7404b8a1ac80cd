//! Fanfare is an event bus native to tokio: typed events, async closures as listeners, one `emit(event).await` that runs them all and tells you
//! what each one did.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use fanfare::Bus;
//!
//! #[derive(Clone)]
//! struct OrderPlaced { id: u64, total: u64 }
//!
//! let bus = Bus::new();
//! bus.on(async |order: OrderPlaced| println!("order {}", order.id));
//! bus.listen::<OrderPlaced>().key("audit").filter(|order| order.total > 100).try_on(async |order| {
//!     tokio::fs::write("/dev/null", order.id.to_string()).await?;
//!     Ok(())
//! })?;
//!
//! let report = bus.emit(OrderPlaced { id: 7, total: 120 }).await;
//! assert_eq!(report.delivered(), 2);
//! # Ok(()) }
//! ```
//!
//! | to | see |
//! |---|---|
//! | register listeners | [`Bus`], [`Signal`], [`ListenBuilder`], [`Subscription`], [`Listener`], [`Batch`] |
//! | emit, and see what came of it | [`Emit`], [`Report`], [`Outcome`], [`Cause`], [`EmitError`] |
//! | let events follow from events | [`Signal::follow`], [`IntoEvents`], [`One`], [`Events`], [`Bus::defer`], [`Scope`], [`Emitted`] |
//! | choose how listeners run | [`Dispatch`], [`OnError`], [`Order`], [`Pool`], [`without_permit`] |
//! | derive signals from signals: filter, map, merge, window | [`Signal::filter`], [`Derived`], [`Window`], [`Upstream`] |
//! | let a pool choose its size | [`Scaling`], [`Scaled`], [`Balance`], [`scaling`] |
//! | keep an order for each key | [`SignalBuilder::keyed_by`], [`ListenBuilder::keyed_by`] |
//! | buffer events | [`Signal::enqueue`], [`Overflow`], [`EnqueueError`], [`Signal::ready`] |
//! | read events as a stream, and feed a signal from one | [`Signal::stream`], [`EventStream`], [`Lagged`], [`Signal::sink`] |
//! | wait for an event | [`Signal::next`], [`Bus::next_all`] |
//! | retry, limit, and keep what has failed | [`layer`], [`Delivery`], [`CallError`], [`OnceMeans`] |
//! | roll a listener out to a fraction | [`Rollout`], [`ListenBuilder::rollout`] |
//! | come late, and not be ready yet | [`SignalBuilder::replay`], [`ListenBuilder::replay`], [`ListenBuilder::hold_until_ready`] |
//! | take many events at once | [`Signal::on_batch`], [`Batches`], [`IntoBatchOutcome`], [`BatchOutcome`] |
//! | limit emissions | [`SignalBuilder::emission_limit`], [`BusBuilder::emission_limit`], [`Report::waited`] |
//! | switch listeners off and on | [`Subscription::disable`], [`Pause`], [`Signal::pause`], [`Changed`] |
//! | see listeners come and go, and who changed what | [`SignalBuilder::on_lifecycle`], [`Lifecycle`], [`Milestone`], [`Changed`], [`acting_as`] |
//! | look inside | [`Metadata`], [`Stats`], [`Bus::stats`], [`Description`] |
//! | measure it, export it, watch its health (feature `metrics`) | `Metrics`, `Bus::snapshot`, `observe` |
//! | change settings while they are used | [`Subscription::change`], [`Signal::change`], [`layer::Change`], [`Bus::resize_pool`] |
//! | stop | [`Bus::shutdown`], [`Shutdown`] |
//!
//! # Panics of listeners
//!
//! A panic of a listener is contained and reported. With `panic = "abort"` the process ends at the first one; [`Signal::describe`] says which it is.

mod actor;
mod buffer;
mod bus;
mod clock;
mod context;
mod dispatch;
mod error;
mod event;
mod key;
mod keyed;
pub mod layer;
mod listener;
mod metrics;
#[cfg(feature = "metrics")]
pub mod observe;
mod outcome;
mod pool;
mod registry;
mod signal;
mod span;
mod sync;

pub use actor::{ActingAs, acting_as, while_acting_as};
pub use buffer::{DropReason, EnqueueError, Overflow};
pub use bus::{Bus, BusBuilder, Emitted, EventTuple, NextAll, Scope, WeakBus};
pub use context::{WithoutPermit, without_permit};
pub use dispatch::{
    DeadEvent, DeadEvents, Dispatch, Emit, Lifecycle, OnError, Order, Stats, Timing,
};
pub use error::{BoxError, OptionError};
pub use event::{
    Delivery, Event, Events, Headers, IntoEvents, IntoFollowUps, One, TraceParent, TraceParentError,
};
pub use listener::{Kind, Listener, Storage};
#[cfg(feature = "metrics")]
pub use metrics::Metrics;
pub use outcome::{
    CallError, Cancellation, Cause, EmitError, FollowUpError, IntoOutcome, Outcome, Rejection,
    Report, ReportEntry, Skip, Verdict,
};
pub use pool::{Balance, Pool, PoolBuilder, Scaled, Scaling, WhenFull, scaling};
pub use registry::{Changed, Metadata, Milestone, RegisterError, Rollout, Setting};
pub use signal::{
    Batch, BatchOutcome, Batches, Derived, Description, EmitSink, EnqueueSink, EventOnly,
    EventStream, IntoBatchOutcome, LagStream, Lagged, ListenBuilder, Measure, Next, OnceMeans,
    OneOf, OneOf2, OneOf3, OneOf4, OneOf5, OneOf6, Pause, Ready, ReadyError, Scoped, Shutdown,
    Signal, SignalBuilder, StreamBuilder, Subscription, SwitchError, Undelivered, Unfinished,
    Upstream, WeakSignal, Window, Windowed, WithDelivery,
};

/// The code of the README and the book, compiled and run as tests.
#[cfg(doctest)]
mod book {
    #[cfg(feature = "metrics")]
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../book/src/introduction.md")]
    mod introduction {}
    #[doc = include_str!("../book/src/getting-started.md")]
    mod getting_started {}
    #[doc = include_str!("../book/src/concepts.md")]
    mod concepts {}
    #[doc = include_str!("../book/src/choosing.md")]
    mod choosing {}
    #[doc = include_str!("../book/src/sizing.md")]
    mod sizing {}
    #[doc = include_str!("../book/src/failure-policy.md")]
    mod failure_policy {}
    #[doc = include_str!("../book/src/order.md")]
    mod order {}
    #[doc = include_str!("../book/src/backpressure.md")]
    mod backpressure {}
    #[doc = include_str!("../book/src/rollout.md")]
    mod rollout {}
    #[doc = include_str!("../book/src/follow-up-events.md")]
    mod follow_up_events {}
    #[doc = include_str!("../book/src/composition.md")]
    mod composition {}
    #[doc = include_str!("../book/src/streams.md")]
    mod streams {}
    #[doc = include_str!("../book/src/switches.md")]
    mod switches {}
    #[doc = include_str!("../book/src/late-listeners.md")]
    mod late_listeners {}
    #[doc = include_str!("../book/src/batches.md")]
    mod batches {}
    #[doc = include_str!("../book/src/emission-limits.md")]
    mod emission_limits {}
    #[cfg(feature = "metrics")]
    #[doc = include_str!("../book/src/observability/guide.md")]
    mod observability_guide {}
    #[cfg(feature = "prometheus")]
    #[doc = include_str!("../book/src/observability/prometheus.md")]
    mod observability_prometheus {}
    #[cfg(feature = "metrics-facade")]
    #[doc = include_str!("../book/src/observability/metrics-facade.md")]
    mod observability_metrics_facade {}
    #[cfg(feature = "metrics")]
    #[doc = include_str!("../book/src/observability/custom-collector.md")]
    mod observability_custom_collector {}
    #[cfg(feature = "metrics")]
    #[doc = include_str!("../book/src/observability/health.md")]
    mod observability_health {}
    #[cfg(feature = "metrics")]
    #[doc = include_str!("../book/src/observability/runtime-monitor.md")]
    mod observability_runtime_monitor {}
    #[doc = include_str!("../book/src/observability/tracing.md")]
    mod observability_tracing {}
    #[cfg(feature = "otel")]
    #[doc = include_str!("../book/src/observability/opentelemetry.md")]
    mod observability_opentelemetry {}
    #[doc = include_str!("../book/src/layers/trace.md")]
    mod trace {}
    #[doc = include_str!("../book/src/layers/dead-letter.md")]
    mod dead_letter {}
    #[doc = include_str!("../book/src/layers/fallback.md")]
    mod fallback {}
    #[doc = include_str!("../book/src/layers/deadline.md")]
    mod deadline {}
    #[doc = include_str!("../book/src/layers/dedup.md")]
    mod dedup {}
    #[doc = include_str!("../book/src/layers/retry.md")]
    mod retry {}
    #[doc = include_str!("../book/src/layers/rate-limit.md")]
    mod rate_limit {}
    #[doc = include_str!("../book/src/layers/concurrency.md")]
    mod concurrency {}
    #[doc = include_str!("../book/src/layers/circuit-breaker.md")]
    mod circuit_breaker {}
    #[doc = include_str!("../book/src/layers/timeout.md")]
    mod timeout {}
    #[doc = include_str!("../book/src/layers/panic.md")]
    mod panic {}
    #[doc = include_str!("../book/src/layers/fault.md")]
    mod fault {}
    #[doc = include_str!("../book/src/layers/tower.md")]
    mod tower {}
    #[doc = include_str!("../book/src/layers/recipes.md")]
    mod recipes {}
    #[doc = include_str!("../book/src/changing-settings.md")]
    mod changing_settings {}
    #[cfg(feature = "metrics")]
    #[doc = include_str!("../book/src/observability/audit.md")]
    mod audit {}
    #[doc = include_str!("../book/src/patterns.md")]
    mod patterns {}
    #[doc = include_str!("../book/src/migration/broadcast.md")]
    mod broadcast {}
    #[doc = include_str!("../book/src/migration/go-signals.md")]
    mod go_signals {}
}
