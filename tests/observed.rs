//! The observed example, as a person runs it, and the real Prometheus beside it: what it has at the end is what the bus counted.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "support/example.rs"]
mod example;
#[path = "support/prometheus.rs"]
mod prometheus;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use prometheus::Prometheus;

/// The example, which serves until this value goes.
struct Observed {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Observed {
    fn start() -> Self {
        let mut command = example::command("observed", &["--seconds", "2", "--serve"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it prints until this line, which is the last of it.
    fn until(&mut self, last: &str) -> String {
        let mut text = String::new();
        for line in self.lines.by_ref() {
            text.push_str(&line.unwrap());
            text.push('\n');
            if text
                .lines()
                .next_back()
                .is_some_and(|line| line.starts_with(last))
            {
                return text;
            }
        }
        panic!("it ended before `{last}`:\n{text}");
    }
}

/// The rows of a table, by the question above it: the cells of each.
fn rows(printed: &str, question: &str) -> Vec<Vec<String>> {
    let (_, table) = printed.split_once(&format!("{question}\n")).unwrap();
    let lines = table.lines().take_while(|line| !line.is_empty());
    let rows = lines.filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    // The first is the head. Cells are two blanks apart at least.
    let cells = |row: &str| -> Vec<String> {
        let cells = row.split("  ").map(str::trim);
        let cells = cells.filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    rows.skip(1).map(cells).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
fn number(cell: &str) -> f64 {
    let number: u64 = cell.parse().unwrap();
    number as f64
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::float_cmp, reason = "whole numbers, which are exact")]
async fn prometheus_has_at_the_end_what_the_bus_has_counted() {
    let mut observed = Observed::start();
    let first = observed.until("serving http://");
    let address = first.split(['/', ' ']).nth(3).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let server = Prometheus::start(&[("quakes", address)], &[]).await;
    let (observed, printed) = tokio::task::spawn_blocking(move || {
        let printed = observed.until("serving until ctrl-c");
        (observed, printed)
    })
    .await
    .unwrap();
    server
        .until("fanfare_bus_closed", |closed| closed == 1.0)
        .await;
    assert_eq!(server.targets().await[0]["lastError"], "");

    let mut held = 0;
    for signal in rows(&printed, "What is emitted?") {
        let query = format!("fanfare_emissions_total{{signal='{}'}}", signal[0]);
        let counted = number(&signal[1]);
        server.until(&query, |value| value == counted).await;
        held += 1;
    }
    for listener in rows(&printed, "Who listens?") {
        let query = format!("fanfare_listener_calls_total{{listener='{}'}}", listener[0]);
        let counted = number(&listener[3]);
        server.until(&query, |value| value == counted).await;
        held += 1;
    }
    for listener in rows(&printed, "What fails?") {
        for (family, cell) in [("errors", 1), ("panics", 2)] {
            let query = format!(
                "fanfare_listener_{family}_total{{listener='{}'}}",
                listener[0]
            );
            let counted = number(&listener[cell]);
            server.until(&query, |value| value == counted).await;
            held += 1;
        }
    }
    for timed in rows(&printed, "What is slow, and what does it wait for?") {
        if !timed[0].starts_with('`') {
            let family = "fanfare_listener_duration_seconds_count";
            let query = format!("{family}{{listener='{}'}}", timed[0]);
            let counted = number(&timed[1]);
            server.until(&query, |value| value == counted).await;
            held += 1;
        }
    }
    let dropped = rows(&printed, "What was dropped?");
    assert_eq!(dropped[0][0], "quake", "{printed}");
    let counted = number(&dropped[0][2]);
    assert!(counted > 0.0);
    let query = "sum(fanfare_dropped_events_total{reason='oldest'})";
    server.until(query, |value| value == counted).await;
    // Two signals and four listeners, of which two fail.
    assert_eq!(held, 2 + 4 + 2 * 2 + 4, "{printed}");
    drop(observed);
}

#[test]
fn the_example_brings_its_own_prometheus_and_shows_every_fault() {
    let printed = example::printed("observed", &["--seconds", "1", "--prometheus"]);
    let fails = rows(&printed, "What fails?");
    let archive = fails.iter().find(|row| row[0] == "archive").unwrap();
    assert!(number(&archive[2]) > 0.0, "panics\n{printed}");
    let page = fails.iter().find(|row| row[0] == "page").unwrap();
    for (what, cell) in [("errors", 1), ("retries", 5), ("dead letters", 6)] {
        assert!(number(&page[cell]) > 0.0, "{what}\n{printed}");
    }
    for line in [
        "live, ",
        "degraded: ",
        "pool `workers`: ",
        "OK: Prometheus has counted what the bus has
",
        "- EventsDropped (firing): quake drops events: oldest
",
    ] {
        assert!(printed.contains(line), "{line}\n{printed}");
    }
}

#[test]
fn an_option_that_is_none_is_an_error() {
    for options in [&["--minutes"][..], &["--seconds"], &["--seconds", "0"]] {
        let output = example::run("observed", options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(
            example::stderr(&output).contains("usage: observed"),
            "{options:?}"
        );
        assert_eq!(example::stdout(&output), "", "{options:?}");
    }
}
