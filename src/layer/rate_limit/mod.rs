//! [`RateLimit`]: so many calls in so much time.
//!
//! The algorithm is the generic cell rate algorithm (GCRA) of ITU-T I.371 in its form of virtual scheduling, which lets through what a token bucket lets through: a bucket
//! of `burst` tokens that gains one each `per / calls`, and loses one a call. Its state is one time, that at which the bucket is full again.
//!
//! # Failures
//!
//! - **Used up**: the call waits for its turn, or ends with [`Rejection::RateLimited`](crate::Rejection::RateLimited): at once, and the listener is not called.
//! - **A call that is dropped while it waits** gives its turn back if none was given out after it. Else that turn passes unused: the calls behind keep the
//!   times that they have.
//! - **A call whose turn comes late**, since its task, the timer (which counts in milliseconds) or the pool was late, runs late: two calls can be closer together than their turns are.
//! - **Too many keys**: at `max_keys` a call with a new key takes the place of an idle one. It looks at 64 at most; when all of those are in use it ends with
//!   [`Rejection::TooManyKeys`](crate::Rejection::TooManyKeys).
//! - **The pool's permit** goes back for the time of the wait: a call that waits here holds up no other.

mod config;
mod future;
mod handle;
mod service;
mod state;
#[cfg(test)]
mod state_tests;
mod store;
mod terms;
mod toll;
mod waiting;

pub use config::RateLimit;
pub use future::RateLimitFuture;
pub use handle::RateLimitHandle;
pub use service::RateLimitService;
