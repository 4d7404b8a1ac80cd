//! The tables for whoever is woken at night: each is an answer to one question, read from a snapshot.

use std::time::Duration;

use comfy_table::{Table, presets};
use fanfare::DropReason;
use fanfare::observe::{Distribution, ListenerSnapshot, Snapshot};

fn table(question: &str, head: &[&str]) -> Table {
    println!("{question}");
    let mut table = Table::new();
    table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED);
    table.set_header(head);
    table
}

fn cells(name: &str, numbers: &[u64]) -> Vec<String> {
    let numbers = numbers.iter().map(u64::to_string);
    [name.to_owned()].into_iter().chain(numbers).collect()
}

pub fn print(snapshot: &Snapshot, took: Duration) {
    emitted(snapshot, took);
    listens(snapshot);
    fails(snapshot);
    slow(snapshot);
    dropped(snapshot);
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
fn emitted(snapshot: &Snapshot, took: Duration) {
    let head = ["signal", "emissions", "a second", "to nobody"];
    let mut table = table("What is emitted?", &head);
    for signal in &snapshot.signals {
        let (emissions, dead) = (signal.stats.emissions(), signal.stats.dead());
        let rate = (emissions as f64 / took.as_secs_f64()) as u64;
        table.add_row(cells(&signal.name, &[emissions, rate, dead]));
    }
    println!("{table}\n");
}

fn listeners(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &ListenerSnapshot)> {
    let signals = snapshot.signals.iter();
    signals.flat_map(|signal| signal.listeners.iter().map(|it| (signal.name.as_str(), it)))
}

fn listens(snapshot: &Snapshot) {
    let head = ["listener", "signal", "kind", "calls", "around it"];
    let mut table = table("Who listens?", &head);
    for (signal, listener) in listeners(snapshot) {
        table.add_row(vec![
            listener.label.clone(),
            signal.to_owned(),
            listener.kind.to_string(),
            listener.calls.to_string(),
            listener.layers.len().to_string() + " layers",
        ]);
    }
    println!("{table}\n");
}

fn fails(snapshot: &Snapshot) {
    let head = [
        "listener",
        "errors",
        "panics",
        "timeouts",
        "rejections",
        "retries",
        "dead letters",
        "open breakers",
    ];
    let mut table = table("What fails?", &head);
    for (_, it) in listeners(snapshot) {
        let breakers = it.breakers.unwrap_or_default();
        let open = breakers.open + breakers.half_open;
        let numbers = [
            it.errors,
            it.panics,
            it.timeouts,
            it.rejections,
            it.retries,
            it.dead_letters,
            open as u64,
        ];
        if numbers.iter().sum::<u64>() > 0 {
            table.add_row(cells(&it.label, &numbers));
        }
    }
    println!("{table}");
    for (_, it) in listeners(snapshot) {
        if let Some(error) = &it.last_error {
            println!("last error of `{}`: {error}", it.label);
        }
    }
    println!();
}

fn row(name: &str, durations: &Distribution) -> Vec<String> {
    let at = |quantile| durations.quantile(quantile).unwrap_or_default();
    let times = [at(0.5), at(0.99), durations.max()];
    let times = times.into_iter().map(|time| format!("{time:.1?}"));
    let count = durations.count().to_string();
    [name.to_owned(), count].into_iter().chain(times).collect()
}

fn slow(snapshot: &Snapshot) {
    let head = ["", "timed", "median", "99th percentile", "longest"];
    let mut table = table("What is slow, and what does it wait for?", &head);
    for (_, it) in listeners(snapshot) {
        table.add_row(row(&it.label, &it.durations));
    }
    for signal in &snapshot.signals {
        let waits = [
            ("buffer", &signal.waits.buffer),
            ("permit", &signal.waits.permit),
        ];
        for (wait, times) in waits.into_iter().filter(|(_, times)| !times.is_empty()) {
            let name = format!("`{}` waits for its {wait}", signal.name);
            table.add_row(row(&name, times));
        }
    }
    println!("{table}\n");
}

pub fn queued(snapshot: &Snapshot) {
    let head = ["signal", "buffered", "room for", "in flight"];
    let mut signals = table("What is queued?", &head);
    for it in &snapshot.signals {
        let numbers = [it.buffered, it.buffer_capacity, it.in_flight].map(|n| n as u64);
        signals.add_row(cells(&it.name, &numbers));
    }
    println!("{signals}");
    for pool in &snapshot.pools {
        println!(
            "pool `{}`: {} of {} permits in use, {} waiting",
            pool.name, pool.in_use, pool.size, pool.waiting
        );
    }
    println!();
}

fn dropped(snapshot: &Snapshot) {
    let head = ["signal", "accepted", "dropped", "because"];
    let mut table = table("What was dropped?", &head);
    for signal in &snapshot.signals {
        for reason in DropReason::ALL {
            let dropped = signal.stats.dropped_by(reason);
            if dropped > 0 {
                let mut row = cells(&signal.name, &[signal.stats.enqueued(), dropped]);
                row.push(reason.to_string());
                table.add_row(row);
            }
        }
    }
    println!("{table}\n");
}
