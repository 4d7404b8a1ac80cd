//! The guarantees, as properties: random programs run on the crate and on a slow, obvious twin, and both must tell the same story.
//!
//! A program is two signals with options, listeners with a script each (suspend, sleep, fail, panic, remove, replace, add, clear, nest emissions,
//! give them up), and steps from outside that overlap. Time is virtual, and whatever sleeps is woken in an instant of its own, so that the order of
//! events is no accident. What does not depend on how a pool or a thread delays it is compared with the twin: reports, failures told, order of calls,
//! counts, who is left. The rest is held to what must be so in any order: the ledger complains when it is not.
//!
//! `FANFARE_CASES` sets the number of cases; each is eight programs.
//!
//! # The guards
//!
//! Each guard of the dispatch code, with what fails when it is taken out. The property is [`every_program_does_what_its_twin_does`]; the others are
//! in [`guards`], [`threads`], and `regressions`.
//!
//! | guard | what fails |
//! |---|---|
//! | a listener that is removed or spent is passed over before its filter is asked | the property |
//! | a call that is marked looks at the removal again | the property, `guards`, `threads` |
//! | a call unmarks itself, and wakes who waits for the removed | the property; waits in `guards` that never end |
//! | the removal, by handle, key, `clear` or replacement, marks the listener and wakes | the property |
//! | `removed()` waits for running calls, and leaves its own out | the property; `guards` |
//! | the claim is made, refused when nothing is left, in the thread if there is one, and the last one removes | the property, `guards`, `threads` |
//! | the filter is asked, once, of the listener that is called | the property, `regressions` |
//! | stages are barriers; `Sequential` waits for each | the property |
//! | the permit of the emission, of the task, first by policy and then for as long as it takes | the property |
//! | no permit is kept by an emission that waits, or that has ended | the property, `regressions` |
//! | a place in the queue is given up with the listener that it was for | the property, `regressions` |
//! | the permit is lent when a nested emission begins, whenever it suspends, and after the listener's poll | the property |
//! | the permit is taken again before the listener goes on, awaited or given up | the property, `guards` |
//! | a listener that waits for an emission of its own is polled without a permit | the property |
//! | the end of a call gives back mark and permit, after its future is dropped | the property, `guards` |
//! | panics are caught around call, poll, drop, filter, thread, and clones of the event | the property, `regressions` |
//! | the entries of a report are sorted | the property |
//! | `OnError::Stop` and `Break` stop, and what has not started is passed over | the property |
//! | dropping an emission cancels, counts and tells, also before its first poll | the property, `guards` |
//! | tasks are aborted; a blocking call is taken back from the queue, or told of later | the property, `guards` |
//! | deadline and tokens are looked at before the first call and while calls run | the property, `guards` |
//! | a replacement is followed to its end, known before the removal is seen, and keeps its place | the property, `threads` |
//! | the context is set around call, poll and drop, and set back | the property, `guards` |
//! | the recursion limit, and the depth that it is compared with | the property |
//! | the gate refuses when closed, counts who is inside, and wakes | `guards` |
//! | the event is moved into the last listener | the property |
//! | the list is sorted by stage, priority, registration | the property |
//! | what a shrunk pool is owed is paid by who gives back, collected from the idle, and cancelled by growth | the property, `threads` |
//! | counts of calls, errors, panics, outcomes, emissions; failures told | the property |
//!
//! Not shown here: that a call is marked *before* it looks at the removal (the other order is wrong for some nanoseconds, which is work for a model
//! checker), and that a lease which has ended takes no permit (its `end`, its `put` and its drop each see to that; it takes the loss of more than one).

#![allow(clippy::unwrap_used)]

mod call;
mod guards;
mod program;
mod real;
mod threads;
mod twin;
mod world;

use std::sync::Arc;
use std::time::Duration;

use fanfare::Dispatch;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::task::JoinSet;

use program::{Do, Fate, Kind, Program};
use real::Real;
use twin::Twin;
use world::{Engine, Ledger, World};

/// Keeps the panics of scripts out of the output.
fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let text = panic.payload().downcast_ref::<String>();
            if !text.is_some_and(|text| text.starts_with("scripted: ")) {
                loud(panic);
            }
        }));
    });
}

async fn step(world: Arc<World>, index: usize) {
    let step = world.program.steps[index].clone();
    tokio::time::sleep_until(world.step_instant(step.slot, index)).await;
    match step.what {
        Do::Change(change) => world.change(change),
        Do::Watch(no) => world.watch(no).await,
        Do::Resize(size) => world.resize(size),
        Do::Emit {
            signal,
            value,
            fate,
        } => {
            let event = World::event(index as u64 + 1, 0, value);
            match fate {
                Fate::Awaited => world.emit(signal, event, None).await,
                Fate::Deadline(slots) => {
                    let limit = world.step_instant(slots, index) - tokio::time::Instant::now();
                    world.emit(signal, event, Some(limit)).await;
                }
                Fate::Dropped(slots) => {
                    let limit = world.step_instant(slots, index);
                    let emission = world.emit(signal, event, None);
                    let _ = tokio::time::timeout_at(limit, emission).await;
                }
                Fate::Held(change) => {
                    let emission = world.emit(signal, event, None);
                    world.change(change);
                    emission.await;
                }
            }
        }
    }
}

