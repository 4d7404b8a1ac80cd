//! Layers: `tower` middleware around a listener, and what is to happen when it fails.
//!
//! Every named layer of a listener, a signal or a bus has its place in one fixed order, outermost first. A layer of yours goes to the place that you name.
//!
//! | place | layer | what it does |
//! |---|---|---|
//! | trace | [`Trace`] | a `tracing` span around the call, and around the emission |
//! | metrics | | for a layer that measures |
//! | dead letter | [`DeadLetter`] | hands what has failed for good to a listener, a signal or a store |
//! | fallback | [`Fallback`] | does something else instead, once the listener has failed for good |
//! | deadline | [`Deadline`] | ends the call, with all its attempts, after a time |
//! | keyed | | the order of keys: [`keyed_by`](crate::ListenBuilder::keyed_by) |
//! | dedup | [`Dedup`] | skips an event whose key was seen already |
//! | retry | [`Retry`] | another attempt after a failure |
//! | rate limit | [`RateLimit`] | so many attempts in so much time |
//! | concurrency | [`Concurrency`] | so many attempts at once |
//! | circuit breaker | [`CircuitBreaker`] | rejects attempts for a while once too many have failed |
//! | timeout | [`Timeout`] | ends one attempt after a time |
//! | panic | [`CatchPanic`] | makes a panic an error; always there |
//! | listener | [`Fault`] | fails on purpose, in tests |
//!
//! A timeout is a failure to breaker and retry, which are outside of it. A limit's rejection and a cancellation are no failure to the breaker. A panic is tried again only if
//! [`Retry::retry_panics`] or a policy says so. [`FailurePolicy`] says which failure means what, and an error can say so itself: [`Decision`].
//!
//! # Failures
//!
//! What a layer ends a call with is a [`CallError`](crate::CallError), which says what it means to the report. Each layer's module says what it cannot save.
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
//! use std::time::Duration;
//! use fanfare::Bus;
//! use fanfare::layer::{DeadLetter, DeadLetters, Retry};
//!
//! let letters = DeadLetters::new(10_000);
//! let bus = Bus::builder().dead_letter(DeadLetter::keep(&letters)).timeout(Duration::from_secs(1)).build();
//! bus.listen::<u32>()
//!     .key("webhook")
//!     .deadline(Duration::from_secs(30))
//!     .retry(Retry::exponential().max_attempts(5))
//!     .try_on(async |_| Err("down".into()))?;
//! assert_eq!(bus.emit(7_u32).await.failed(), 1);
//! assert_eq!(letters.len(), 1);
//! let stack = bus.signal::<u32>().metadata("webhook").unwrap().layers().join(" > ");
//! assert!(stack.starts_with("dead letter (to a store) > deadline (30s) > retry (5 attempts"), "{stack}");
//! # Ok(()) }
//! ```

mod boxed;
mod catch_panic;
mod change;
mod circuit_breaker;
mod concurrency;
mod dead_letter;
mod deadline;
mod decision;
mod dedup;
mod direct;
mod ending;
mod fallback;
mod fault;
mod follow;
mod keyed;
mod leaf;
mod live;
mod methods;
mod policy;
mod rate_limit;
mod retry;
mod sharing;
mod stack;
mod station;
mod timeout;
mod trace;

pub use crate::listener::BreakerCounts;
pub use boxed::{BoxFuture, BoxListener};
pub use catch_panic::{CatchPanic, CatchPanicFuture, CatchPanicService};
pub use change::{Change, ChangeError};
pub use circuit_breaker::{
    BreakerChange, BreakerHandle, BreakerState, BreakerStatus, CircuitBreaker,
    CircuitBreakerFuture, CircuitBreakerService,
};
pub use concurrency::{Concurrency, ConcurrencyFuture, ConcurrencyHandle, ConcurrencyService};
pub use dead_letter::{
    DeadLetter, DeadLetterError, DeadLetterFuture, DeadLetterService, DeadLetters, Letter,
    RedeliverError, Redrive, Redriven,
};
pub use deadline::{Deadline, DeadlineFuture, DeadlineService};
pub use decision::{Decision, Directed};
pub use dedup::{Dedup, DedupFuture, DedupHandle, DedupService, InFlight};
pub(crate) use direct::Direct;
pub use fallback::{Fallback, FallbackError, FallbackFuture, FallbackService};
pub use fault::{Fault, FaultFuture, FaultService, Injected, InjectedFault};
pub(crate) use follow::follow_up;
pub(crate) use keyed::Keyed;
use keyed::Lanes;
pub(crate) use leaf::{Attempt, event_of, leaf, on_thread, shared_event_of};
pub(crate) use methods::layer_methods;
pub use policy::{Failure, FailurePolicy};
pub use rate_limit::{RateLimit, RateLimitFuture, RateLimitHandle, RateLimitService};
pub use retry::{Retry, RetryBudget, RetryFuture, RetryService};
pub use stack::Place;
use stack::check_times;
pub(crate) use stack::{Around, Layers};
pub(crate) use station::{Layered, Station};
pub use timeout::{Timeout, TimeoutFuture, TimeoutService};
pub use tower::buffer::BufferLayer;
pub use tower::filter::{AsyncFilterLayer, FilterLayer};
pub use tower::load_shed::LoadShedLayer;
pub use trace::{Trace, TraceFuture, TraceService};
