//! The events of the book's table, each with its fields and in its span.

use std::time::Duration;

use fanfare::layer::{CircuitBreaker, DeadLetter, DeadLetters, Retry, Trace};
use fanfare::{Overflow, Pool, Signal, SignalBuilder, WhenFull};
use tracing::Level;

use super::capture::{Capture, Line};

const SECOND: Duration = Duration::from_secs(1);
const CALL: &str = "deliver db < emit orders";

fn traced() -> SignalBuilder<u32> {
    Signal::<u32>::builder().name("orders").trace(Trace::info())
}

/// The one line that says this.
#[track_caller]
fn the(capture: &Capture, message: &str) -> (Line, String) {
    let lines = capture.lines(message);
    let [line] = lines.as_slice() else {
        panic!("one line: {lines:?}");
    };
    (line.clone(), capture.path(line.span))
}

fn failing(signal: &Signal<u32>, retry: Option<Retry>) {
    let mut listen = signal.listen().key("db");
    if let Some(retry) = retry {
        listen = listen.retry(retry);
    }
    listen.on(async |_| Err::<(), _>("down")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_retry_says_which_attempt_when_and_why() {
    let (capture, _guard) = Capture::start();
    let signal = traced().build();
    failing(&signal, Some(Retry::constant(SECOND).max_attempts(2)));
    let _ = signal.emit(1).await;
    let (line, path) = the(&capture, "another attempt");
    assert_eq!((line.level, path.as_str()), (Level::DEBUG, CALL));
    let names = ["signal", "key", "attempt", "wait", "cause"];
    assert_eq!(
        line.fields.only(&names),
        "signal=orders key=db attempt=2 wait=1s cause=failed: down"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_who_and_why_in_the_span_of_its_emission() {
    let (capture, _guard) = Capture::start();
    let signal = traced().build();
    failing(&signal, None);
    let _ = signal.emit(1).await;
    let (line, path) = the(&capture, "a listener did not succeed");
    assert_eq!((line.level, path.as_str()), (Level::WARN, "emit orders"));
    let said = line.fields.only(&["signal", "key", "cause", "suppressed"]);
    assert_eq!(said, "signal=orders key=db cause=failed: down suppressed=0");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_says_from_what_to_what() {
    let (capture, _guard) = Capture::start();
    let breaker = CircuitBreaker::new().min_calls(1);
    let signal = traced().circuit_breaker(breaker).build();
    failing(&signal, None);
    let _ = signal.emit(1).await;
    let (line, path) = the(&capture, "a circuit breaker changed its state");
    assert_eq!((line.level, path.as_str()), (Level::INFO, CALL));
    let said = line.fields.only(&["signal", "key", "from", "to"]);
    assert_eq!(said, "signal=orders key=db from=closed to=open");

    // And what it turns away.
    capture.clear();
    let _ = signal.emit(1).await;
    let (line, path) = the(&capture, "a call was rejected");
    assert_eq!((line.level, path.as_str()), (Level::DEBUG, CALL));
    let said = line.fields.only(&["signal", "key", "attempt"]);
    assert_eq!(said, "signal=orders key=db attempt=1");
    let cause = line.fields.get("cause");
    assert!(cause.starts_with("rejected: "), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_says_whose_it_is_and_why() {
    let (capture, _guard) = Capture::start();
    let letters = DeadLetters::new(10);
    let signal = traced().dead_letter(DeadLetter::keep(&letters)).build();
    failing(&signal, Some(Retry::constant(SECOND).max_attempts(2)));
    let _ = signal.emit(1).await;
    let (line, path) = the(&capture, "a dead letter was taken");
    assert_eq!((line.level, path.as_str()), (Level::INFO, CALL));
    let said = line.fields.only(&["signal", "key", "attempt", "cause"]);
    assert_eq!(said, "signal=orders key=db attempt=2 cause=failed: down");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_dropped_says_why() {
    let (capture, _guard) = Capture::start();
    let builder = traced().buffer(1).overflow(Overflow::DropOldest);
    let signal = builder.build();
    signal.on(async |_| {});
    for n in 0..2 {
        signal.try_enqueue(n).unwrap();
    }
    let (line, _) = the(&capture, "an event was dropped");
    assert_eq!(line.level, Level::DEBUG);
    let said = line.fields.only(&["signal", "count"]);
    assert_eq!(said, "signal=orders count=1");
    assert_ne!(line.fields.get("reason"), "-");
    assert!(signal.shutdown(SECOND).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_rejected_says_how_many_were_not_called_and_why() {
    let (capture, _guard) = Capture::start();
    let pool = Pool::builder(1).when_full(WhenFull::Reject).build();
    let signal = traced().pool(pool.clone()).build();
    let other = Signal::<String>::builder().pool(pool).build();
    other.on(async |_| std::future::pending::<()>().await);
    signal.on(async |_| {});
    signal.on(async |_| {});
    let mut blocks = Box::pin(other.emit("x".to_owned()));
    assert!(futures::poll!(&mut blocks).is_pending());
    tokio::task::yield_now().await;
    let _ = signal.emit(1).await;
    let (line, path) = the(&capture, "an emission was rejected");
    assert_eq!((line.level, path.as_str()), (Level::DEBUG, "emit orders"));
    assert_eq!(
        line.fields.only(&["signal", "count"]),
        "signal=orders count=2"
    );
    assert!(line.fields.get("cause").contains("pool"), "{line:?}");
    assert_eq!(capture.named("emit")[0].fields.get("rejected"), "2");
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_background_is_told_in_the_span_of_its_call() {
    for end in ["failed", "shut down", "redriven"] {
        let (capture, _guard) = Capture::start();
        let letters = DeadLetters::new(10);
        let mut builder = traced();
        if end == "redriven" {
            builder = builder.dead_letter(DeadLetter::keep(&letters));
        }
        let signal = builder.build();
        let retry = Retry::constant(SECOND).max_attempts(2).in_background();
        failing(&signal, (end != "redriven").then_some(retry));
        let _ = signal.emit(1).correlation_id("order-7").await;
        let cause = match end {
            "failed" => {
                tokio::time::sleep(2 * SECOND).await;
                "failed: down"
            }
            "shut down" => {
                let _ = signal.shutdown(Duration::ZERO).await;
                "cancelled: shut down"
            }
            _ => {
                capture.clear();
                let _ = letters.redrive().await;
                "failed: down"
            }
        };
        let line = &capture.lines("a listener did not succeed")[0];
        let said = line.fields.only(&["signal", "key", "cause"]);
        assert_eq!(said, format!("signal=orders key=db cause={cause}"));
        let path = capture.path(line.span);
        let call = if end == "redriven" {
            "deliver db"
        } else {
            CALL
        };
        assert_eq!(path, call, "{end}");
        let span = &capture.spans()[line.span.unwrap()];
        assert_eq!(span.fields.get("correlation"), "order-7", "{end}");
        capture.assert_all_closed();
    }
}
