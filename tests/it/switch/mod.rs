//! Listeners that are switched off and on while events come.

mod ends;
mod holding;
mod keys;
mod kinds;
mod load;
mod observers;

use std::time::Duration;

use fanfare::{Cause, Pause, Report, Skip};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A pause that ends when it is said, and holds so much.
fn holding(events: usize) -> Pause {
    Pause::until_resumed().buffer(events)
}

/// Why the first of those that were not done was not.
fn cause(report: &Report) -> String {
    let entry = report.entries().first();
    entry.map_or_else(|| "done".to_owned(), |entry| entry.cause().to_string())
}

fn is_skipped(report: &Report, why: Skip) -> bool {
    matches!(report.entries(), [entry] if matches!(entry.cause(), Cause::Skipped(skip) if *skip == why))
}
