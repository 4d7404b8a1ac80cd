//! Many emitters of one signal: `cargo bench --bench contention` prints emissions a second as Markdown, beside dispatchers over a locked list.
//!
//! Emitters are tasks on two workers. Each waits for its emissions, so all that was started is done when the time is taken. The writer, where there
//! is one, is a thread that registers and removes a listener without a pause: on two cores it takes its share of them, from every dispatcher alike.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::args::is_test;
use support::cases;
use support::contenders::{self, Contender, contenders};
use support::print::{median, number, table, times};
use tokio::runtime::Runtime;

const EMITTERS: [u64; 3] = [1, 2, 8];
const BETWEEN_YIELDS: u64 = 1_024;

/// How much to measure.
struct Effort {
    rounds: usize,
    run: Duration,
}

fn main() {
    let effort = if is_test() {
        Effort {
            rounds: 1,
            run: Duration::from_micros(1),
        }
    } else {
        Effort {
            rounds: 7,
            run: Duration::from_millis(40),
        }
    };
    let runtime = cases::runtime();
    for n in [1, 10] {
        println!("Thousand emissions a second, {n} ready listener(s), by number of emitters\n");
        let rows = contenders(n).into_iter().map(Row::new).collect();
        print(&measure(&runtime, &effort, rows));
    }
}

/// One dispatcher and its samples.
struct Row {
    contender: Contender,
    /// Emissions a second, without and with a writer, by number of emitters.
    rates: [[Vec<f64>; EMITTERS.len()]; 2],
    /// Registrations and removals a second beside two emitters.
    changes: Vec<f64>,
}

impl Row {
    fn new(contender: Contender) -> Self {
        Self {
            contender,
            rates: Default::default(),
            changes: Vec::new(),
        }
    }
}

fn measure(runtime: &Runtime, effort: &Effort, mut rows: Vec<Row>) -> Vec<Row> {
    let sizes: Vec<u64> = rows
        .iter()
        .map(|row| run_size(runtime, &row.contender, effort.run))
        .collect();
    for _ in 0..effort.rounds {
        for (row, emissions) in rows.iter_mut().zip(&sizes) {
            for (place, emitters) in EMITTERS.into_iter().enumerate() {
                let took = run(runtime, &row.contender, emitters, *emissions);
                row.rates[0][place].push(rate(*emissions, took));
                let Some(change) = &row.contender.change else {
                    continue;
                };
                let (took, changes) = beside(change, || {
                    run(runtime, &row.contender, emitters, *emissions)
                });
                row.rates[1][place].push(rate(*emissions, took));
                if emitters == 2 {
                    row.changes.push(rate(changes, took));
                }
            }
        }
    }
    rows
}

/// How many emissions by one emitter take about as long as a run is to take. Warms the dispatcher up.
fn run_size(runtime: &Runtime, contender: &Contender, wanted: Duration) -> u64 {
    let mut emissions = EMITTERS[EMITTERS.len() - 1];
    while run(runtime, contender, 1, emissions) < wanted {
        emissions *= 2;
    }
    emissions
}

fn run(runtime: &Runtime, contender: &Contender, emitters: u64, emissions: u64) -> Duration {
    contenders::run(runtime, contender.emit, emitters, emissions, BETWEEN_YIELDS)
}

/// Does the work while another thread changes the list. Returns how many changes were made too.
fn beside<R>(change: &(dyn Fn() + Send + Sync), work: impl FnOnce() -> R) -> (R, u64) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut changes = 0;
            while !done.load(Ordering::Relaxed) {
                change();
                changes += 2;
            }
            changes
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, writer.join().expect("no writer panics"))
    })
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64() / 1_000.0
}

fn print(rows: &[Row]) {
    let head = [
        "",
        "1",
        "2",
        "8",
        "2 to 1",
        "1, writer",
        "2, writer",
        "8, writer",
        "changes beside 2",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let alone = row.rates[0].clone().map(median);
        let mut line = vec![row.contender.name.to_owned()];
        line.extend(alone.map(number));
        line.push(times(alone[1] / alone[0]));
        if row.changes.is_empty() {
            line.extend(std::iter::repeat_n("-".to_owned(), EMITTERS.len() + 1));
        } else {
            line.extend(row.rates[1].clone().map(median).map(number));
            line.push(number(median(row.changes.clone())));
        }
        lines.push(line);
    }
    table(&lines);
}
