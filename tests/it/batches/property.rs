//! Random calls, some of which are dropped: every event is in one batch that was delivered, and has the outcome of its place.

use std::time::Duration;

use fanfare::{Dispatch, Outcome, Pool, Signal};
use proptest::prelude::*;
use tokio::time::sleep;

use super::of;
use crate::support::{Log, MODES};

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
struct Call {
    at: u32,
    /// Dropped so long after.
    dropped: Option<u32>,
}

#[derive(Clone, Debug)]
struct Program {
    mode: Dispatch,
    pool: Option<usize>,
    size: usize,
    within: u32,
    at_once: usize,
    takes: u32,
    calls: Vec<Call>,
}

fn programs() -> impl Strategy<Value = Program> {
    let call = (0_u32..40, prop::option::weighted(0.4, 0_u32..20));
    let call = call.prop_map(|(at, dropped)| Call { at, dropped });
    let pool = prop::option::of(1_usize..4);
    let mode = prop::sample::select(MODES.as_slice());
    let numbers = (1_usize..6, 1_u32..20, 1_usize..3, 0_u32..8);
    let calls = prop::collection::vec(call, 1..20);
    (mode, pool, numbers, calls).prop_map(|(mode, pool, (size, within, at_once, takes), calls)| {
        Program {
            mode,
            pool,
            size,
            within,
            at_once,
            takes,
            calls,
        }
    })
}

/// Fails for every third event.
fn fails(n: u32) -> bool {
    n % 3 == 0
}

async fn run(program: Program) {
    let builder = Signal::<u32>::builder().dispatch(program.mode);
    let builder = match program.pool {
        Some(size) => builder.pool(Pool::new(size)),
        None => builder,
    };
    let signal = builder.build();
    let (begun, ended) = (Log::default(), Log::default());
    let (begins, ends, takes) = (begun.clone(), ended.clone(), program.takes);
    let batches = of(program.size)
        .within(MS * program.within)
        .at_once(program.at_once);
    signal.on_batch(batches, async move |events: Vec<u32>| {
        begins.push(events.clone());
        sleep(MS * takes).await;
        let outcome = |n: &u32| {
            if fails(*n) {
                Err(n.to_string())
            } else {
                Ok(())
            }
        };
        let outcomes: Vec<_> = events.iter().map(outcome).collect();
        ends.push(events);
        outcomes
    });
    let calls = program.calls.iter().zip(0..).map(|(call, n)| {
        let (signal, call) = (signal.clone(), call.clone());
        async move {
            sleep(MS * call.at).await;
            let emit = signal.emit(n);
            let report = match call.dropped {
                None => Some(emit.await),
                Some(after) => tokio::time::timeout(MS * after, emit).await.ok(),
            };
            (n, report)
        }
    });
    let all = futures::future::join_all(calls);
    let reports = tokio::time::timeout(MS * 10_000, all).await;
    let reports = reports.expect("every call has an end");
    let (begun, ended) = (begun.take(), ended.take());
    assert!(
        begun
            .iter()
            .all(|batch| !batch.is_empty() && batch.len() <= program.size)
    );
    let mut seen = begun.concat();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), begun.concat().len(), "twice: {begun:?}");
    let ended = ended.concat();
    for (n, report) in reports {
        let Some(report) = report else { continue };
        assert!(ended.contains(&n), "{n} is in a batch that has ended");
        let failed = report
            .entries()
            .first()
            .map(|entry| entry.cause().to_string());
        assert_eq!(failed, fails(n).then(|| format!("failed: {n}")));
    }
    assert!(signal.shutdown(MS * 10_000).await.is_clean());
    let told: u64 = [Outcome::Done, Outcome::Failed, Outcome::Cancelled]
        .map(|o| signal.stats().count(o))
        .iter()
        .sum();
    assert!(told <= program.calls.len() as u64);
}

proptest! {
    #![proptest_config(crate::support::cases(256))]

    #[test]
    fn every_event_is_in_one_batch_and_has_its_own_outcome(program in programs()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(program));
    }
}
