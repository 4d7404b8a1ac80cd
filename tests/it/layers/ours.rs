//! Our own layers keep tower's contract: a probe that panics when it is called unready, behind each of them and behind all, at a thousand deliveries at once.

use std::time::Duration;

use fanfare::layer::{
    CatchPanic, CircuitBreaker, Concurrency, DeadLetter, DeadLetters, Deadline, Dedup, Fault,
    RateLimit, Retry, Timeout, Trace,
};
use fanfare::{Dispatch, Outcome, Signal};

use super::probe::{Probe, count, emit_each};
use super::through::{MANY, Run, through};
use crate::support::Setup;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// In the emitter's task, and in tasks on a pool.
fn setups() -> [Setup; 2] {
    [(Dispatch::Concurrent, None), (Dispatch::Parallel, Some(3))]
        .map(|(mode, pool)| Setup { mode, pool })
}

/// Every event was called with once, and succeeded.
fn assert_done(runs: &[Run]) {
    for run in runs {
        assert_eq!(run.count(Outcome::Done), 1_000, "{}", run.name);
        run.seen.assert_each(MANY, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn each_of_ours_makes_the_service_inside_ready_before_it_calls_it() {
    for setup in setups() {
        let probe = Probe::default;
        let letters = DeadLetters::new(1);
        let breaker = || CircuitBreaker::new().min_calls(1);
        let dedup = || Dedup::by(|n: &u32| *n).capacity(10_000);
        assert_done(&through(setup, || CatchPanic, probe).await);
        assert_done(&through(setup, breaker, probe).await);
        assert_done(&through(setup, || Concurrency::new(7), probe).await);
        assert_done(&through(setup, || DeadLetter::keep(&letters), probe).await);
        assert_done(&through(setup, || Deadline::new(DAY), probe).await);
        assert_done(&through(setup, dedup, probe).await);
        assert_done(&through(setup, || Fault::new().seed(1), probe).await);
        assert_done(&through(setup, || RateLimit::per_second(100), probe).await);
        assert_done(&through(setup, Retry::exponential, probe).await);
        assert_done(&through(setup, || Timeout::new(DAY), probe).await);
        assert_done(&through(setup, Trace::info, probe).await);
        assert!(letters.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_ours_together_do_for_each_of_many_attempts() {
    for setup in setups() {
        let signal: Signal<u32> = setup
            .builder()
            .trace(Trace::info())
            .dead_letter(DeadLetter::to(async |_| {}))
            .deadline(DAY)
            .dedup(Dedup::by(|n: &u32| *n).capacity(10_000))
            .retry(Retry::constant(SECOND).max_attempts(3))
            .rate_limit(RateLimit::per_second(1_000))
            .concurrency(Concurrency::new(7))
            .circuit_breaker(CircuitBreaker::new().min_calls(100).failure_rate(1.0))
            .timeout(60 * SECOND)
            .build();
        let probe = Probe::taking(Duration::from_millis(1)).failing(2);
        let seen = probe.seen();
        signal.service(probe);
        let reports = emit_each(&signal, MANY).await;
        // The breaker sees a thousand failures before the first success, and what it rejects is tried again.
        let (done, failed) = (
            count(&reports, Outcome::Done),
            reports.iter().map(fanfare::Report::failed).sum::<usize>(),
        );
        assert_eq!(done + failed, 1_000, "{setup:?}");
        assert!(seen.gauge().peak() <= 7, "{setup:?}");
        assert_eq!(seen.gauge().now(), 0, "{setup:?}");
    }
}
