//! How many records are kept, and how long.

use std::time::Duration;

use fanfare::Signal;
use fanfare::observe::audit::AuditLog;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::{Instant, advance};

use crate::support::cases;

#[derive(Clone, Copy, Debug)]
enum Step {
    Change,
    /// Milliseconds pass.
    Wait(u64),
    Read,
    Since(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Change),
        3 => (0..40_u64).prop_map(Step::Wait),
        2 => Just(Step::Read),
        1 => (0..60_u64).prop_map(Step::Since),
    ];
    prop::collection::vec(step, 0..80)
}

/// All that ever came, each with its time: what is kept is found anew each time.
struct Model {
    came: Vec<Instant>,
    most: usize,
    age: Duration,
}

impl Model {
    fn kept(&self) -> Vec<u64> {
        let numbered = (0..).zip(&self.came);
        let latest = numbered.skip(self.came.len().saturating_sub(self.most));
        let young = latest.filter(|(_, came)| came.elapsed() < self.age);
        young.map(|(number, _)| number).collect()
    }
}

fn numbers(records: &[std::sync::Arc<fanfare::observe::audit::AuditRecord>]) -> Vec<u64> {
    records.iter().map(|record| record.sequence).collect()
}

async fn run(most: usize, age: Duration, steps: Vec<Step>) {
    let log = AuditLog::builder().keep(most).keep_for(age).build();
    let signal = Signal::<u32>::builder().audit(&log).build();
    let sub = signal.on(async |_| {});
    let came = Vec::new();
    let mut model = Model { came, most, age };
    for step in steps {
        match step {
            Step::Change => {
                assert!(sub.disable() || sub.enable());
                model.came.push(Instant::now());
            }
            Step::Wait(millis) => advance(Duration::from_millis(millis)).await,
            Step::Read => {
                assert_eq!(numbers(&log.records()), model.kept());
                let kept = model.kept();
                assert_eq!((log.len(), log.is_empty()), (kept.len(), kept.is_empty()));
                assert_eq!(log.forgotten(), (model.came.len() - kept.len()) as u64);
            }
            Step::Since(sequence) => {
                let kept = model.kept().into_iter();
                let expected: Vec<u64> = kept.filter(|number| *number >= sequence).collect();
                assert_eq!(numbers(&log.since(sequence)), expected);
            }
        }
    }
    assert_eq!(numbers(&log.records()), model.kept());
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn just_those_are_kept_that_are_young_and_among_the_latest(
        most in 1..12_usize,
        age in 1..200_u64,
        steps in steps(),
    ) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(most, Duration::from_millis(age), steps));
    }
}

#[tokio::test(start_paused = true)]
async fn without_more_words_ten_thousand_are_kept_for_thirty_days() {
    let day = Duration::from_secs(86_400);
    let log = AuditLog::default();
    let signal = Signal::<u32>::builder().audit(&log).build();
    let sub = signal.on(async |_| {});
    for _ in 0..5_001 {
        sub.disable();
        sub.enable();
    }
    assert_eq!((log.len(), log.forgotten()), (10_000, 2));
    advance(29 * day).await;
    advance(Duration::from_millis(86_399_999)).await;
    assert_eq!(log.len(), 10_000);
    advance(Duration::from_millis(1)).await;
    assert_eq!((log.len(), log.forgotten()), (0, 10_002));
    sub.disable();
    assert_eq!(numbers(&log.since(10_000)), [10_002]);
}

#[test]
fn numbers_have_no_gap_and_no_twin_whoever_writes() {
    let log = AuditLog::new();
    let signal = Signal::<u32>::builder().audit(&log).build();
    std::thread::scope(|scope| {
        let threads = (0..4).map(|_| {
            let signal = &signal;
            scope.spawn(move || {
                let sub = signal.on(async |_| {});
                for _ in 0..200 {
                    sub.disable();
                    sub.enable();
                }
            })
        });
        crate::support::join(threads.collect());
    });
    let expected: Vec<u64> = (0..1_600).collect();
    assert_eq!(numbers(&log.records()), expected);
}
