//! Fanfare beside other crates: `cargo run --release --manifest-path benches/peers/Cargo.toml` prints it as Markdown.
//!
//! The same listener in every row, and in every round every case. Ratios in one run can be trusted, nanoseconds of two runs cannot. Each case is
//! asked first whether it calls all of its listeners; with `--test` not much else is done.

mod awaited;
mod case;
mod channels;
mod count;
#[path = "../../support/print.rs"]
mod print;
mod quoted;
#[path = "../../support/rounds.rs"]
mod rounds;

use case::Case;
use print::{number, table, times};
use quoted::Quoted;
use rounds::{Effort, rounds};
use tokio::runtime::{Builder, Runtime};

const SIZES: [usize; 3] = [1, 10, count::MOST];

fn main() {
    let effort = if std::env::args().any(|arg| arg == "--test") {
        println!("A test run: it shows that the bench works, and its figures mean nothing.\n");
        Effort::TEST
    } else {
        Effort::FULL
    };
    // Two, whatever the machine has, so that tables of different machines show the same thing.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime with two workers");
    println!("Awaited fan-out: nanoseconds an emission\n");
    let rows = measure(&runtime, &effort, |n| {
        [awaited::cases(n), awaited::sync(n)]
            .into_iter()
            .flatten()
            .collect()
    });
    let (sync, awaited): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| row.name == awaited::SYNC);
    figures(&awaited);
    println!("The same, as multiples of Fanfare's `Concurrent`\n");
    ratios(&awaited, awaited::CONCURRENT);
    println!(
        "Beside quoted figures, not measured here, whose listeners do nothing where ours count: nanoseconds an emission\n"
    );
    beside(&[
        (&quoted::SYNC, row(&sync, awaited::SYNC)),
        (&quoted::AWAITED, row(&awaited, awaited::CONCURRENT)),
    ]);
    println!("Channels, where nobody awaits the receivers: nanoseconds an event, drained\n");
    let channels = measure(&runtime, &effort, |n| channels::cases(&runtime, n));
    figures(&channels);
    println!("The same, as multiples of `tokio::sync::broadcast`\n");
    ratios(&channels, channels::BROADCAST);
}

/// A case's name, and its nanoseconds an emission at each size.
struct Row {
    name: &'static str,
    nanos: Vec<f64>,
}

fn measure(runtime: &Runtime, effort: &Effort, cases: impl Fn(usize) -> Vec<Case>) -> Vec<Row> {
    let cases: Vec<Case> = SIZES.into_iter().flat_map(cases).collect();
    for case in &cases {
        case.check(runtime);
    }
    let medians = rounds(effort, &cases, |case, times| case.time(runtime, times));
    let kinds = cases.len() / SIZES.len();
    (0..kinds)
        .map(|kind| Row {
            name: cases[kind].name,
            nanos: medians.iter().skip(kind).step_by(kinds).copied().collect(),
        })
        .collect()
}

fn row<'a>(rows: &'a [Row], name: &str) -> &'a Row {
    let found = rows.iter().find(|row| row.name == name);
    found.expect("the name is that of a case")
}

fn figures(rows: &[Row]) {
    print(rows, |row, size| number(row.nanos[size]));
}

fn ratios(rows: &[Row], base: &str) {
    let base = row(rows, base);
    print(rows, |row, size| times(row.nanos[size] / base.nanos[size]));
}

fn print(rows: &[Row], cell: impl Fn(&Row, usize) -> String) {
    let lines = rows
        .iter()
        .map(|row| line(row.name, |size| cell(row, size)));
    table(&[head()].into_iter().chain(lines).collect::<Vec<_>>());
}

/// Each figure that is quoted, ours below it, and how many times ours it is.
fn beside(pairs: &[(&Quoted, &Row)]) {
    let lines = pairs.iter().flat_map(|(quoted, ours)| {
        [
            line(quoted.name, |size| number(quoted.nanos[size])),
            line(ours.name, |size| number(ours.nanos[size])),
            line("the quoted figure as a multiple of ours", |size| {
                times(quoted.nanos[size] / ours.nanos[size])
            }),
        ]
    });
    table(&[head()].into_iter().chain(lines).collect::<Vec<_>>());
}

fn head() -> Vec<String> {
    let sizes = ["", "1 listener", "10", "100"];
    sizes.map(str::to_owned).to_vec()
}

fn line(name: &str, cell: impl Fn(usize) -> String) -> Vec<String> {
    let cells = (0..SIZES.len()).map(cell);
    [name.to_owned()].into_iter().chain(cells).collect()
}
