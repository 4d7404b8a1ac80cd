//! Many changes at once, while others emit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use fanfare::Signal;
use fanfare::layer::{Change, CircuitBreaker, Concurrency, RateLimit, Retry};

use super::{SECOND, layers, observed};

const EMISSIONS: u32 = 2_000;
const CHANGES: u32 = 500;

fn changed(n: u32) -> Change {
    let change = Change::new()
        .deadline(SECOND * (100 + n % 50))
        .timeout(SECOND * (10 + n % 50));
    match n % 4 {
        0 => change.rate_limit(RateLimit::per_second(900_000 + n % 1_000)),
        1 => change.concurrency(Concurrency::new(1 + n as usize % 4)),
        2 => change.retry(Retry::constant(Duration::ZERO).max_attempts(2 + n % 3)),
        _ => change.circuit_breaker(breaker().window_calls(20 + n as usize % 100)),
    }
}

/// One that counts and never opens: the last attempt of each call succeeds.
fn breaker() -> CircuitBreaker {
    CircuitBreaker::new().failure_rate(1.0).min_calls(20)
}

#[test]
fn of_two_changes_at_once_that_make_no_sense_together_one_is_refused() {
    let signal = Signal::<u32>::new();
    let listen = signal.listen().deadline(100 * SECOND).timeout(5 * SECOND);
    let sub = listen.on(async |_| {}).unwrap();
    let both = Barrier::new(2);
    for _ in 0..2_000 {
        let first = Change::new().deadline(100 * SECOND).timeout(5 * SECOND);
        sub.change(first).unwrap();
        let made = std::thread::scope(|scope| {
            let changes = [
                Change::new().deadline(10 * SECOND),
                Change::new().timeout(50 * SECOND),
            ];
            let threads = changes.map(|change| {
                let (sub, both) = (&sub, &both);
                scope.spawn(move || {
                    both.wait();
                    sub.change(change).is_ok()
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        assert_ne!(made[0], made[1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_is_lost_or_doubled_and_no_setting_is_torn() {
    let (builder, log) = observed::<u32>();
    let signal: Signal<u32> = builder.build();
    let concurrency = Concurrency::new(2).per_key(|n: &u32| n % 3);
    let rate = RateLimit::per_second(900_000).per_key(|n: &u32| n % 5);
    let (places, passes) = (concurrency.handle(), rate.handle());
    let succeeded = Arc::new(AtomicU64::new(0));
    let done = Arc::clone(&succeeded);
    let sub = signal
        .listen()
        .key("webhook")
        .deadline(100 * SECOND)
        .retry(Retry::constant(Duration::ZERO).max_attempts(2))
        .rate_limit(rate)
        .concurrency(concurrency)
        .circuit_breaker(breaker())
        .timeout(10 * SECOND)
        .with_delivery()
        .try_on(async move |n, delivery| {
            tokio::task::yield_now().await;
            if n % 2 == 0 && delivery.attempt() == 1 {
                return Err("not yet".into());
            }
            done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    let emitters = (0..2).map(|_| {
        let signal = signal.clone();
        tokio::spawn(async move {
            for n in 0..EMISSIONS {
                let report = signal.emit(n).await;
                assert_eq!((report.delivered(), report.failures().count()), (1, 0));
            }
        })
    });
    let emitters: Vec<_> = emitters.collect();
    let changers = (0..3).map(|nth| {
        let signal = signal.clone();
        tokio::spawn(async move {
            for n in 0..CHANGES {
                signal.change("webhook", changed(n * 3 + nth)).unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    for task in emitters.into_iter().chain(changers) {
        task.await.unwrap();
    }
    let calls = u64::from(2 * EMISSIONS);
    assert_eq!(succeeded.load(Ordering::Relaxed), calls);
    assert_eq!(signal.metadata("webhook").unwrap().calls(), calls);
    // Each attempt passed once, and has given its place back.
    assert_eq!(passes.passed(), calls + calls / 2);
    assert_eq!(
        (passes.waiting(), places.running(), places.waiting()),
        (0, 0, 0)
    );
    // From where one change has left a setting another goes on: each of them is begun from as often as it is come to, but for the first and the last.
    let told = log.take();
    for setting in ["deadline", "retry", "rate limit", "concurrency", "timeout"] {
        let of = format!("`webhook` of `orders`: {setting}: ");
        let told = told.iter().filter_map(|told| told.strip_prefix(&of));
        let mut open = HashMap::<&str, i32>::new();
        for (before, after) in told.map(|told| told.split_once(" -> ").unwrap()) {
            *open.entry(before).or_default() -= 1;
            *open.entry(after).or_default() += 1;
        }
        open.retain(|_, count| *count != 0);
        let now = layers(&sub);
        assert!(open.len() <= 2, "{setting}: {open:?}");
        if let Some((last, _)) = open.iter().find(|(_, count)| **count == 1) {
            let shown = format!("{setting} ({last})");
            assert!(now.contains(&shown), "{now}, where {shown} is the last");
        }
    }
}
