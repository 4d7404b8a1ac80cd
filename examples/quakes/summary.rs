//! The table at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};
use fanfare::layer::DeadLetters;
use fanfare::{Bus, Outcome};

use crate::listeners::{Gathered, SIGNIFICANT};
use crate::quake::{BadEntry, Quake};

/// What the listeners gathered, and what the bus knows of the listeners.
pub fn print(gathered: &mut Gathered, bus: &Bus, letters: &DeadLetters, took: Duration) {
    let mut table = new_table();
    let mut row = |name: &str, value: String| {
        table.add_row(vec![name.to_owned(), value]);
    };
    row("features read", gathered.read.to_string());
    row("features that were bad", gathered.bad.len().to_string());
    row("by type", ranked(&gathered.kinds, usize::MAX));
    row("by network", ranked(&gathered.networks, usize::MAX));
    row("by region", ranked(&gathered.regions, 8));
    row(
        &format!("significant (magnitude {SIGNIFICANT} and up)"),
        gathered.significant.to_string(),
    );
    row("tsunami-flagged", gathered.tsunami.len().to_string());
    row("felt reports", gathered.felt.to_string());
    row("deepest, km", format!("{:.1}", gathered.deepest));

    let (quakes, bad) = (
        bus.signal::<Quake>().stats(),
        bus.signal::<BadEntry>().stats(),
    );
    let count = |outcome| quakes.count(outcome) + bad.count(outcome);
    let delivered = count(Outcome::Done);
    row("deliveries", delivered.to_string());
    row(
        "passed over by a filter",
        count(Outcome::Skipped).to_string(),
    );
    row("failures", count(Outcome::Failed).to_string());
    row("panics contained", count(Outcome::Panicked).to_string());
    row("alerts sent again", gathered.alerts_again.to_string());
    row("dead letters", letters.len().to_string());
    row(
        "time a delivery",
        format!(
            "{:.1?}",
            took / u32::try_from(delivered.max(1)).unwrap_or(u32::MAX)
        ),
    );
    row("median time of an alert", median(&mut gathered.alerts));
    println!("{table}");

    let mut table = new_table();
    table.set_header([
        "listener",
        "kind",
        "calls",
        "errors",
        "panics",
        "last error",
    ]);
    for listener in bus.listeners() {
        table.add_row(vec![
            listener.key().unwrap_or("-").to_owned(),
            listener.kind().to_string(),
            listener.calls().to_string(),
            listener.errors().to_string(),
            listener.panics().to_string(),
            listener.last_error().unwrap_or("").to_owned(),
        ]);
    }
    println!("{table}");
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED);
    table
}

/// "ci 386, nc 370, .." with the largest first.
fn ranked(counts: &BTreeMap<String, u64>, most: usize) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = counts.len().saturating_sub(most);
    let mut parts: Vec<_> = counts
        .iter()
        .take(most)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

fn median(times: &mut [Duration]) -> String {
    times.sort();
    times
        .get(times.len() / 2)
        .map_or("-".to_owned(), |time| format!("{time:.1?}"))
}
