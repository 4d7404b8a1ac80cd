//! Allocations: `cargo bench --bench allocations` prints them as Markdown. Exact: the same on every machine and in every run of one build.

mod support;

use std::mem::size_of;

use allocation_counter::measure;
use fanfare::{Emit, Signal};
use support::cases::{self, Case};
use support::event::Tick;
use support::print::{number, table};
use tokio::runtime::{Builder, Runtime};

const SIZES: [usize; 3] = [1, 10, 100];
/// Enough for every list that grows to have grown.
const WARM_UP: u64 = 100;
const EMISSIONS: u64 = 100;

fn main() {
    // One thread, since the counts are those of a thread.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime with one thread");
    println!("Allocations an emission, listeners that are ready at once\n");
    emissions(&runtime, cases::ready);
    println!("Allocations an emission, listeners that yield to the runtime once\n");
    emissions(&runtime, cases::suspending);
    println!("Sizes\n");
    sizes();
}

fn emissions(runtime: &Runtime, cases: fn(usize) -> Vec<Case>) {
    let columns = SIZES.map(cases);
    let mut rows = vec![vec![
        String::new(),
        "1 listener".to_owned(),
        "10".to_owned(),
        "100".to_owned(),
    ]];
    for (n, case) in columns[0].iter().enumerate() {
        let cells = columns
            .iter()
            .map(|column| an_emission(runtime, &column[n]));
        rows.push([case.name.to_owned()].into_iter().chain(cells).collect());
    }
    table(&rows);
}

/// The difference between a long and a short run, so that what a run itself allocates is no part of it.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn an_emission(runtime: &Runtime, case: &Case) -> String {
    case.run_here(runtime, WARM_UP);
    let short = measure(|| case.run_here(runtime, 1)).count_total;
    let long = measure(|| case.run_here(runtime, 1 + EMISSIONS)).count_total;
    let mean = (long - short) as f64 / EMISSIONS as f64;
    if mean.fract() == 0.0 {
        format!("{mean:.0}")
    } else {
        number(mean)
    }
}

fn sizes() {
    let size = |what: &str, bytes: usize| vec![what.to_owned(), bytes.to_string()];
    table(&[
        vec![String::new(), "bytes".to_owned()],
        size(
            "the future of `emit`, for an event of 8 bytes",
            size_of::<Emit<'_, Tick>>(),
        ),
        size("a listener without a key, at 10,000", a_listener(None)),
        size(
            "a listener with a key of 11 bytes, at 10,000",
            a_listener(Some("tenant")),
        ),
    ]);
}

/// Bytes on the heap a listener that captures nothing, its future not counted. What registration allocates and frees again is not in it.
fn a_listener(key: Option<&str>) -> usize {
    const LISTENERS: usize = 10_000;
    let signal = Signal::<Tick>::builder().max_listeners(LISTENERS).build();
    let held = measure(|| {
        let batch = signal.batch();
        for n in 0..LISTENERS {
            let listener = batch.listen();
            let listener = match key {
                Some(key) => listener.key(format!("{key}{n:05}")),
                None => listener,
            };
            drop(listener.on(async |_| {}).expect("the keys differ"));
        }
        batch.commit().expect("the keys differ");
    });
    usize::try_from(held.bytes_current).expect("listeners take memory") / LISTENERS
}
