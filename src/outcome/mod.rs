//! What came of it: [`Outcome`] is what one listener did, [`Cause`] says why, [`Report`] is what one emission did.
//!
//! # Failures
//!
//! [`Outcome::is_failure`] draws the line: `Failed`, `Panicked`, `TimedOut`, `Rejected` and `Cancelled` make
//! [`Report::into_result`] an error; `Skipped` and `Deferred` are listed in [`Report::entries`] and are no failure.

mod call_error;
mod cause;
mod counts;
mod follow_up_error;
mod output;
mod panics;
mod report;

pub use call_error::CallError;
pub(crate) use cause::CauseOf;
pub use cause::{Cancellation, Cause, Outcome, Rejection, Skip};
pub(crate) use counts::Counts;
pub use follow_up_error::FollowUpError;
pub(crate) use output::Flow;
pub use output::{IntoOutcome, Verdict};
pub(crate) use panics::{catch, message};
pub(crate) use report::Tally;
pub use report::{EmitError, Report, ReportEntry};
