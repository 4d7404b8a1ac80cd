//! What Prometheus scrapes. Feature `prometheus`.
//!
//! An [`Endpoint`] is both the text, as a `String`, and a `tower` service that answers a scrape: for axum's `route_service`, and for hyper. The text is made when it is asked for, from one
//! [snapshot](crate::Bus::snapshot) of each bus; between two scrapes nothing is done.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
//! use axum::Router;
//! use fanfare::observe::prometheus::{Endpoint, Format};
//! use fanfare::{Bus, Metrics};
//!
//! let bus = Bus::builder().name("shop").metrics(Metrics::Timed).build();
//! bus.listen::<u32>().key("audit").on(async |_| {})?;
//! let _ = bus.emit(7_u32).await;
//!
//! let endpoint = Endpoint::new(&bus);
//! let text = endpoint.text(Format::Prometheus);
//! assert!(text.contains(r#"fanfare_listener_calls_total{bus="shop",signal="u32",listener="audit"} 1"#));
//!
//! let app: Router = Router::new().route_service("/metrics", endpoint);
//! # drop(app);
//! # Ok(()) }
//! ```
//!
//! # Histograms
//!
//! The bounds of their buckets are fixed: Prometheus cannot add histograms up that differ in them. A [`Distribution`](crate::observe::Distribution) has finer buckets, and none is split: one that a
//! bound falls into counts above it. So a bucket has all that took at most 31/32 of its bound and nothing that took longer than the bound, and a `histogram_quantile` errs to the long side.
//!
//! At [`Metrics::Sampled`](crate::Metrics::Sampled) the count of a histogram is that of its samples. For rates take the counters, which are exact at every level.
//!
//! # Failure modes
//!
//! ## More series than the server takes
//!
//! Each listener with a label of its own is 15 series, 3 more if it has circuit breakers, and 27 more if it is timed. Listeners beyond [`max_listeners`](EndpointBuilder::max_listeners) are told as one: `listener="other"`. A listener
//! without a key has its place in the source as its label, so that listeners registered in a loop are one series; keys that are made from user input are not, and belong nowhere near a label.
//!
//! ## A scrape while the bus is busy
//!
//! A snapshot locks nothing that an emission waits for. The text of 1,000 listeners is made in the task that serves the scrape, without suspending.

mod bounds;
mod builder;
mod endpoint;
mod format;
mod text;

pub use builder::EndpointBuilder;
pub use endpoint::Endpoint;
pub use format::Format;
