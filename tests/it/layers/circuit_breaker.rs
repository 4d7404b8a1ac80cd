//! The circuit breaker: every setting makes a difference, and a probe's place comes back on every way out.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fanfare::layer::{
    BreakerHandle, BreakerState, BreakerStatus, CircuitBreaker, Place, Retry, Timeout,
};
use fanfare::{
    BoxError, Bus, CallError, Cancellation, Cause, Delivery, OptionError, Outcome, Rejection,
    Report, Signal, Skip,
};
use futures::future::{FutureExt as _, join_all};
use tokio::task::JoinHandle;
use tokio::time::advance;
use tower::{Layer as _, Service, ServiceBuilder, service_fn};

use crate::support::{Captured, Gauge, Log, settle};

/// What the listener is to do.
#[derive(Clone, Debug)]
enum Do {
    Succeed,
    Fail(&'static str),
    Panic,
    Take(u64),
    Hang,
    End(Cause),
}

use Do::{Fail, Hang, Succeed, Take};

const FAIL: Do = Fail("down");

async fn act(delivery: Delivery) -> Result<(), BoxError> {
    match delivery.event::<Do>().unwrap().clone() {
        Succeed => Ok(()),
        Fail(message) => Err(message.into()),
        Do::Panic => panic!("on purpose"),
        Take(millis) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(())
        }
        Hang => std::future::pending().await,
        Do::End(cause) => Err(CallError::new(cause).into()),
    }
}

/// A signal with one listener behind a breaker.
#[derive(Clone)]
struct Rig {
    signal: Signal<Do>,
    handle: BreakerHandle,
    inside: Gauge,
}

impl Rig {
    fn new(breaker: &CircuitBreaker) -> Self {
        let rig = Self {
            signal: Signal::new(),
            handle: breaker.handle(),
            inside: Gauge::default(),
        };
        rig.add("api", breaker);
        rig
    }

    fn add(&self, key: &str, breaker: &CircuitBreaker) {
        let inside = self.inside.clone();
        let service = service_fn(move |delivery: Delivery| {
            let inside = inside.clone();
            async move {
                let _inside = inside.enter();
                act(delivery).await
            }
        });
        let stack = ServiceBuilder::new()
            .layer(breaker.clone())
            .service(service);
        self.signal.listen().key(key).service(stack).unwrap();
    }

    async fn emit(&self, what: Do) -> Outcome {
        let report = self.signal.emit(what).await;
        outcome(&report)
    }

    async fn all(&self, calls: &[Do]) {
        for call in calls {
            self.emit(call.clone()).await;
        }
    }

    /// A call in a task of its own.
    async fn spawn(&self, what: Do) -> JoinHandle<Report> {
        let signal = self.signal.clone();
        let task = tokio::spawn(async move { signal.emit(what).await });
        settle().await;
        task
    }