/// Runs the steps of a program to their end. False if it does not come.
async fn steps(world: &Arc<World>, watches: bool) -> (bool, JoinSet<()>) {
    let (mut steps, mut watching) = (JoinSet::new(), JoinSet::new());
    for (index, plan) in world.program.steps.iter().enumerate() {
        let set = if matches!(plan.what, Do::Watch(_)) {
            if !watches {
                continue;
            }
            &mut watching
        } else {
            &mut steps
        };
        set.spawn(step(Arc::clone(world), index));
    }
    let all = async {
        while let Some(step) = steps.join_next().await {
            step.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20_000_000_000), all)
        .await
        .is_ok();
    // What was aborted ends when it is polled.
    tokio::time::sleep(Duration::from_secs(100_000)).await;
    (ended, watching)
}

fn on_a_paused_clock<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// What the ledger of the crate says in the end.
fn run_real(program: &Program) -> Ledger {
    on_a_paused_clock(async {
        let world = World::new(program, true);
        let real = Arc::new(Real::new(program, &world));
        assert!(
            world
                .engine
                .set(Arc::clone(&real) as Arc<dyn Engine>)
                .is_ok()
        );
        world.register();
        let watched = real.pool.clone();
        let looks = async {
            match &watched {
                Some(pool) => world.watch_pool(pool).await,
                None => std::future::pending().await,
            }
        };
        let (ended, mut watching) = tokio::select! {
            ended = steps(&world, true) => ended,
            () = looks => unreachable!("it looks for ever"),
        };
        if ended {
            real.check_at_rest(&world);
            world.ledger().check_watches();
        } else {
            world.ledger().violations.push("it never ends".to_owned());
        }
        let keys = (0..2)
            .map(|signal| world.engine().members(signal))
            .collect();
        world.ledger().keys = keys;
        for signal in 0..2 {
            world.engine().clear(signal);
        }
        let all = async { while watching.join_next().await.is_some() {} };
        if ended
            && tokio::time::timeout(Duration::from_secs(1), all)
                .await
                .is_err()
        {
            let complaint = "a wait for `removed()` never ends".to_owned();
            world.ledger().violations.push(complaint);
        }
        std::mem::take(&mut *world.ledger())
    })
}

fn run_twin(program: &Program) -> Ledger {
    on_a_paused_clock(async {
        let world = World::new(program, false);
        let twin = Arc::new(Twin::new(program));
        assert!(
            world
                .engine
                .set(Arc::clone(&twin) as Arc<dyn Engine>)
                .is_ok()
        );
        world.register();
        let (ended, _) = steps(&world, false).await;
        assert!(ended, "the twin never ends");
        let keys = (0..2)
            .map(|signal| world.engine().members(signal))
            .collect();
        world.ledger().keys = keys;
        twin.take_apart();
        std::mem::take(&mut *world.ledger())
    })
}

/// What must be the same with both: the first differences found, in words.
fn differences(program: &Program, real: Ledger, twin: Ledger) -> Result<(), TestCaseError> {
    let sorted = |mut told: Vec<(usize, String)>| {
        told.sort();
        told
    };
    prop_assert_eq!(real.reports, twin.reports, "reports");
    prop_assert_eq!(sorted(real.told), sorted(twin.told), "failures told");
    prop_assert_eq!(real.changes, twin.changes, "changes");
    prop_assert_eq!(real.keys, twin.keys, "who is left");
    prop_assert_eq!(real.calls_of, twin.calls_of, "calls");
    prop_assert_eq!(real.errors_of, twin.errors_of, "errors");
    prop_assert_eq!(real.panics_of, twin.panics_of, "panics");
    let in_place = |no: &usize| program.listeners[*no].kind != Kind::Blocking;
    let order = |starts: std::collections::BTreeMap<u64, Vec<usize>>| -> Vec<(u64, Vec<usize>)> {
        let mut starts: Vec<_> = starts.into_iter().collect();
        for (_, nos) in &mut starts {
            nos.retain(in_place);
            // Neither start nor end of tasks is promised.
            let signal = |no: &usize| &program.signals[program.listeners[*no].signal];
            if nos
                .first()
                .is_some_and(|no| signal(no).mode == Dispatch::Parallel)
            {
                nos.sort_unstable();
            }
        }
        starts.retain(|(_, nos)| !nos.is_empty());
        starts
    };
    prop_assert_eq!(order(real.starts), order(twin.starts), "order of calls");
    Ok(())
}

proptest! {
    #![proptest_config(crate::support::cases(256))]

    #[test]
    fn every_program_does_what_its_twin_does(
        programs in prop::collection::vec(program::programs(), 8)
    ) {
        quiet();
        for program in programs {
            let real = run_real(&program);
            prop_assert!(real.violations.is_empty(), "{:#?}\n{program:?}", real.violations);
            if program.is_predictable() {
                differences(&program, real, run_twin(&program))?;
            }
        }
    }
}
