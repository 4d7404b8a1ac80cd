//! Retries that run while their settings change.

use std::sync::Arc;
use std::time::Duration;

use fanfare::layer::{Change, Decision, FailurePolicy, Retry, RetryBudget};
use fanfare::{Outcome, Signal, Subscription};
use tokio::time::Instant;

use super::{SECOND, layers};
use crate::support::{Log, settle};

/// A listener that always fails, and notes each attempt: its number, and the milliseconds since the start.
fn failing(signal: &Signal<u32>, retry: Retry) -> (Subscription, Log<(u32, u64)>) {
    let (log, start) = (Log::default(), Instant::now());
    let sink = log.clone();
    let listen = signal.listen().retry(retry).with_delivery();
    let sub = listen.try_on(async move |_, delivery| {
        let since = u64::try_from(start.elapsed().as_millis()).unwrap();
        sink.push((delivery.attempt(), since));
        Err("down".into())
    });
    (sub.unwrap(), log)
}

fn emit(signal: &Signal<u32>) -> tokio::task::JoinHandle<fanfare::Report> {
    let signal = signal.clone();
    tokio::spawn(async move { signal.emit(1).await })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_next_attempt_goes_on_by_the_attempts_that_it_has_made() {
    let signal = Signal::new();
    let (sub, log) = failing(&signal, Retry::constant(10 * SECOND).max_attempts(2));
    let call = emit(&signal);
    settle().await;
    let retry = Retry::constant(SECOND).max_attempts(4);
    sub.change(Change::new().retry(retry)).unwrap();
    assert_eq!(call.await.unwrap().failed(), 1);
    // The wait that had begun is waited to its end.
    assert_eq!(log.take(), [(1, 0), (2, 10_000), (3, 11_000), (4, 12_000)]);
    assert_eq!(layers(&sub), "retry (4 attempts, every 1s)");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_made_all_attempts_that_there_are_now_makes_the_one_that_it_waits_for() {
    let signal = Signal::new();
    let (sub, log) = failing(&signal, Retry::constant(SECOND).max_attempts(10));
    let call = emit(&signal);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let retry = Retry::constant(SECOND).max_attempts(2);
    sub.change(Change::new().retry(retry)).unwrap();
    assert_eq!(call.await.unwrap().failed(), 1);
    assert_eq!(log.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_background_survives_a_change() {
    let signal = Signal::new();
    let retry = Retry::constant(10 * SECOND).max_attempts(2);
    let (sub, log) = failing(&signal, retry.in_background());
    assert_eq!(emit(&signal).await.unwrap().count(Outcome::Deferred), 1);
    let retry = Retry::constant(SECOND).max_attempts(3).in_background();
    sub.change(Change::new().retry(retry)).unwrap();
    assert!(signal.shutdown(60 * SECOND).await.is_clean());
    assert_eq!(log.take(), [(1, 0), (2, 10_000), (3, 11_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_to_the_background_as_the_new_retry_says() {
    let signal = Signal::new();
    let (sub, _) = failing(&signal, Retry::constant(SECOND));
    let call = emit(&signal);
    settle().await;
    let retry = Retry::constant(SECOND).in_background();
    sub.change(Change::new().retry(retry)).unwrap();
    assert_eq!(call.await.unwrap().count(Outcome::Deferred), 1);
    assert!(signal.shutdown(60 * SECOND).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn delays_go_on_where_they_were() {
    let signal = Signal::new();
    let (sub, log) = failing(&signal, Retry::constant(SECOND).max_attempts(5));
    let call = emit(&signal);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let delays = || [1, 2, 30, 40].into_iter().map(Duration::from_secs);
    let retry = Retry::delays(delays).max_attempts(100);
    sub.change(Change::new().retry(retry)).unwrap();
    assert_eq!(call.await.unwrap().failed(), 1);
    // Two delays were taken: the third is 30 s.
    let made = [(1, 0), (2, 1_000), (3, 2_000), (4, 32_000), (5, 72_000)];
    assert_eq!(log.take(), made);
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_time_that_is_new_counts_from_the_first_failure() {
    let signal = Signal::new();
    let (sub, log) = failing(&signal, Retry::constant(4 * SECOND).max_attempts(100));
    let call = emit(&signal);
    settle().await;
    let retry = Retry::constant(4 * SECOND).max_attempts(100);
    let retry = retry.max_elapsed(10 * SECOND);
    sub.change(Change::new().retry(retry.clone())).unwrap();
    assert_eq!(call.await.unwrap().failed(), 1);
    assert_eq!(log.take().len(), 3); // at 0, 4 and 8
    // For a call that begins after it counts as ever.
    assert_eq!(emit(&signal).await.unwrap().failed(), 1);
    assert_eq!(log.take().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_budget_stays_with_its_counts() {
    let signal = Signal::new();
    let budget = RetryBudget::new(0.5).per_second(0.0);
    let retry = || Retry::constant(Duration::from_millis(1)).max_attempts(2);
    let (sub, log) = failing(&signal, retry().budget(budget.clone()));
    for _ in 0..4 {
        emit(&signal).await.unwrap();
    }
    assert_eq!((log.take().len(), budget.refused()), (4 + 2, 2));
    // None is named, and it stays: a half of five calls is no third retry.
    sub.change(Change::new().retry(retry().max_attempts(3)))
        .unwrap();
    emit(&signal).await.unwrap();
    assert_eq!((log.take().len(), budget.refused()), (1, 3));
    // Another goes on from what was counted: all of six calls, less two.
    let other = RetryBudget::new(1.0).per_second(0.0);
    let change = retry().max_attempts(100).budget(other.clone());
    sub.change(Change::new().retry(change)).unwrap();
    emit(&signal).await.unwrap();
    assert_eq!((log.take().len(), other.refused()), (1 + 4, 1));
}

#[tokio::test(start_paused = true)]
async fn the_dice_go_on_unless_there_is_another_seed() {
    let waits = async |change: Option<Retry>| {
        let signal = Signal::new();
        let retry = || Retry::constant(SECOND).jitter(1.0).max_attempts(5);
        let (sub, log) = failing(&signal, retry().seed(7));
        emit(&signal).await.unwrap();
        if let Some(retry) = change {
            sub.change(Change::new().retry(retry)).unwrap();
        }
        let before = log.take().last().unwrap().1;
        emit(&signal).await.unwrap();
        let times = log.take().into_iter().map(|(_, at)| at - before);
        times.collect::<Vec<_>>()
    };
    let retry = || Retry::constant(SECOND).jitter(1.0).max_attempts(5);
    let unchanged = waits(None).await;
    assert_eq!(waits(Some(retry())).await, unchanged);
    assert_eq!(waits(Some(retry().seed(7))).await, unchanged);
    assert_ne!(waits(Some(retry().seed(8))).await, unchanged);
}

#[tokio::test(start_paused = true)]
async fn rules_of_the_retry_stay_unless_there_are_others() {
    let signal = Signal::new();
    let rules = |decision| FailurePolicy::new().otherwise(decision);
    let retry = Retry::constant(SECOND).policy(rules(Decision::GiveUp));
    let (sub, log) = failing(&signal, retry);
    sub.change(Change::new().retry(Retry::constant(SECOND).max_attempts(4)))
        .unwrap();
    emit(&signal).await.unwrap();
    assert_eq!(log.take().len(), 1);
    let retry = Retry::constant(SECOND).max_attempts(4);
    let retry = retry.policy(rules(Decision::Retry));
    sub.change(Change::new().retry(retry)).unwrap();
    emit(&signal).await.unwrap();
    assert_eq!(log.take().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn settings_that_were_replaced_are_let_go_of() {
    let (kept, signal) = (Arc::new(()), Signal::new());
    let held = Arc::clone(&kept);
    let delays = move || {
        assert_eq!(Arc::strong_count(&held), 2);
        std::iter::repeat_n(SECOND, 1)
    };
    let (sub, _) = failing(&signal, Retry::delays(delays));
    emit(&signal).await.unwrap();
    sub.change(Change::new().retry(Retry::constant(SECOND)))
        .unwrap();
    assert_eq!(Arc::strong_count(&kept), 1);
}
