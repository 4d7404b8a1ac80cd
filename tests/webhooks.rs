//! The webhooks example, as a person runs it: the sums of its tables, which it counts at both ends.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "support/example.rs"]
mod example;

use std::process::Output;

use example::{stderr, stdout};

const HOSTS: [&str; 7] = ["prompt", "slow", "flaky", "busy", "napping", "down", "gone"];

fn run(options: &[&str]) -> Output {
    example::run("webhooks", options)
}

/// The line of a table that begins so, without that.
fn line(output: &Output, name: &str) -> String {
    let text = stdout(output);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("| ")?.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no row `{name}` in\n{text}\n{}", stderr(output)));
    line.trim_end_matches('|').trim().to_owned()
}

fn total(output: &Output, name: &str) -> u64 {
    line(output, name).parse().unwrap()
}

/// What the table says of one host.
#[derive(Debug)]
struct Row {
    hooks: u64,
    attempts: u64,
    not_answered: u64,
    peak: u64,
    opened: u64,
    delivered: u64,
    dead: u64,
    redriven: u64,
}

fn row(output: &Output, host: &str) -> Row {
    let line = line(output, host).replace(" of 4", "");
    let cells: Vec<u64> = line
        .split_whitespace()
        .map(|cell| cell.parse().unwrap())
        .collect();
    let [
        hooks,
        attempts,
        not_answered,
        peak,
        opened,
        delivered,
        dead,
        redriven,
    ] = cells[..]
    else {
        panic!("{line}");
    };
    Row {
        hooks,
        attempts,
        not_answered,
        peak,
        opened,
        delivered,
        dead,
        redriven,
    }
}

/// What holds in every run, however slow the machine is.
fn holds(output: &Output, hooks: u64) {
    assert!(
        output.status.success(),
        "{}{}",
        stdout(output),
        stderr(output)
    );
    let rows: Vec<Row> = HOSTS.iter().map(|host| row(output, host)).collect();
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    for row in &rows {
        assert_eq!(row.hooks, hooks);
        assert_eq!(row.delivered + row.dead, row.hooks, "{row:?}");
        assert!(row.redriven <= row.dead, "{row:?}");
        assert!(row.attempts >= row.delivered, "{row:?}");
        assert!((1..=4).contains(&row.peak), "{row:?}");
    }
    assert_eq!(total(output, "emitted"), 7 * hooks);
    assert_eq!(total(output, "delivered"), sum(|row| row.delivered));
    assert_eq!(total(output, "dead letters  "), sum(|row| row.dead));
    assert_eq!(
        total(output, "attempts that the hosts counted"),
        sum(|row| row.attempts)
    );
    let redriven = total(output, "redriven and delivered");
    assert_eq!(redriven, sum(|row| row.redriven));
    assert_eq!(
        total(output, "dead letters left"),
        sum(|row| row.dead) - redriven
    );
}

#[test]
fn every_hook_is_delivered_or_a_dead_letter() {
    let output = run(&[]);
    holds(&output, 40);
    assert_eq!(stderr(&output), "");

    // A host that is well is asked once for each hook, four at a time.
    let prompt = row(&output, "prompt");
    assert_eq!((prompt.delivered, prompt.attempts), (40, 40));
    assert_eq!((prompt.peak, prompt.opened), (4, 0));
    // One more attempt for each that was swallowed, refused, or asked to wait.
    let slow = row(&output, "slow");
    assert!(slow.not_answered > 0, "{slow:?}");
    assert_eq!(slow.attempts, slow.delivered + slow.not_answered);
    for host in ["flaky", "busy"] {
        let row = row(&output, host);
        assert_eq!((row.delivered, row.opened), (40, 0));
        assert!(row.attempts > 40 && row.attempts < 80, "{row:?}");
    }
    // The breaker lets the napping host sleep, and loses nothing of it.
    let napping = row(&output, "napping");
    assert_eq!(napping.delivered, 40);
    assert!(napping.opened >= 1, "{napping:?}");
    // What is down is hardly asked: without the breaker it would be 240 times.
    let down = row(&output, "down");
    assert_eq!((down.dead, down.redriven), (40, 40));
    assert!(down.opened >= 1 && down.attempts < 60, "{down:?}");
    // Who is gone has said so once for each hook, and is no failure to the breaker.
    let gone = row(&output, "gone");
    assert_eq!((gone.dead, gone.redriven, gone.attempts), (40, 0, 40));
    assert_eq!(gone.opened, 0);
    assert_eq!(total(&output, "dead letters left"), 40);
}

#[test]
fn the_sums_come_out_for_other_numbers_and_seeds() {
    for options in [["1", "1"], ["25", "2"]] {
        let output = run(&options);
        holds(&output, options[0].parse().unwrap());
    }
}

#[test]
fn options_that_make_no_sense_are_an_error_and_say_what_does() {
    for (options, why) in [
        (&["many"][..], "`many` is none"),
        (&["0"], "not from 1 to 1000"),
        (&["1", "2", "3"], "`3` is one option too many"),
    ] {
        let output = run(options);
        assert_eq!(output.status.code(), Some(2));
        let error = stderr(&output);
        assert!(error.contains(why) && error.contains("usage:"), "{error}");
    }
}
