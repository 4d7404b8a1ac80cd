//! The cost table: `cargo bench --bench table` prints it as Markdown.
//!
//! Every case is measured in every round, one after the other, so that a slow phase of the machine hits all of them; of a round the fastest batch
//! counts, of the rounds the median. Ratios in one run can be trusted, nanoseconds of two runs cannot.

mod support;

use std::time::Duration;

use support::args::is_test;
use support::cases::{self, Case};
use support::print::{median, number, table, times};
use tokio::runtime::Runtime;

const SIZES: [usize; 4] = [1, 10, 100, 1_000];
const LOOP: &str = "bare loop, plain closures";
const TASKS: &str = "`JoinSet`, a task a listener";

/// How much to measure.
struct Effort {
    rounds: usize,
    batches: usize,
    batch: Duration,
}

fn main() {
    let effort = if is_test() {
        Effort {
            rounds: 1,
            batches: 1,
            batch: Duration::from_micros(1),
        }
    } else {
        Effort {
            rounds: 9,
            batches: 5,
            batch: Duration::from_millis(3),
        }
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
}

/// A case's name, and its nanoseconds an emission at each size.
struct Row {
    name: &'static str,
    nanos: Vec<f64>,
}

fn measure(runtime: &Runtime, effort: &Effort, cases: fn(usize) -> Vec<Case>) -> Vec<Row> {
    let cases: Vec<(Case, u64)> = SIZES
        .into_iter()
        .flat_map(cases)
        .map(|case| {
            let times = batch_size(runtime, &case, effort.batch);
            (case, times)
        })
        .collect();
    let mut samples = vec![Vec::new(); cases.len()];
    for _ in 0..effort.rounds {
        for ((case, times), samples) in cases.iter().zip(&mut samples) {
            let batch = |_| nanos(case.time(runtime, *times), *times);
            let fastest = (0..effort.batches).map(batch).fold(f64::INFINITY, f64::min);
            samples.push(fastest);
        }
    }
    let medians: Vec<f64> = samples.into_iter().map(median).collect();
    let kinds = cases.len() / SIZES.len();
    (0..kinds)
        .map(|kind| Row {
            name: cases[kind].0.name,
            nanos: medians.iter().skip(kind).step_by(kinds).copied().collect(),
        })
        .collect()
}

/// How many emissions take about as long as a batch is to take. Warms the case up.
fn batch_size(runtime: &Runtime, case: &Case, batch: Duration) -> u64 {
    let mut times = 1;
    loop {
        let took = case.time(runtime, times);
        if took >= batch {
            return times;
        }
        times *= 2;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn nanos(took: Duration, times: u64) -> f64 {
    took.as_nanos() as f64 / times as f64
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
    let base = rows.iter().find(|row| row.name == base);
    let base = base.expect("the base is one of the rows");
    print(rows, |row, size| times(row.nanos[size] / base.nanos[size]));
}

fn print(rows: &[Row], cell: impl Fn(&Row, usize) -> String) {
    let lines = rows.iter().map(|row| {
        let cells = (0..SIZES.len()).map(|size| cell(row, size));
        [row.name.to_owned()].into_iter().chain(cells).collect()
    });
    table(&[head()].into_iter().chain(lines).collect::<Vec<_>>());
}
