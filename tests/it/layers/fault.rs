//! Faults: what is injected, how often, and by which seed.

use std::time::Duration;

use fanfare::layer::{Fault, Injected, InjectedFault, Place, Retry};
use fanfare::{Bus, Cause, Dispatch, Outcome, Pool, RegisterError, Report, Signal};
use tokio::time::Instant;
use tower::Layer as _;

use super::probe::{Probe, Seen, count, emit_each, spawn_emit};
use crate::support::{Captured, settle};

const SECOND: Duration = Duration::from_secs(1);

fn listening(fault: &Fault, probe: Probe) -> (Signal<u32>, Seen) {
    let signal = Signal::new();
    let seen = probe.seen();
    let listen = signal.listen().fault(fault.clone());
    listen.service(probe).unwrap();
    (signal, seen)
}

/// What each of the first deliveries met.
async fn outcomes(fault: &Fault, deliveries: u32) -> Vec<Outcome> {
    let (signal, _) = listening(fault, Probe::default());
    let mut outcomes = Vec::new();
    for event in 0..deliveries {
        let report = signal.emit(event).timeout(SECOND).await;
        outcomes.push(
            report
                .entries()
                .first()
                .map_or(Outcome::Done, fanfare::ReportEntry::outcome),
        );
    }
    outcomes
}

#[tokio::test]
async fn an_injected_failure_says_its_seed_and_draw() {
    let fault = Fault::new().fail(1.0).seed(1234);
    let (signal, seen) = listening(&fault, Probe::default());
    for draw in 1..=2 {
        let report = signal.emit(0).await;
        let error = report.entries()[0].cause().error().unwrap();
        let wanted = format!("injected failure (fault seed 1234, draw {draw})");
        assert_eq!(error.to_string(), wanted);
        let injected: &InjectedFault = error.downcast_ref().unwrap();
        assert_eq!((injected.seed(), injected.draw()), (1234, draw));
    }
    assert_eq!(
        seen.calls(),
        [],
        "it is injected before the listener is called"
    );
    let injected = fault.injected();
    assert_eq!(
        (injected.failures(), injected.total(), injected.draws()),
        (2, 2, 2)
    );
}

