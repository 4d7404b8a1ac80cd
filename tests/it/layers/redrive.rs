//! Letters in their store, and on their way back.

use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters, Decision, Letter, RedeliverError, Retry};
use fanfare::{BoxError, Delivery, Outcome, Signal};
use tokio::time::Instant;

use crate::support::Log;

const SECOND: Duration = Duration::from_secs(1);

/// A signal whose one listener fails with each event once, and then notes it, its delivery and the time, and takes so long.
fn redriven(letters: &DeadLetters, takes: Duration, log: &Log<(Delivery, Instant)>) -> Signal<u32> {
    let signal = Signal::<u32>::builder()
        .dead_letter(DeadLetter::keep(letters))
        .build();
    let log = log.clone();
    let listener = async move |_, d: Delivery| {
        if d.redrives() == 0 {
            return Err("down".into());
        }
        log.push((d, Instant::now()));
        tokio::time::sleep(takes).await;
        Ok(())
    };
    signal.listen().with_delivery().try_on(listener).unwrap();
    signal
}

#[tokio::test]
async fn a_store_has_room_for_so_many_as_it_says_and_refuses_what_is_beyond_its_limits() {
    assert_eq!(DeadLetters::new(7).capacity(), 7);
    assert!(DeadLetters::try_new(1 << 24).is_ok());
    let error = DeadLetters::try_new((1 << 24) + 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "option `dead_letters` cannot be 16777217: it takes 1 to 16,777,216 letters"
    );
    let made = std::panic::catch_unwind(|| DeadLetters::new(0));
    assert!(made.is_err());
}

#[tokio::test(start_paused = true)]
async fn those_that_are_picked_are_taken_out_and_the_others_stay() {
    let letters = DeadLetters::new(10);
    let signal = redriven(&letters, SECOND, &Log::default());
    for n in 0..5 {
        let _ = signal.emit(n).await;
    }
    let numbers = |letters: Vec<Letter>| -> Vec<u32> {
        let numbers = letters.iter().map(|l| *l.event().unwrap());
        numbers.collect()
    };
    let odd = letters.take(|letter| letter.event().is_some_and(|n: &u32| n % 2 == 1));
    assert_eq!(numbers(odd), [1, 3]);
    assert_eq!(numbers(letters.letters()), [0, 2, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_begins_evenly_whatever_the_calls_take() {
    for (rate, gap) in [(2, SECOND / 2), (1, SECOND), (0, SECOND)] {
        let (letters, log) = (DeadLetters::new(10), Log::default());
        let signal = redriven(&letters, SECOND / 4, &log);
        for n in 0..4 {
            let _ = signal.emit(n).await;
        }
        assert_eq!(letters.redrive().rate(rate).await.delivered(), 4);
        let begun: Vec<_> = log.take().into_iter().map(|(_, begun)| begun).collect();
        assert!(
            begun.windows(2).all(|pair| pair[1] - pair[0] == gap),
            "{rate}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_somebody_takes_meanwhile_is_not_redriven() {
    let (letters, log) = (DeadLetters::new(10), Log::default());
    let signal = redriven(&letters, 10 * SECOND, &log);
    let _ = (signal.emit(1).await, signal.emit(2).await);
    let redrive = tokio::spawn(letters.redrive().into_future());
    tokio::time::sleep(SECOND).await;
    assert_eq!(letters.take(|_| true).len(), 1);
    let redriven = redrive.await.unwrap();
    assert_eq!(
        (redriven.delivered(), redriven.left(), log.len()),
        (1, 0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_redriven_event_is_delivered_as_it_was_but_for_the_deadline_of_its_emission() {
    let (letters, log) = (DeadLetters::new(10), Log::default());
    let signal = redriven(&letters, Duration::ZERO, &log);
    let emission = signal
        .emit(7)
        .header("tenant", "acme")
        .correlation_id("order");
    let _ = emission.timeout(SECOND).await;
    let first = letters.letters()[0].delivery().clone();
    assert!(first.deadline().is_some());
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(letters.redrive().await.delivered(), 1);
    let (d, _) = log.take().remove(0);
    assert_eq!(
        (d.header("tenant"), d.correlation_id()),
        (Some("acme"), Some("order"))
    );
    assert_eq!(
        (d.emission_id(), d.listener_id()),
        (first.emission_id(), first.listener_id())
    );
    assert_eq!((d.attempt(), d.redrives(), d.deadline()), (1, 1, None));
    assert_eq!(d.age(), Some(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_redriven_call_counts_its_own_attempts_and_its_failure_is_told() {
    let (told, letters) = (Log::default(), DeadLetters::new(10));
    let t = told.clone();
    let signal = Signal::<u32>::builder()
        .retry(Retry::constant(SECOND))
        .dead_letter(DeadLetter::keep(&letters))
        .on_failure(move |failure| t.push(failure.to_string()))
        .build();
    let fails = async |_, d: Delivery| match d.redrives() {
        0 => Err::<(), BoxError>("down".into()),
        _ => Err(Decision::GiveUp.with("gone").into()),
    };
    let listen = signal.listen().key("db").with_delivery();
    let sub = listen.try_on(fails).unwrap();
    let _ = signal.emit(1).await;
    assert_eq!(letters.letters()[0].attempts(), 3);
    assert_eq!(letters.redrive().await.failed(), 1);
    assert_eq!(letters.letters()[0].attempts(), 1);
    assert_eq!(
        told.take(),
        ["`db` failed: down", "`db` failed: gone (give up)"]
    );
    assert_eq!(signal.stats().count(Outcome::Failed), 2);
    assert_eq!(sub.metadata().errors(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_redriven_call_whose_retries_are_for_the_background_is_there_already() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let retry = Retry::constant(SECOND).max_attempts(2).in_background();
    let listen = signal.listen().retry(retry);
    let fails = async |_, d: Delivery| -> Result<(), BoxError> {
        match (d.redrives(), d.attempt()) {
            (1, 2) => Ok(()),
            _ => Err("down".into()),
        }
    };
    let listen = listen.dead_letter(DeadLetter::keep(&letters));
    listen.with_delivery().try_on(fails).unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    tokio::time::sleep(2 * SECOND).await;
    let redriven = letters.redrive().await;
    assert_eq!(
        (redriven.delivered(), redriven.failed(), letters.len()),
        (1, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_is_redelivered_says_what_came_of_it() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let fails_twice = async |_, d: Delivery| match d.redrives() {
        0 => Err("down"),
        1 => Err("still down"),
        _ => Ok(()),
    };
    let listen = signal.listen().dead_letter(DeadLetter::keep(&letters));
    listen.with_delivery().on(fails_twice).unwrap();
    let _ = signal.emit(1).await;
    let failed = letters.letters()[0].redeliver().await;
    assert!(matches!(&failed, Err(RedeliverError::Failed(_))));
    assert_eq!(
        failed.unwrap_err().to_string(),
        "the listener did not succeed: failed: still down"
    );
    // The store has what was there, and the letter of the second failure.
    let again = letters.letters();
    assert_eq!((again.len(), again[1].redrives()), (2, 1));
    assert!(again[1].redeliver().await.is_ok());
}
