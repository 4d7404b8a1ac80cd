//! The cost table: `cargo bench --bench table` prints it as Markdown.
//!
//! Ratios in one run can be trusted, nanoseconds of two runs cannot.

mod support;

use support::args::is_test;
use support::cases::{self, Case};
use support::print::{number, table, times};
use support::rounds::{Effort, rounds};
use tokio::runtime::Runtime;

const SIZES: [usize; 4] = [1, 10, 100, 1_000];
const LOOP: &str = "bare loop, plain closures";
const TASKS: &str = "`JoinSet`, a task a listener";

fn main() {
    let effort = if is_test() {
        Effort::TEST
    } else {
        Effort::FULL
    };
    let runtime = cases::runtime();
    println!("Listeners that are ready at once: nanoseconds an emission\n");
    let ready = measure(&runtime, &effort, cases::ready);
    figures(&ready);
    println!("The same, as multiples of the bare loop\n");
    ratios(&ready, LOOP);
    println!("The same, as multiples of a task a listener\n");
    ratios(&ready, TASKS);
    println!("Listeners that yield to the runtime once: nanoseconds an emission\n");
    let suspending = measure(&runtime, &effort, cases::suspending);
    figures(&suspending);
    println!("The same, as multiples of a task a listener\n");
    ratios(&suspending, TASKS);
    println!("Listeners that work for about a microsecond: nanoseconds an emission\n");
    let working = measure(&runtime, &effort, cases::working);
    figures(&working);
    println!("The share of that which is the listeners' own, by the bare loop\n");
    shares(&working, LOOP);
}

/// A case's name, and its nanoseconds an emission at each size.
struct Row {
    name: &'static str,
    nanos: Vec<f64>,
}

fn measure(runtime: &Runtime, effort: &Effort, cases: fn(usize) -> Vec<Case>) -> Vec<Row> {
    let cases: Vec<Case> = SIZES.into_iter().flat_map(cases).collect();
    let medians = rounds(effort, &cases, |case, times| case.time(runtime, times));
    let kinds = cases.len() / SIZES.len();
    (0..kinds)
        .map(|kind| Row {
            name: cases[kind].name,
            nanos: medians.iter().skip(kind).step_by(kinds).copied().collect(),
        })
        .collect()
}

fn head() -> Vec<String> {
    let sizes = SIZES.map(|n| match n {
        1 => "1 listener".to_owned(),
        n => n.to_string(),
    });
    [String::new()].into_iter().chain(sizes).collect()
}

fn figures(rows: &[Row]) {
    print(rows, |row, size| number(row.nanos[size]));
}

fn ratios(rows: &[Row], base: &str) {
    let base = base_of(rows, base);
    print(rows, |row, size| times(row.nanos[size] / base.nanos[size]));
}

fn shares(rows: &[Row], base: &str) {
    let base = base_of(rows, base);
    print(rows, |row, size| {
        format!("{:.1}%", 100.0 * base.nanos[size] / row.nanos[size])
    });
}

fn base_of<'a>(rows: &'a [Row], name: &str) -> &'a Row {
    let base = rows.iter().find(|row| row.name == name);
    base.expect("the base is one of the rows")
}

fn print(rows: &[Row], cell: impl Fn(&Row, usize) -> String) {
    let lines = rows.iter().map(|row| {
        let cells = (0..SIZES.len()).map(|size| cell(row, size));
        [row.name.to_owned()].into_iter().chain(cells).collect()
    });
    table(&[head()].into_iter().chain(lines).collect::<Vec<_>>());
}