#[tokio::test]
async fn an_injected_panic_says_its_seed_and_draw() {
    let fault = Fault::new().panic(1.0);
    let (signal, seen) = listening(&fault, Probe::default());
    let report = signal.emit(0).await;
    let wanted = format!("injected panic (fault seed {}, draw 1)", fault.seed_used());
    assert_eq!(report.entries()[0].cause().panic_message(), Some(&*wanted));
    assert_eq!(seen.calls(), []);
    assert_eq!(
        (fault.injected().panics(), fault.injected().total()),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn an_injected_delay_comes_before_the_call() {
    let fault = Fault::new().delay(1.0, SECOND);
    let (signal, seen) = listening(&fault, Probe::default());
    let begun = Instant::now();
    let emission = spawn_emit(&signal, 0);
    settle().await;
    assert_eq!(seen.calls(), []);
    assert_eq!(emission.await.unwrap().delivered(), 1);
    assert!((SECOND..SECOND * 2).contains(&begun.elapsed()));
    assert_eq!(
        (fault.injected().delays(), fault.injected().total()),
        (1, 1)
    );
    seen.assert_each(1, 1);
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_somewhere_in_its_range() {
    let fault = Fault::new().delay_within(1.0, SECOND..=SECOND * 9).seed(7);
    let (signal, _) = listening(&fault, Probe::default());
    let mut delays = Vec::new();
    for event in 0..50 {
        let begun = Instant::now();
        signal.emit(event).await;
        delays.push(begun.elapsed());
    }
    let ends = SECOND..=SECOND * 9 + SECOND / 10;
    assert!(
        delays.iter().all(|delay| ends.contains(delay)),
        "{delays:?}"
    );
    let (short, long) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*short < SECOND * 3 && *long > SECOND * 7, "{delays:?}");
}

#[tokio::test(start_paused = true)]
async fn an_injected_hang_ends_when_it_is_dropped_and_holds_its_permit() {
    let fault = Fault::new().hang(1.0);
    let pool = Pool::new(1);
    let signal = Signal::<u32>::builder()
        .pool(pool.clone())
        .dispatch(Dispatch::Concurrent)
        .build();
    let probe = Probe::default();
    let seen = probe.seen();
    signal.service(fault.layer(probe));
    let emission = spawn_emit(&signal, 0);
    settle().await;
    assert_eq!(pool.in_use(), 1);
    assert_eq!(emission.await.unwrap().count(Outcome::TimedOut), 1);
    assert_eq!(pool.in_use(), 0);
    assert_eq!((fault.injected().hangs(), fault.injected().total()), (1, 1));
    assert_eq!(seen.calls(), []);
}

#[tokio::test]
async fn a_fault_that_is_told_nothing_injects_nothing() {
    let fault = Fault::new();
    let (signal, seen) = listening(&fault, Probe::default());
    for event in 0..100 {
        assert_eq!(signal.emit(event).await.delivered(), 1);
    }
    seen.assert_each(100, 1);
    assert_eq!(
        (fault.injected().passed(), fault.injected().total()),
        (100, 0)
    );
    assert_eq!(Fault::default().injected(), Injected::default());
}

#[tokio::test]
async fn only_what_is_wanted_meets_faults_and_draws() {
    let fault = Fault::new()
        .fail(1.0)
        .only(|delivery| delivery.event::<u32>().is_some_and(|event| event % 2 == 1));
    let (signal, seen) = listening(&fault, Probe::default());
    for event in 0..10 {
        assert_eq!(
            signal.emit(event).await.delivered(),
            usize::from(event % 2 == 0)
        );
    }
    assert_eq!(seen.calls().len(), 5);
    assert_eq!(fault.injected().draws(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_faults() {
    let fault = |seed| Fault::new().fail(0.2).panic(0.2).hang(0.2).seed(seed);
    let first = outcomes(&fault(1), 100).await;
    assert_eq!(first, outcomes(&fault(1), 100).await);
    assert_ne!(first, outcomes(&fault(2), 100).await);
    for outcome in [
        Outcome::Done,
        Outcome::Failed,
        Outcome::Panicked,
        Outcome::TimedOut,
    ] {
        assert!(first.contains(&outcome), "{first:?}");
    }
    // A seed that was drawn gives the same ones again too.
    let drawn = Fault::new().fail(0.5);
    let again = Fault::new().fail(0.5).seed(drawn.seed_used());
    assert_eq!(outcomes(&drawn, 100).await, outcomes(&again, 100).await);
}

#[tokio::test]
async fn listeners_of_one_fault_draw_from_one_sequence() {
    let fault = Fault::new().fail(0.5).seed(3);
    let signal = Signal::<u32>::new();
    signal.service(fault.layer(Probe::default()));
    signal.service(fault.clone().layer(Probe::default()));
    let mut differed = false;
    for event in 0..20 {
        differed |= signal.emit(event).await.failed() == 1;
    }
    assert!(differed, "they never all fail or all pass together");
    assert_eq!(fault.injected().draws(), 40);
    // A new seed is a new sequence.
    assert_eq!(fault.clone().seed(4).injected().draws(), 0);
}

#[tokio::test]
async fn odds_that_are_none_are_refused_at_registration() {
    let signal = Signal::<u32>::new();
    let fault = Fault::new().fail(0.6).hang(0.6);
    let refused = signal.listen().fault(fault.clone()).on(async |_| {});
    let Err(RegisterError::Option(error)) = refused else {
        panic!("{refused:?}");
    };
    let wanted = "option `fault` cannot be 1.2: its probabilities together are at most 1";
    assert_eq!(error.to_string(), wanted);
    let refused = Bus::builder().fault(fault).try_build();
    assert_eq!(refused.unwrap_err().to_string(), wanted);
    let refused = Signal::<u32>::builder().fault(Fault::new().fail(f64::NAN));
    assert_eq!(refused.try_build().unwrap_err().option(), "fail");
}

#[tokio::test(start_paused = true)]
async fn its_place_is_innermost() {
    let fault = Fault::new().fail(0.2).panic(0.2).hang(0.2).seed(11);
    let signal = Signal::<u32>::builder()
        .fault(fault.clone())
        .timeout(SECOND)
        .retry(Retry::constant(SECOND).max_attempts(50).retry_panics())
        .build();
    let probe = Probe::default();
    let seen = probe.seen();
    let subscription = signal.listen().service(probe).unwrap();
    let stack = subscription.metadata().layers().join(" > ");
    assert!(
        stack.ends_with("panic > fault (seed 11) > listener"),
        "{stack}"
    );
    for event in 0..50 {
        assert_eq!(signal.emit(event).await.delivered(), 1, "{fault}");
    }
    seen.assert_each(50, 1);
    let injected = fault.injected();
    assert_eq!(injected.passed(), 50, "each attempt draws: {fault}");
    assert!(injected.failures() > 0 && injected.panics() > 0 && injected.hangs() > 0);
    // `without` leaves out what is inherited.
    signal.clear();
    let listen = signal.listen().without(Place::Listener);
    listen.on(async |_| {}).unwrap();
    signal.emit(0).await;
    assert_eq!(fault.injected().draws(), injected.draws());
}

#[test]
fn a_seed_that_nobody_gave_is_told_once() {
    let told = |fault: Fault| {
        let captured = Captured::default();
        tracing::subscriber::with_default(captured.clone(), || {
            let _one = fault.layer(());
            let _other = fault.clone().layer(());
        });
        captured.lines()
    };
    let fault = Fault::new();
    let lines = told(fault.clone());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("INFO"), "{lines:?}");
    assert!(
        lines[0].contains(&format!("seed={}", fault.seed_used())),
        "{lines:?}"
    );
    assert_eq!(told(Fault::new().seed(1)), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_deliveries_at_once_meet_one_fault_each_or_run_once() {
    let fault = Fault::new().fail(0.2).panic(0.2).delay(0.2, SECOND);
    for mode in [Dispatch::Concurrent, Dispatch::Parallel] {
        let fault = fault.clone().seed(fault.seed_used());
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let probe = Probe::taking(SECOND);
        let seen = probe.seen();
        signal.service(fault.layer(probe));
        let reports = emit_each(&signal, 1_000).await;
        let (injected, of) = (fault.injected(), |outcome| count(&reports, outcome) as u64);
        assert_eq!(injected.draws(), 1_000);
        assert_eq!(of(Outcome::Failed), injected.failures(), "{fault}");
        assert_eq!(of(Outcome::Panicked), injected.panics(), "{fault}");
        assert_eq!(
            of(Outcome::Done),
            injected.passed() + injected.delays(),
            "{fault}"
        );
        let calls = seen.calls();
        assert!(calls.iter().all(|(_, times)| *times == 1));
        assert_eq!(calls.len() as u64, of(Outcome::Done));
        let failed = reports.iter().flat_map(Report::entries);
        let unknown = failed.filter(|entry| match entry.cause() {
            Cause::Failed(error) => !error.is::<InjectedFault>(),
            cause => cause.panic_message().is_none(),
        });
        assert_eq!(unknown.count(), 0, "{fault}");
    }
}