    fn status(&self) -> BreakerStatus {
        let mut all = self.handle.breakers();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn state(&self) -> BreakerState {
        self.status().state()
    }

    /// How long the rejection says to wait.
    async fn retry_after(&self) -> Option<Duration> {
        let report = self.signal.emit(Succeed).await;
        match report.entries()[0].cause() {
            Cause::Rejected(Rejection::CircuitOpen { retry_after }) => *retry_after,
            other => panic!("{other}"),
        }
    }
}

fn outcome(report: &Report) -> Outcome {
    let mut all = Outcome::ALL.into_iter();
    all.find(|outcome| report.count(*outcome) > 0).unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Opens at the first failure, for ten seconds, and is closed by one probe.
fn touchy() -> CircuitBreaker {
    CircuitBreaker::new()
        .min_calls(1)
        .open_for(secs(10))
        .probes(1)
}

/// Open, and due for probes.
async fn due(breaker: &CircuitBreaker) -> Rig {
    let rig = Rig::new(breaker);
    rig.emit(FAIL).await;
    assert_eq!(rig.state(), BreakerState::Open);
    advance(secs(10)).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn the_defaults_are_as_documented() {
    let rig = Rig::new(&CircuitBreaker::new());
    rig.all(&[
        Succeed, Succeed, Succeed, Succeed, Succeed, FAIL, FAIL, FAIL, FAIL,
    ])
    .await;
    assert_eq!(
        (rig.state(), rig.status().failure_rate()),
        (BreakerState::Closed, None)
    );
    assert_eq!(rig.emit(FAIL).await, Outcome::Failed);
    assert_eq!(
        (rig.state(), rig.status().failure_rate()),
        (BreakerState::Open, Some(0.5))
    );
    assert_eq!(rig.retry_after().await, Some(secs(30)));
    advance(secs(30)).await;
    let probes = [
        rig.spawn(Take(100)).await,
        rig.spawn(Hang).await,
        rig.spawn(Take(100)).await,
    ];
    assert_eq!(rig.status().probes_running(), 3);
    assert_eq!(rig.retry_after().await, None);
    advance(millis(100)).await;
    settle().await;
    assert_eq!(
        rig.state(),
        BreakerState::Closed,
        "two of three have succeeded"
    );
    probes[1].abort();

    for _ in 0..52 {
        rig.emit(Succeed).await;
    }
    for _ in 0..51 {
        rig.emit(FAIL).await;
    }
    assert_eq!(rig.status().calls(), 100);
    assert_eq!(rig.status().opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_defaults_for_probes_that_hang_and_for_keys_are_as_documented() {
    let breaker = CircuitBreaker::new().min_calls(1).per_key(|n: &u32| *n);
    let signal = Signal::<u32>::new();
    signal.service(
        breaker.layer(service_fn(async |d: Delivery| -> Result<(), BoxError> {
            Err(d.signal().to_owned().into())
        })),
    );
    for n in 0..10_000 {
        assert_eq!(signal.emit(n).await.failed(), 1);
    }
    let report = signal.emit(10_000).await;
    let cause = report.entries()[0].cause();
    assert!(
        matches!(
            cause,
            Cause::Rejected(Rejection::TooManyKeys { limit: 10_000 })
        ),
        "{cause}"
    );

    let rig = Rig::new(&CircuitBreaker::new().min_calls(1).probes(1));
    rig.emit(FAIL).await;
    advance(secs(30)).await;
    let hanging = rig.spawn(Hang).await;
    advance(millis(299_999)).await;
    assert_eq!(rig.retry_after().await, None);
    advance(millis(1)).await;
    assert_eq!(rig.retry_after().await, Some(secs(30)));
    hanging.abort();
}

#[tokio::test(start_paused = true)]
async fn window_calls_are_the_last_so_many() {
    let rig = Rig::new(&CircuitBreaker::new().window_calls(4));
    rig.all(&[Succeed, Succeed, Succeed, Succeed, FAIL]).await;
    assert_eq!(
        (rig.state(), rig.status().calls()),
        (BreakerState::Closed, 4)
    );
    rig.emit(FAIL).await;
    assert_eq!(rig.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn window_time_forgets_bucket_by_bucket() {
    for (buckets, left) in [(10, 2), (5, 2), (1, 1)] {
        let rig = Rig::new(
            &CircuitBreaker::new()
                .min_calls(4)
                .window_time(secs(10), buckets),
        );
        rig.all(&[FAIL, FAIL]).await;
        advance(secs(9)).await;
        rig.emit(FAIL).await;
        assert_eq!(rig.status().failed(), 3);
        advance(secs(1)).await;
        rig.emit(FAIL).await;
        assert_eq!(rig.status().calls(), left, "{buckets} buckets");
        assert_eq!(rig.state(), BreakerState::Closed);
        rig.all(&[FAIL, FAIL, FAIL]).await;
        assert_eq!(rig.state(), BreakerState::Open);
        advance(secs(20)).await;
        assert_eq!(rig.status().calls(), 0, "they grow old while nobody calls");
    }
}

#[tokio::test(start_paused = true)]
async fn min_calls_must_be_there_before_a_rate_counts() {
    let rig = Rig::new(&CircuitBreaker::new().min_calls(3));
    rig.all(&[FAIL, FAIL]).await;
    assert_eq!(
        (rig.state(), rig.status().failure_rate()),
        (BreakerState::Closed, None)
    );
    rig.emit(Succeed).await;
    assert_eq!(rig.state(), BreakerState::Open);
    assert_eq!(rig.status().failure_rate(), Some(2.0 / 3.0));
}

#[tokio::test(start_paused = true)]
async fn the_failure_rate_opens_when_it_is_reached() {
    for (rate, failures) in [(0.3, 3), (0.5, 5), (1.0, 10)] {
        let rig = Rig::new(&CircuitBreaker::new().window_calls(10).failure_rate(rate));
        for _ in 0..10 {
            rig.emit(Succeed).await;
        }
        for _ in 1..failures {
            rig.emit(FAIL).await;
        }
        assert_eq!(rig.state(), BreakerState::Closed, "{rate}");
        rig.emit(FAIL).await;
        assert_eq!(rig.state(), BreakerState::Open, "{rate}");
        assert_eq!(rig.status().failure_rate(), Some(rate));
    }
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_and_a_slow_probe_has_failed() {
    let breaker = touchy().min_calls(4);
    let calls = [Take(100), Take(99), Take(99), Take(100)];
    let never = Rig::new(&breaker);
    never.all(&calls).await;
    assert_eq!(
        (never.state(), never.status().slow()),
        (BreakerState::Closed, 0)
    );
    assert_eq!(never.status().slow_rate(), None);
    let more = Rig::new(&breaker.clone().slow_call_rate(0.6, millis(100)));
    more.all(&calls).await;
    assert_eq!(
        (more.state(), more.status().slow_rate()),
        (BreakerState::Closed, Some(0.5))
    );
    let slower = Rig::new(&breaker.clone().slow_call_rate(0.5, millis(101)));
    slower.all(&calls).await;
    assert_eq!(
        (slower.state(), slower.status().slow()),
        (BreakerState::Closed, 0)
    );

    let rig = Rig::new(&breaker.slow_call_rate(0.5, millis(100)));
    rig.all(&calls).await;
    assert_eq!((rig.state(), rig.status().slow()), (BreakerState::Open, 2));
    advance(secs(10)).await;
    assert_eq!(rig.emit(Take(100)).await, Outcome::Done);
    assert_eq!(
        (rig.state(), rig.status().opened()),
        (BreakerState::Open, 2)
    );
    advance(secs(10)).await;
    rig.emit(Take(99)).await;
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_rejects_at_once_for_as_long_as_it_is_open() {
    let rig = Rig::new(&touchy().open_for(secs(7)));
    rig.emit(FAIL).await;
    assert_eq!(rig.retry_after().await, Some(secs(7)));
    advance(millis(6_999)).await;
    assert_eq!(rig.retry_after().await, Some(millis(1)));
    assert_eq!((rig.inside.total(), rig.status().rejected()), (1, 2));
    assert_eq!(rig.status().retry_after(), Some(millis(1)));
    advance(millis(1)).await;
    assert_eq!(rig.status().retry_after(), Some(Duration::ZERO));
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(
        (rig.state(), rig.status().calls()),
        (BreakerState::Closed, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn open_growth_makes_each_failed_round_longer_up_to_the_longest() {
    async fn times(breaker: &CircuitBreaker) -> Vec<Duration> {
        let rig = Rig::new(breaker);
        let mut times = Vec::new();
        for _ in 0..4 {
            rig.emit(FAIL).await;
            let after = rig.retry_after().await.unwrap();
            times.push(after);
            advance(after).await;
        }
        rig.emit(Succeed).await;
        rig.emit(FAIL).await;
        times.push(rig.retry_after().await.unwrap());
        times
    }
    assert_eq!(times(&touchy()).await, [10, 10, 10, 10, 10].map(secs));
    assert_eq!(
        times(&touchy().open_growth(2.0, secs(1_000))).await,
        [10, 20, 40, 80, 10].map(secs)
    );
    assert_eq!(
        times(&touchy().open_growth(3.0, secs(1_000))).await,
        [10, 30, 90, 270, 10].map(secs)
    );
    assert_eq!(
        times(&touchy().open_growth(3.0, secs(50))).await,
        [10, 30, 50, 50, 10].map(secs)
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_probes_run_than_are_allowed() {
    for probes in [1, 2, 5] {
        let rig = due(&touchy().probes(probes).probe_successes(probes)).await;
        rig.inside.reset_peak();
        let reports = join_all((0..100).map(|_| rig.signal.emit(Take(50)).into_future())).await;
        let ended = reports
            .iter()
            .filter(|report| report.delivered() == 1)
            .count();
        assert_eq!((ended, rig.inside.peak()), (probes, probes));
        assert_eq!(rig.state(), BreakerState::Closed);
        let rejected = u64::try_from(100 - probes).unwrap();
        assert_eq!(rig.status().rejected(), rejected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_has_no_more_probes_than_are_allowed_one_after_another_too() {
    let rig = due(&touchy().probes(3).probe_successes(3)).await;
    let hanging = rig.spawn(Hang).await;
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(rig.emit(Succeed).await, Outcome::Rejected);
    assert_eq!(
        (rig.state(), rig.status().probes_running()),
        (BreakerState::HalfOpen, 1)
    );
    hanging.abort();
    settle().await;
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn probes_of_an_earlier_round_hold_their_places() {
    let rig = due(&touchy().probes(2).probe_successes(2)).await;
    let old = rig.spawn(Take(100_000)).await;
    assert_eq!(rig.emit(FAIL).await, Outcome::Failed);
    assert_eq!(rig.state(), BreakerState::Open);
    advance(secs(10)).await;
    let new = rig.spawn(Hang).await;
    assert_eq!(rig.emit(Succeed).await, Outcome::Rejected);
    assert_eq!(rig.status().probes_running(), 2);
    old.await.unwrap();
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(
        rig.state(),
        BreakerState::HalfOpen,
        "the old one counted as nothing"
    );
    new.abort();
}

#[tokio::test(start_paused = true)]
async fn so_many_probes_must_succeed() {
    // It closes with the first of these that is enough, and opens with the first that makes it impossible.
    let table = [
        (1, vec![Succeed], BreakerState::Closed),
        (1, vec![FAIL, FAIL, Succeed], BreakerState::Closed),
        (1, vec![FAIL, FAIL, FAIL], BreakerState::Open),
        (2, vec![Succeed], BreakerState::HalfOpen),
        (2, vec![FAIL, Succeed, Succeed], BreakerState::Closed),
        (2, vec![FAIL, FAIL], BreakerState::Open),
        (3, vec![Succeed, Succeed], BreakerState::HalfOpen),
        (3, vec![FAIL], BreakerState::Open),
    ];
    for (needed, calls, expected) in table {
        let rig = due(&touchy().probes(3).probe_successes(needed)).await;
        rig.all(&calls).await;
        assert_eq!(rig.state(), expected, "{needed} of {calls:?}");
        assert_eq!(rig.status().rejected(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_never_ends_is_given_up() {
    let rig = due(&touchy().probe_timeout(secs(20))).await;
    let hanging = rig.spawn(Hang).await;
    advance(millis(19_999)).await;
    assert_eq!(rig.retry_after().await, None);
    advance(millis(1)).await;
    assert_eq!(
        rig.retry_after().await,
        Some(secs(10)),
        "the round has failed"
    );
    assert_eq!(
        (rig.status().opened(), rig.status().probes_running()),
        (2, 0)
    );
    advance(secs(10)).await;
    let second = rig.spawn(Take(1_000)).await;
    hanging.abort();
    settle().await;
    assert_eq!(
        rig.status().probes_running(),
        1,
        "the first one has no place to give back"
    );
    second.await.unwrap();
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_probe_that_never_ends_does_not_keep_later_ones_out() {
    let rig = due(&touchy().probe_timeout(secs(60))).await;
    let hanging = rig.spawn(Hang).await;
    rig.handle.reset();
    rig.emit(FAIL).await;
    advance(secs(59)).await;
    assert_eq!(rig.retry_after().await, None);
    assert_eq!(rig.state(), BreakerState::HalfOpen);
    advance(secs(1)).await;
    let probe = rig.spawn(Take(1_000)).await;
    assert_eq!(
        rig.status().probes_running(),
        1,
        "it is waited for no longer"
    );
    assert_eq!(rig.emit(Succeed).await, Outcome::Rejected);
    probe.await.unwrap();
    assert_eq!(
        (rig.state(), rig.status().probes_running()),
        (BreakerState::Closed, 0)
    );
    hanging.abort();
}

#[tokio::test(start_paused = true)]
async fn what_counts_as_what() {
    let failures = [
        FAIL,
        Do::End(Cause::Panicked("contained".into())),
        Do::End(Cause::TimedOut(secs(1))),
        Do::End(Cause::Failed(Arc::from(BoxError::from("wrapped")))),
        Do::Panic,
    ];
    let nothings = [
        Do::End(Cause::Rejected(Rejection::RateLimited {
            retry_after: secs(1),
        })),
        Do::End(Cause::Rejected(Rejection::Overloaded)),
        Do::End(Cause::Cancelled(Cancellation::Token)),
        Do::End(Cause::Deferred),
        Do::End(Cause::Skipped(Skip::Duplicate)),
    ];
    for failure in failures {
        let rig = Rig::new(&touchy());
        rig.emit(failure.clone()).await;
        assert_eq!(
            (rig.state(), rig.status().failed()),
            (BreakerState::Open, 1),
            "{failure:?}"
        );
        advance(secs(10)).await;
        rig.emit(failure.clone()).await;
        assert_eq!(
            (rig.state(), rig.status().opened()),
            (BreakerState::Open, 2),
            "{failure:?}"
        );
    }
    for nothing in nothings {
        let rig = Rig::new(&touchy());
        rig.emit(nothing.clone()).await;
        assert_eq!(
            (rig.state(), rig.status().calls()),
            (BreakerState::Closed, 0),
            "{nothing:?}"
        );
        rig.emit(FAIL).await;
        advance(secs(10)).await;
        for _ in 0..3 {
            assert_ne!(rig.retry_or(nothing.clone()).await, None, "{nothing:?}");
            assert_eq!(
                (rig.state(), rig.status().probes_running()),
                (BreakerState::HalfOpen, 0)
            );
        }
        rig.emit(Succeed).await;
        assert_eq!(rig.state(), BreakerState::Closed, "{nothing:?}");
    }
}

impl Rig {
    /// The outcome, or `None` if the breaker rejected the call.
    async fn retry_or(&self, what: Do) -> Option<Outcome> {
        let report = self.signal.emit(what).await;
        let circuit =
            |cause: &Cause| matches!(cause, Cause::Rejected(Rejection::CircuitOpen { .. }));
        let rejected = report.entries().iter().any(|entry| circuit(entry.cause()));
        (!rejected).then(|| outcome(&report))
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_is_a_failure_and_a_drop_outside_is_nothing() {
    let breaker = touchy();
    let rig = Rig::new(&breaker);
    rig.signal.clear();
    let stack = ServiceBuilder::new()
        .layer(breaker)
        .layer(Timeout::new(secs(1)))
        .service(service_fn(act));
    let subscription = rig.signal.listen().service(stack).unwrap();
    let dropped = rig.spawn(Hang).await;
    dropped.abort();
    settle().await;
    assert_eq!(
        (rig.state(), rig.status().calls()),
        (BreakerState::Closed, 0)
    );
    assert_eq!(rig.emit(Hang).await, Outcome::TimedOut);
    assert_eq!(rig.state(), BreakerState::Open);
    drop(subscription);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_gives_its_place_back() {
    let rig = due(&touchy()).await;
    for _ in 0..5 {
        let probe = rig.spawn(Hang).await;
        assert_eq!(
            (rig.state(), rig.status().probes_running()),
            (BreakerState::HalfOpen, 1)
        );
        assert_eq!(rig.emit(Succeed).await, Outcome::Rejected);
        probe.abort();
        settle().await;
        assert_eq!(
            (rig.state(), rig.status().probes_running()),
            (BreakerState::HalfOpen, 0)
        );
    }
    // An emission that ends at its deadline drops the probe too.
    let report = rig.signal.emit(Hang).timeout(secs(1)).await;
    assert_eq!(outcome(&report), Outcome::TimedOut);
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_before_a_change_counts_as_nothing_after_it() {
    let rig = Rig::new(&touchy());
    let early = rig.spawn(Take(10_500)).await;
    rig.emit(FAIL).await;
    advance(secs(10)).await;
    let probe = rig.spawn(Take(5_000)).await;
    early.await.unwrap();
    assert_eq!(
        (rig.state(), rig.status().probes_running()),
        (BreakerState::HalfOpen, 1)
    );
    probe.await.unwrap();
    assert_eq!(rig.state(), BreakerState::Closed);

    let early = rig.spawn(Take(500)).await;
    rig.handle.reset();
    early.await.unwrap();
    assert_eq!(rig.status().calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn failure_if_says_which_errors_are_failures() {
    let asked = Log::default();
    let seen = asked.clone();
    let breaker = touchy().failure_if(move |error: &BoxError| {
        seen.push(error.to_string());
        error.to_string() != "not found"
    });
    let rig = Rig::new(&breaker);
    rig.all(&[
        Fail("not found"),
        Fail("not found"),
        Do::End(Cause::Deferred),
        Succeed,
    ])
    .await;
    assert_eq!(
        (rig.state(), rig.status().calls(), rig.status().failed()),
        (BreakerState::Closed, 3, 0)
    );
    rig.emit(Do::End(Cause::TimedOut(secs(1)))).await;
    assert_eq!(rig.status().failed(), 1);
    rig.handle.reset();
    rig.emit(FAIL).await;
    assert_eq!(rig.state(), BreakerState::Open);
    assert_eq!(
        asked.take(),
        ["not found", "not found", "timed out after 1s", "down"]
    );
    advance(secs(10)).await;
    rig.emit(Fail("not found")).await;
    assert_eq!(
        rig.state(),
        BreakerState::Closed,
        "it is there, and answers"
    );
}

#[tokio::test(start_paused = true)]
async fn a_predicate_that_panics_leaves_no_probe_behind() {
    let breaker = touchy().failure_if(|error| {
        assert_ne!(error.to_string(), "odd", "on purpose");
        true
    });
    let rig = due(&breaker).await;
    assert_eq!(rig.emit(Fail("odd")).await, Outcome::Panicked);
    assert_eq!(
        (rig.state(), rig.status().probes_running()),
        (BreakerState::HalfOpen, 0)
    );
    rig.emit(Succeed).await;
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_outside_the_lock_and_logged() {
    let log = Log::default();
    let captured = Captured::default();
    let _logs = tracing::subscriber::set_default(captured.clone());
    let (first, second) = (log.clone(), log.clone());
    let slot = Arc::new(std::sync::OnceLock::<BreakerHandle>::new());
    let late = Arc::clone(&slot);
    let breaker = touchy()
        .on_change(move |change| {
            let to = late.get().unwrap().breakers()[0].state();
            assert_eq!(to, change.to(), "told when it is so");
            let (signal, key) = (change.signal().unwrap(), change.listener_key().unwrap());
            first.push(format!(
                "{signal} {key}: {} to {}",
                change.from(),
                change.to()
            ));
        })
        .on_change(|_| panic!("in a callback"))
        .on_change(move |change| second.push(format!("second: {}", change.to())));
    slot.set(breaker.handle()).unwrap();
    let rig = Rig::new(&breaker);
    let name = rig.signal.name().to_owned();

    assert_eq!(
        rig.emit(FAIL).await,
        Outcome::Failed,
        "whatever a callback does"
    );
    assert_eq!(
        log.take(),
        [format!("{name} api: closed to open"), "second: open".into()]
    );
    let lines = captured.lines();
    let line = lines.iter().find(|line| line.starts_with("INFO")).unwrap();
    for part in [
        "a circuit breaker changed its state",
        "key=\"api\"",
        "from=closed",
        "to=open",
        &name,
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("ERROR") && line.contains("in a callback"))
    );

    advance(secs(10)).await;
    rig.emit(Succeed).await;
    let told: Vec<_> = log.take().into_iter().step_by(2).collect();
    assert_eq!(
        told,
        [
            format!("{name} api: open to half-open"),
            format!("{name} api: half-open to closed")
        ]
    );
    rig.handle.force_open();
    rig.handle.force_open();
    rig.handle.force_closed();
    rig.handle.reset();
    rig.handle.reset();
    let told: Vec<_> = log.take().into_iter().step_by(2).collect();
    let steps = [
        "closed to forced open",
        "forced open to forced closed",
        "forced closed to closed",
    ];
    assert_eq!(told, steps.map(|step| format!("{name} api: {step}")));
}

#[tokio::test(start_paused = true)]
async fn each_listener_has_its_own_unless_it_is_shared() {
    let breaker = touchy();
    let rig = Rig::new(&breaker);
    let other = Signal::<u32>::new();
    other.service(breaker.layer(service_fn(async |_: Delivery| Ok::<(), BoxError>(()))));
    rig.emit(FAIL).await;
    assert_eq!(other.emit(1).await.delivered(), 1);
    let states: Vec<_> = rig
        .handle
        .breakers()
        .iter()
        .map(BreakerStatus::state)
        .collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::Closed]);
    let all = rig.handle.breakers();
    assert_eq!(
        (all[0].signal(), all[0].listener_key()),
        (Some(rig.signal.name()), Some("api"))
    );
    assert_eq!(
        (all[1].signal(), all[1].listener_key()),
        (Some("u32"), None)
    );
    other.clear();
    settle().await;
    assert_eq!(rig.handle.breakers().len(), 1, "it went with its listener");

    let told = Log::default();
    let seen = told.clone();
    let breaker = touchy()
        .shared()
        .on_change(move |change| seen.push(change.listener_key().map(str::to_owned)));
    let rig = Rig::new(&breaker);
    other
        .listen()
        .key("other")
        .service(breaker.layer(service_fn(async |_: Delivery| Ok::<(), BoxError>(()))))
        .unwrap();
    assert_eq!(other.emit(1).await.delivered(), 1);
    rig.emit(FAIL).await;
    assert_eq!(other.emit(2).await.count(Outcome::Rejected), 1);
    let shared = rig.status();
    assert_eq!(
        (shared.signal(), shared.listener_key(), shared.rejected()),
        (None, None, 1)
    );
    advance(secs(10)).await;
    assert_eq!(other.emit(3).await.delivered(), 1);
    assert_eq!(
        told.take(),
        ["api", "other", "other"].map(|key| Some(key.to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn an_option_set_later_makes_another_config() {
    let first = touchy().shared();
    let second = first.clone().failure_rate(0.9);
    let (one, two) = (Rig::new(&first), Rig::new(&second));
    one.emit(FAIL).await;
    assert_eq!(
        (one.state(), two.state()),
        (BreakerState::Open, BreakerState::Closed)
    );
    two.handle.force_open();
    one.handle.reset();
    assert_eq!(
        (one.state(), two.state()),
        (BreakerState::Closed, BreakerState::ForcedOpen)
    );
}

#[tokio::test(start_paused = true)]
async fn a_callback_may_own_the_handle() {
    for shared in [false, true] {
        let slot = Arc::new(std::sync::OnceLock::<BreakerHandle>::new());
        let owned = Arc::clone(&slot);
        let breaker =
            touchy().on_change(move |_| assert_eq!(owned.get().unwrap().breakers().len(), 1));
        let breaker = if shared { breaker.shared() } else { breaker };
        slot.set(breaker.handle()).unwrap();
        let rig = Rig::new(&breaker);
        drop(breaker);
        rig.emit(FAIL).await;
        assert_eq!(
            rig.state(),
            BreakerState::Open,
            "the listener keeps it for the handle"
        );
        let handle = rig.handle.clone();
        drop(rig);
        settle().await;
        assert_eq!(Arc::strong_count(&slot), 1, "nothing is left of it");
        handle.reset();
        assert!(handle.breakers().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn by_hand_it_stays_as_it_is_told() {
    let breaker = touchy();
    let rig = Rig::new(&breaker);
    rig.handle.force_open();
    advance(secs(1_000)).await;
    assert_eq!(rig.retry_after().await, None);
    assert_eq!(
        (rig.state(), rig.status().opened()),
        (BreakerState::ForcedOpen, 0)
    );
    // A listener that comes later too.
    rig.add("late", &breaker);
    assert_eq!(rig.signal.emit(Succeed).await.count(Outcome::Rejected), 2);
    assert!(rig.signal.remove("late"));
    settle().await;

    rig.handle.force_closed();
    rig.all(&[FAIL, FAIL, Succeed, FAIL]).await;
    let status = rig.status();
    assert_eq!(
        (status.state(), status.calls(), status.failed()),
        (BreakerState::ForcedClosed, 4, 3)
    );
    assert_eq!(status.failure_rate(), Some(0.75));

    rig.handle.reset();
    assert_eq!(
        (rig.state(), rig.status().calls()),
        (BreakerState::Closed, 0)
    );
    rig.emit(FAIL).await;
    assert_eq!(rig.state(), BreakerState::Open);
    rig.handle.reset();
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_reset_while_a_probe_runs_counts_it_until_it_ends() {
    let rig = due(&touchy()).await;
    let probe = rig.spawn(Take(15_000)).await;
    rig.handle.reset();
    assert_eq!(
        (rig.state(), rig.status().probes_running()),
        (BreakerState::Closed, 1)
    );
    rig.emit(FAIL).await;
    advance(secs(10)).await;
    assert_eq!(
        rig.emit(Succeed).await,
        Outcome::Rejected,
        "the old probe still runs"
    );
    probe.await.unwrap();
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[derive(Clone)]
struct Hook {
    host: &'static str,
    works: bool,
}

/// A signal of webhooks, which is polled in place: nothing there suspends.
fn hooks(breaker: &CircuitBreaker) -> Signal<Hook> {
    let signal = Signal::new();
    signal.service(
        breaker.layer(service_fn(async |d: Delivery| -> Result<(), BoxError> {
            match d.event::<Hook>() {
                Some(hook) if !hook.works => Err("down".into()),
                _ => Ok(()),
            }
        })),
    );
    signal
}

async fn send(signal: &Signal<Hook>, host: &'static str, works: bool) -> Outcome {
    outcome(&signal.emit(Hook { host, works }).await)
}

fn keys(handle: &BreakerHandle) -> Vec<String> {
    let all = handle.breakers();
    let mut keys: Vec<_> = all
        .iter()
        .map(|one| one.key().unwrap().to_owned())
        .collect();
    keys.sort_unstable();
    keys
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_own() {
    let told = Log::default();
    let seen = told.clone();
    let breaker = touchy()
        .per_key(|hook: &Hook| hook.host)
        .on_change(move |change| seen.push(change.key().map(str::to_owned)));
    let handle = breaker.handle();
    let signal = hooks(&breaker);
    assert_eq!(send(&signal, "a.example", false).await, Outcome::Failed);
    assert_eq!(send(&signal, "a.example", true).await, Outcome::Rejected);
    assert_eq!(send(&signal, "b.example", true).await, Outcome::Done);
    assert_eq!(keys(&handle), ["a.example", "b.example"]);
    assert_eq!(told.take(), [Some("a.example".to_owned())]);

    handle.force_open();
    assert_eq!(send(&signal, "b.example", true).await, Outcome::Rejected);
    assert_eq!(
        send(&signal, "new.example", true).await,
        Outcome::Rejected,
        "for new keys too"
    );
    handle.reset();
    assert_eq!(send(&signal, "a.example", true).await, Outcome::Done);
    assert_eq!(send(&signal, "newer.example", true).await, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn events_of_another_type_have_one_breaker_together() {
    let breaker = touchy().shared().per_key(|hook: &Hook| hook.host);
    let signal = hooks(&breaker);
    let other = Signal::<u32>::new();
    other.service(breaker.layer(service_fn(async |_: Delivery| {
        Err::<(), BoxError>("down".into())
    })));
    assert!(breaker.handle().breakers().is_empty());
    other.emit(1).await;
    assert_eq!(other.emit(2).await.count(Outcome::Rejected), 1);
    assert_eq!(send(&signal, "a.example", true).await, Outcome::Done);
    let all = breaker.handle().breakers();
    assert_eq!((all[0].key(), all[0].state()), (None, BreakerState::Open));
    assert_eq!(
        (all[1].key(), all[1].state()),
        (Some("a.example"), BreakerState::Closed)
    );
}

#[tokio::test(start_paused = true)]
async fn max_keys_forgets_the_idle_and_refuses_when_all_are_open() {
    let breaker = touchy().per_key(|hook: &Hook| hook.host).max_keys(3);
    let (signal, handle) = (hooks(&breaker), breaker.handle());
    for host in ["open", "old", "young"] {
        send(&signal, host, host != "open").await;
        advance(secs(1)).await;
    }
    send(&signal, "c", true).await;
    assert_eq!(
        keys(&handle),
        ["c", "open", "young"],
        "the closed one that was unused longest"
    );
    send(&signal, "young", false).await;
    send(&signal, "c", false).await;
    let report = signal
        .emit(Hook {
            host: "d",
            works: true,
        })
        .await;
    let cause = report.entries()[0].cause().clone();
    assert!(
        matches!(cause, Cause::Rejected(Rejection::TooManyKeys { limit: 3 })),
        "{cause}"
    );
    assert_eq!(
        send(&signal, "c", true).await,
        Outcome::Rejected,
        "known ones go on"
    );
    // The first is due for a probe that nobody makes: it does not keep others out for ever.
    advance(secs(7)).await;
    assert_eq!(send(&signal, "d", true).await, Outcome::Done);
    assert_eq!(keys(&handle), ["c", "d", "young"]);
    advance(secs(10)).await;
    assert_eq!(send(&signal, "e", true).await, Outcome::Done);
    assert_eq!(
        keys(&handle),
        ["c", "e", "young"],
        "a closed one before one that is due"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_call_under_way_is_not_forgotten() {
    let breaker = touchy()
        .per_key(|call: &Do| format!("{call:?}"))
        .max_keys(1);
    let rig = Rig::new(&breaker);
    let running = rig.spawn(Take(1_000)).await;
    assert_eq!(rig.emit(Succeed).await, Outcome::Rejected);
    running.await.unwrap();
    assert_eq!(rig.emit(Succeed).await, Outcome::Done);
    assert_eq!(rig.status().key(), Some("Succeed"));
}

#[tokio::test(start_paused = true)]
async fn an_option_that_makes_no_sense_fails_every_call_by_name() {
    let new = CircuitBreaker::new;
    let long = secs(30 * 24 * 60 * 60 + 1);
    let table = [
        ("window_calls", "0", new().window_calls(0)),
        ("window_calls", "65537", new().window_calls(65_537)),
        ("window_time", "0ns", new().window_time(Duration::ZERO, 1)),
        ("window_time", "0", new().window_time(secs(1), 0)),
        ("window_time", "1001", new().window_time(secs(10), 1_001)),
        (
            "window_time",
            "9ms in 10 buckets",
            new().window_time(millis(9), 10),
        ),
        ("window_time", "2592001s", new().window_time(long, 10)),
        ("min_calls", "0", new().min_calls(0)),
        ("min_calls", "5", new().window_calls(4).min_calls(5)),
        (
            "min_calls",
            "65537",
            new().window_time(secs(1), 10).min_calls(65_537),
        ),
        ("failure_rate", "0", new().failure_rate(0.0)),
        ("failure_rate", "1.1", new().failure_rate(1.1)),
        ("failure_rate", "NaN", new().failure_rate(f64::NAN)),
        ("slow_call_rate", "-1", new().slow_call_rate(-1.0, secs(1))),
        (
            "slow_call_rate",
            "0ns",
            new().slow_call_rate(0.5, Duration::ZERO),
        ),
        ("open_for", "0ns", new().open_for(Duration::ZERO)),
        ("open_for", "2592001s", new().open_for(long)),
        ("open_growth", "0.9", new().open_growth(0.9, secs(60))),
        ("open_growth", "101", new().open_growth(101.0, secs(60))),
        ("open_growth", "29s", new().open_growth(2.0, secs(29))),
        ("open_growth", "2592001s", new().open_growth(2.0, long)),
        ("probes", "0", new().probes(0)),
        ("probes", "65537", new().probes(65_537)),
        ("probe_successes", "0", new().probe_successes(0)),
        ("probe_successes", "4", new().probe_successes(4)),
        ("probe_timeout", "0ns", new().probe_timeout(Duration::ZERO)),
        ("max_keys", "0", new().max_keys(0)),
        ("max_keys", "1000001", new().max_keys(1_000_001)),
    ];
    for (option, value, breaker) in table {
        let rig_signal = Signal::<Do>::new();
        rig_signal.service(breaker.layer(service_fn(act)));
        let report = rig_signal.emit(Succeed).await;
        let cause = report.entries()[0].cause();
        let error = cause
            .error()
            .unwrap()
            .downcast_ref::<OptionError>()
            .unwrap();
        assert_eq!((error.option(), error.value()), (option, value));
        assert!(breaker.handle().breakers().is_empty());
    }
}

/// A service that panics if it is called without having been asked whether it is ready.
struct Unready {
    ready: bool,
}

impl Clone for Unready {
    /// A clone of a ready service is not ready.
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<Delivery> for Unready {
    type Response = ();
    type Error = BoxError;
    type Future = futures::future::BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        self.ready = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Delivery) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called before it was ready"
        );
        tokio::time::sleep(millis(10)).map(Ok).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_at_once_each_find_their_service_ready() {
    let breaker = CircuitBreaker::new().window_calls(2_000).min_calls(1);
    let signal = Signal::<u32>::new();
    signal.service(breaker.layer(Unready { ready: false }));
    let reports = join_all((0..1_000).map(|n| signal.emit(n).into_future())).await;
    assert!(reports.iter().all(|report| report.delivered() == 1));
    let status = &breaker.handle().breakers()[0];
    assert_eq!((status.calls(), status.failed()), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn in_the_stack_of_a_bus_each_listener_has_its_own_that_counts_each_attempt() {
    let breaker = CircuitBreaker::new().min_calls(3);
    let handle = breaker.handle();
    let bus = Bus::builder()
        .layer_at(Place::CircuitBreaker, breaker)
        .retry(Retry::exponential().max_attempts(3))
        .build();
    bus.listen::<u32>()
        .key("down")
        .try_on(async |_| Err("down".into()))
        .unwrap();
    bus.listen::<u32>()
        .key("panics")
        .on(async |_| panic!("on purpose"))
        .unwrap();
    bus.listen::<u32>().key("up").on(async |_| {}).unwrap();
    let seen = |key: &str| {
        let all = handle.breakers();
        let one = all
            .iter()
            .find(|one| one.listener_key() == Some(key))
            .unwrap();
        (one.state(), one.calls(), one.failed())
    };
    bus.emit(1_u32).await;
    assert_eq!(handle.breakers().len(), 3);
    assert_eq!(seen("down"), (BreakerState::Open, 3, 3));
    assert_eq!(
        seen("panics"),
        (BreakerState::Closed, 1, 1),
        "a panic is not tried again"
    );
    assert_eq!(seen("up"), (BreakerState::Closed, 1, 0));

    // The retry waits as long as the breaker says, and its next attempts are probes.
    let began = tokio::time::Instant::now();
    assert_eq!(bus.emit(2_u32).await.count(Outcome::Failed), 1);
    assert!(began.elapsed() >= secs(30));
    let all = handle.breakers();
    let down = all.iter().find(|one| one.listener_key() == Some("down"));
    assert_eq!((down.unwrap().rejected(), down.unwrap().opened()), (1, 2));
}

#[test]
fn it_says_in_words_what_it_does() {
    let breaker = CircuitBreaker::new();
    assert_eq!(breaker.to_string(), "0.5 of 100 calls, open for 30s");
    let breaker = breaker
        .window_time(secs(60), 6)
        .shared()
        .per_key(|n: &u32| *n);
    assert_eq!(
        breaker.to_string(),
        "0.5 of the calls of 60s in 6 buckets, open for 30s, shared, per key"
    );
}
