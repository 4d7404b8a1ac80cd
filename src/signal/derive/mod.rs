//! Derived signals: what is emitted on one signal, filtered, mapped, merged or put into windows, as another signal that can be listened to.
//!
//! A derived signal is lazy: it listens to its source while it has listeners itself. Stages that remember nothing are one listener of the source, however many there are; those that do
//! (a window, a throttle, a debounce) are shared by all that listens to them.
//!
//! # Failures
//!
//! - **A derived listener fails**: the link to it fails with an [`EmitError`](crate::EmitError) that names the listener, so that the emission of the source says so.
//! - **A stage panics**: the link has panicked; nobody else is touched.
//! - **The last handle of a derived signal is dropped while it has listeners**: they hear nothing any more, and a warning says how many.
//! - **The runtime that times a window ends**: what is in the window is kept for the next event; if none comes, it is counted as dropped.

mod by_count;
mod by_time;
mod combine;
mod debounce;
mod handle;
mod link;
mod machine;
#[cfg(test)]
mod machine_tests;
mod node;
mod partition;
mod source;
mod stages;
mod task;
mod throttle;
mod timed;
mod upstream;
mod window;
mod windowed;

pub use handle::Derived;
pub use partition::{OneOf, OneOf2, OneOf3, OneOf4, OneOf5, OneOf6};
pub use upstream::Upstream;
pub use window::{Measure, Window};
pub use windowed::Windowed;
