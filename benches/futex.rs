//! What `benches/futex.sh` counts the futex calls of: two tasks on two workers that emit, or that do not.
//!
//! `futex emit N` makes N emissions, each task half of them; `futex empty N` is the same tasks without the emission. Neither yields: what the runtime
//! does between two polls is not the question. Without a mode both run, with few emissions, to show that they work.

mod support;

use fanfare::{Outcome, Signal};
use support::cases;
use support::event::{Tick, listen};
use tokio::runtime::Runtime;

const TASKS: u64 = 2;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let after = |mode: &str| args.iter().skip_while(|arg| *arg != mode).nth(1);
    let number = |text: &String| text.parse().expect("a number of emissions");
    let runtime = cases::runtime();
    match (after("empty").map(number), after("emit").map(number)) {
        (Some(emissions), None) => empty(&runtime, emissions),
        (None, Some(emissions)) => emit(&runtime, emissions),
        _ => {
            empty(&runtime, 1_000);
            emit(&runtime, 1_000);
            println!("It works. benches/futex.sh counts the calls.");
        }
    }
}

fn empty(runtime: &Runtime, emissions: u64) {
    in_tasks(runtime, || async move {
        for _ in 0..emissions / TASKS {
            listen(Tick::hidden());
        }
    });
}

fn emit(runtime: &Runtime, emissions: u64) {
    let signal = Signal::new();
    signal.on(async |tick| listen(tick));
    in_tasks(runtime, || {
        let signal = signal.clone();
        async move {
            for _ in 0..emissions / TASKS {
                let report = signal.emit(Tick::hidden()).await;
                debug_assert!(report.is_ok());
            }
        }
    });
    let called = signal.stats().count(Outcome::Done);
    assert_eq!(called, emissions / TASKS * TASKS);
}

fn in_tasks<F: Future<Output = ()> + Send + 'static>(runtime: &Runtime, task: impl Fn() -> F) {
    let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(task())).collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
}
