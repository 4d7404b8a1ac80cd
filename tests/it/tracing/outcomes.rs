//! What spans say of how it ended.

use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters, Place, Retry, Trace};
use fanfare::{BoxError, Outcome, Pool, Signal, SignalBuilder};
use futures::FutureExt as _;
use tower::util::MapResultLayer;

use super::capture::Capture;
use crate::support::{builders, settle};

const SECOND: Duration = Duration::from_secs(1);
const STATUS: [&str; 2] = ["otel.status_code", "otel.status_description"];

fn traced() -> SignalBuilder<u32> {
    Signal::<u32>::builder().trace(Trace::info())
}

#[tokio::test(start_paused = true)]
async fn success_leaves_the_status_unset_and_counts() {
    let (capture, _guard) = Capture::start();
    let signal = traced().build();
    signal.on(async |_| {});
    signal.listen().filter(|_| false).on(async |_| {}).unwrap();
    assert!(signal.emit(1).await.is_ok());
    let emit = &capture.named("emit")[0].fields;
    assert_eq!(
        emit.only(&["outcome", "done", "skipped", "failed"]),
        "outcome=done done=1 skipped=1 failed=-"
    );
    assert_eq!(emit.get("otel.status_code"), "-");
    let deliver = &capture.named("deliver")[0].fields;
    assert_eq!(
        deliver.only(&["outcome", "attempts"]),
        "outcome=done attempts=1"
    );
    assert_eq!(deliver.get("otel.status_code"), "-");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_an_error_of_the_call_and_of_the_emission_in_every_mode() {
    for (setup, builder, _) in builders::<u32>() {
        let (capture, _guard) = Capture::start();
        let signal = builder.trace(Trace::info()).build();
        let listen = signal.listen().key("db");
        let retry = Retry::constant(SECOND).max_attempts(2);
        listen
            .retry(retry)
            .on(async |_| Err::<(), _>("down"))
            .unwrap();
        let listen = signal.listen().key("late").timeout(SECOND);
        listen
            .on(async |_| std::future::pending::<()>().await)
            .unwrap();
        signal.on(async |_| {});
        let report = signal.emit(1).await;
        assert_eq!(report.failed(), 2, "{setup}");
        let emit = &capture.named("emit")[0].fields;
        assert_eq!(
            emit.only(&["outcome", "done", "failed", "timed_out"]),
            "outcome=failed done=1 failed=1 timed_out=1",
            "{setup}"
        );
        assert_eq!(
            emit.only(&STATUS),
            "otel.status_code=ERROR otel.status_description=2 of 3 listeners did not succeed, the first: `db` failed: down",
            "{setup}"
        );
        let calls = capture.named("deliver");
        let of = |key: &str| {
            let found = calls.iter().find(|call| call.fields.get("listener") == key);
            found.unwrap().fields.clone()
        };
        let (db, late) = (of("db"), of("late"));
        assert_eq!(
            db.only(&["outcome", "attempts"]),
            "outcome=failed attempts=2",
            "{setup}"
        );
        assert_eq!(
            db.only(&STATUS),
            "otel.status_code=ERROR otel.status_description=failed: down",
            "{setup}"
        );
        assert_eq!(
            late.only(&["outcome", "otel.status_description"]),
            "outcome=timed_out otel.status_description=timed out after 1s",
            "{setup}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error() {
    let (capture, _guard) = Capture::start();
    let signal = traced().build();
    signal.on(async |_| panic!("on purpose"));
    let _ = signal.emit(1).await;
    let deliver = &capture.named("deliver")[0].fields;
    assert_eq!(
        deliver.only(&["outcome", "otel.status_description"]),
        "outcome=panicked otel.status_description=panicked: on purpose"
    );
    assert_eq!(capture.named("emit")[0].fields.get("panicked"), "1");
}

#[tokio::test(start_paused = true)]
async fn the_spans_of_an_emission_that_is_dropped_say_so() {
    for (setup, builder, _) in builders::<u32>() {
        let (capture, _guard) = Capture::start();
        let signal = builder.trace(Trace::info()).build();
        signal.on(async |_| std::future::pending::<()>().await);
        assert!(signal.emit(1).now_or_never().is_none());
        // Tasks end at their next await point.
        tokio::task::yield_now().await;
        let emit = &capture.named("emit")[0].fields;
        assert_eq!(
            emit.only(&["outcome", "cancelled"]),
            "outcome=cancelled cancelled=1",
            "{setup}"
        );
        assert_eq!(
            emit.only(&STATUS),
            "otel.status_code=ERROR otel.status_description=the emission was dropped",
            "{setup}"
        );
        for call in capture.named("deliver") {
            assert_eq!(call.fields.get("outcome"), "cancelled", "{setup}");
            assert_eq!(call.fields.get("otel.status_code"), "ERROR", "{setup}");
        }
        capture.assert_all_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_kept_keeps_no_span_open_and_its_redrive_has_one() {
    let (capture, _guard) = Capture::start();
    let letters = DeadLetters::new(10);
    let signal = traced().dead_letter(DeadLetter::keep(&letters)).build();
    let listen = signal.listen().key("a");
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    let _ = signal.emit(1).await;
    assert_eq!(letters.letters().len(), 1);
    capture.assert_all_closed();
    capture.clear();
    let redriven = letters.redrive().await;
    assert_eq!(redriven.failed(), 1);
    assert_eq!(capture.paths(), ["deliver a"]);
    capture.assert_all_closed();
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_waits_for_its_permit_only_says_how_its_listeners_ended() {
    let (capture, _guard) = Capture::start();
    let pool = Pool::new(1);
    let inner = Signal::<u8>::builder().trace(Trace::info()).build();
    let listen = inner.listen().key("a");
    listen
        .on(async |_| tokio::time::sleep(SECOND).await)
        .unwrap();
    let listen = inner.listen().key("b");
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    let outer = Signal::<u32>::builder().pool(pool.clone()).build();
    outer.on(async move |_| drop(inner.emit(1).await));
    let other = Signal::<u32>::builder().pool(pool).build();
    other.on(async |_| std::future::pending::<()>().await);

    let mut emission = Box::pin(outer.emit(1));
    assert!(futures::poll!(&mut emission).is_pending());
    settle().await;
    // It takes the permit that is lent meanwhile, and keeps it.
    let mut blocks = Box::pin(other.emit(1));
    assert!(futures::poll!(&mut blocks).is_pending());
    settle().await;
    tokio::time::advance(2 * SECOND).await;
    settle().await;
    assert!(futures::poll!(&mut emission).is_pending());
    assert_eq!(capture.named("emit")[0].fields.get("outcome"), "-");
    drop(emission);
    settle().await;
    let emit = &capture.named("emit")[0].fields;
    assert_eq!(
        emit.only(&["outcome", "done", "failed", "cancelled"]),
        "outcome=failed done=1 failed=1 cancelled=-"
    );
    capture.assert_all_closed();
}

#[tokio::test(start_paused = true)]
async fn a_call_says_that_a_layer_has_panicked() {
    let (capture, _guard) = Capture::start();
    let panics = MapResultLayer::new(|_: Result<(), BoxError>| -> Result<(), BoxError> {
        panic!("on purpose")
    });
    let signal = traced().build();
    let listen = signal.listen().layer_at(Place::Retry, panics);
    listen.on(async |_| {}).unwrap();
    let report = signal.emit(1).await;
    assert_eq!(report.count(Outcome::Panicked), 1);
    let deliver = &capture.named("deliver")[0].fields;
    assert_eq!(
        deliver.only(&["outcome", "attempts", STATUS[0], STATUS[1]]),
        "outcome=panicked attempts=1 otel.status_code=ERROR otel.status_description=a layer panicked"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_with_the_time_of_its_emission_says_so_as_the_report_does() {
    for (setup, builder, _) in builders::<u32>() {
        let (capture, _guard) = Capture::start();
        let signal = builder.trace(Trace::info()).build();
        signal.on(async |_| std::future::pending::<()>().await);
        let report = signal.emit(1).timeout(SECOND).await;
        assert_eq!(report.count(Outcome::TimedOut), 1, "{setup}");
        tokio::task::yield_now().await;
        let deliver = &capture.named("deliver")[0].fields;
        assert_eq!(
            deliver.only(&["outcome", STATUS[1]]),
            "outcome=timed_out otel.status_description=the time of the emission was over",
            "{setup}"
        );
    }
}
