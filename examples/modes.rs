//! The dispatch modes side by side: the same four listeners, and what happens when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{Dispatch, RegisterError, Signal, SignalBuilder};

/// What happened, in order.
type Ledger = Arc<Mutex<Vec<String>>>;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), RegisterError> {
    let concurrent = run("Concurrent", |s| s.dispatch(Dispatch::Concurrent)).await?;
    let parallel = run("Parallel", |s| s.dispatch(Dispatch::Parallel)).await?;
    let sequential = run("Sequential", |s| s.dispatch(Dispatch::Sequential)).await?;

    let begin = |name: &str| format!("{name} begins");
    let end = |name: &str| format!("{name} ends");
    // First polls are in order; those that wait go on together.
    let order = [
        begin("slow"),
        begin("quick"),
        begin("ready"),
        end("ready"),
        end("quick"),
        end("slow"),
        begin("last"),
        end("last"),
    ];
    assert_eq!(concurrent, order);
    // Each finishes before the next begins.
    let order = ["slow", "quick", "ready", "last"].map(|name| [begin(name), end(name)]);
    assert_eq!(sequential, order.concat());
    // Nothing is promised of tasks, but that stage 0 has finished before stage 1 begins.
    assert_eq!(parallel[6..], [begin("last"), end("last")]);
    Ok(())
}

/// Emits once, and says what happened.
async fn run(
    mode: &str,
    options: impl FnOnce(SignalBuilder<()>) -> SignalBuilder<()>,
) -> Result<Vec<String>, RegisterError> {
    let ledger = Ledger::default();
    let signal = options(Signal::builder()).build();
    let listeners = [
        ("slow", 0, Some(20)),
        ("quick", 0, Some(10)),
        ("ready", 0, None),
        ("last", 1, None),
    ];
    for (name, stage, millis) in listeners {
        let ledger = Arc::clone(&ledger);
        let note = move |what: &str| {
            let mut ledger = ledger.lock().expect("no listener panics");
            ledger.push(format!("{name} {what}"));
        };
        signal.listen().key(name).stage(stage).on(async move |()| {
            note("begins");
            if let Some(millis) = millis {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
            note("ends");
        })?;
    }
    let report = signal.emit(()).await;
    let ledger = ledger.lock().expect("no listener panics").clone();
    println!("{mode}: {report}");
    for line in &ledger {
        println!("  {line}");
    }
    Ok(ledger)
}
