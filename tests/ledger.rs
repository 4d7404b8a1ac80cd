//! The ledger example, as a person runs it: balances that prove the order of their bookings.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "support/example.rs"]
mod example;

use std::process::Output;

use example::{stderr, stdout};

fn run(options: &[&str]) -> Output {
    example::run("ledger", options)
}

/// The figures of a row of the table: attempts, and balances that are wrong.
fn row(output: &Output, name: &str) -> (u64, u64) {
    let text = stdout(output);
    let line = text.lines().find(|line| line.contains(name));
    let line = line.unwrap_or_else(|| panic!("no row `{name}` in\n{text}"));
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    (cells[2].parse().unwrap(), cells[3].parse().unwrap())
}

#[test]
fn the_balances_of_keyed_bookings_are_right_and_those_of_a_crowd_are_not() {
    for seed in ["1", "2"] {
        let output = run(&["20000", "200", seed]);
        assert!(output.status.success(), "{output:?}");
        let (attempts, wrong) = row(&output, "keyed by account");
        assert!(attempts > 20_000, "no attempt was made again");
        assert_eq!(wrong, 0);
        // The same bookings and refusals, and no order: were all balances right, they would prove nothing.
        let (same, wrong) = row(&output, "in no order");
        assert_eq!(same, attempts);
        assert!(wrong > 0);
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_usage() {
    for options in [&["0"][..], &["1", "none"], &["1", "2", "3", "4"]] {
        let output = run(options);
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output);
        assert!(
            text.contains("error: ") && text.contains("usage: ledger"),
            "{text}"
        );
    }
}
