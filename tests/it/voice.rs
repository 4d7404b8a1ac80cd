//! A failure is never silent: without a callback it is a warning in the log.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{Bus, DeadEvents, Dispatch, Pool, Signal};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{MODES, poll_once, yield_once};

const LIMIT: Duration = Duration::from_secs(10);

/// One line of the log, its fields as `name=value`.
#[derive(Clone, Debug)]
struct Line {
    level: Level,
    fields: Vec<(&'static str, String)>,
}

impl Line {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| *field == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}

/// Keeps what is logged on this thread while its guard lives.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<Line>>>);

impl Capture {
    fn start() -> (Self, DefaultGuard) {
        let capture = Self::default();
        let guard = set_default(capture.clone());
        // Interest is cached for the process: other threads may have asked when nobody listened.
        tracing::callsite::rebuild_interest_cache();
        (capture, guard)
    }

    fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Those that somebody is to act on: that a signal was shut down is logged too.
    fn take_warnings(&self) -> Vec<Line> {
        let mut lines = self.take();
        lines.retain(|line| line.level <= Level::WARN);
        lines
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("fanfare")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line {
            level: *event.metadata().level(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn failing(signal: &Signal<u32>) {
    signal
        .listen()
        .key("db")
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
}

#[track_caller]
fn assert_warns(lines: &[Line], signal: &str, cause: &str) {
    let [line] = lines else {
        panic!("one line: {lines:?}");
    };
    assert_eq!(line.level, Level::WARN);
    assert_eq!(line.field("signal"), Some(signal));
    assert_eq!(line.field("key"), Some("db"));
    assert_eq!(line.field("cause"), Some(cause));
    assert!(line.field("location").unwrap().contains("voice.rs"));
    assert_eq!(line.field("suppressed"), Some("0"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_a_warning_with_signal_key_and_cause() {
    let (log, _guard) = Capture::start();
    for mode in MODES {
        let signal = Signal::builder().name("orders").dispatch(mode).build();
        failing(&signal);
        let report = signal.emit(1).await;
        assert_warns(&log.take(), "orders", "failed: down");
        // Looking at the report does not say it twice; dropping it says no less.
        drop(report);
        assert!(log.take().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_a_timeout_and_a_cancellation_are_warnings_too() {
    let (log, _guard) = Capture::start();
    let signal = Signal::<u32>::new();
    let listener = async |n| match n {
        0 => panic!("boom"),
        _ => std::future::pending::<()>().await,
    };
    signal.listen().key("db").on(listener).unwrap();
    let _ = signal.emit(0).await;
    assert_warns(&log.take(), "u32", "panicked: boom");
    let _ = signal.emit(1).timeout(Duration::from_secs(1)).await;
    assert_warns(&log.take(), "u32", "timed out after 1s");
    let mut emission = Box::pin(signal.emit(1));
    assert!(poll_once(&mut emission).is_none());
    drop(emission);
    assert_warns(&log.take(), "u32", "cancelled: the emission was dropped");
}

#[tokio::test(start_paused = true)]
async fn detached_and_buffered_failures_are_warnings_and_so_is_a_dropped_report() {
    let (log, _guard) = Capture::start();
    for how in ["detached", "enqueued", "try_enqueued", "dropped"] {
        let signal = Signal::new();
        failing(&signal);
        match how {
            "detached" => signal.emit_detached(1).unwrap(),
            "enqueued" => signal.enqueue(1).await.unwrap(),
            "try_enqueued" => signal.try_enqueue(1).unwrap(),
            _ => drop(signal.emit(1).await),
        }
        assert!(signal.shutdown(LIMIT).await.is_clean());
        assert_warns(&log.take_warnings(), "u32", "failed: down");
    }
}

#[tokio::test(start_paused = true)]
async fn the_warnings_are_rate_limited_and_the_next_one_says_how_many_were_held_back() {
    let (log, _guard) = Capture::start();
    let signal = Signal::new();
    failing(&signal);
    for _ in 0..1_000 {
        let _ = signal.emit(1).await;
    }
    let lines = log.take();
    assert!((1..=20).contains(&lines.len()), "{} lines", lines.len());
    let held_back = 1_000 - lines.len() as u64;
    assert_eq!(signal.stats().suppressed(), held_back);
    tokio::time::advance(Duration::from_secs(2)).await;
    let _ = signal.emit(1).await;
    let lines = log.take();
    assert_eq!(lines[0].field("suppressed"), Some(&*held_back.to_string()));
    assert_eq!(lines.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_a_callback_nothing_is_logged() {
    let (log, _guard) = Capture::start();
    let signal = Signal::builder().on_failure(|_| {}).build();
    failing(&signal);
    let bus = Bus::builder().on_failure(|_| {}).build();
    failing(&bus.signal());
    let _ = signal.emit(1).await;
    let _ = bus.emit(1_u32).await;
    signal.emit_detached(1).unwrap();
    signal.enqueue(1).await.unwrap();
    assert!(signal.shutdown(LIMIT).await.is_clean());
    let lines = log.take_warnings();
    assert!(lines.is_empty(), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn success_and_what_is_skipped_are_not_logged() {
    let (log, _guard) = Capture::start();
    let signal = Signal::<u32>::new();
    signal.on(async |_| {});
    signal.listen().filter(|_| false).on(async |_| {}).unwrap();
    assert_eq!(signal.emit(1).await.skipped(), 1);
    assert!(Signal::<u32>::new().emit(1).await.is_empty());
    let lines = log.take();
    assert!(lines.is_empty(), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn dead_events_panicking_sinks_and_leaks_are_logged_where_asked_for() {
    let (log, _guard) = Capture::start();
    let signal = Signal::<u32>::builder()
        .name("readings")
        .dead_events(DeadEvents::Log)
        .max_listeners(2)
        .on_failure(|_| panic!("in the sink"))
        .build();
    assert!(signal.emit(1).await.is_empty());
    let lines = log.take();
    assert_eq!((lines.len(), lines[0].level), (1, Level::WARN));
    assert_eq!(lines[0].field("signal"), Some("readings"));

    failing(&signal);
    assert_eq!(signal.emit(1).await.failed(), 1);
    let lines = log.take();
    assert_eq!((lines.len(), lines[0].level), (1, Level::ERROR));
    assert_eq!(
        lines[0].field("message"),
        Some("a failure callback panicked")
    );

    signal.on(async |_| {});
    assert!(log.take().is_empty());
    for _ in 0..3 {
        signal.on(async |_| {});
    }
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].field("max_listeners"), Some("2"));
    assert_eq!(signal.len(), 5);
}

/// Takes so long in its poll, by the clock of a paused runtime.
async fn busy(time: Duration) {
    tokio::time::advance(time).await;
}

#[tokio::test(start_paused = true)]
async fn a_listener_whose_polls_are_regularly_long_is_warned_of() {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let (capture, _guard) = Capture::start();
        let signal = Signal::<u32>::builder().name("slow").dispatch(mode).build();
        signal.on(async |_| {});
        signal
            .listen()
            .key("busy")
            .on(async |_| busy(Duration::from_millis(2)).await)
            .unwrap();
        for n in 0..1_000 {
            assert!(signal.emit(n).await.is_ok());
        }
        let lines = capture.take();
        assert_eq!(lines.len(), 1, "once");
        let line = &lines[0];
        assert_eq!((line.level, line.field("key")), (Level::WARN, Some("busy")));
        assert_eq!(line.field("signal"), Some("slow"));
        assert_eq!(line.field("poll"), Some("2ms"));
        let message = line.field("message").unwrap();
        assert!(message.contains("`Dispatch::Parallel` or `on_blocking`"));
    }
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_long_now_and_then_are_no_reason_to_warn() {
    let pooled = || {
        Signal::builder()
            .dispatch(Dispatch::Concurrent)
            .pool(Pool::new(1))
    };
    for signal in [Signal::<u32>::new(), pooled().build()] {
        let (capture, _guard) = Capture::start();
        signal.on(async |n| {
            // Some polls are preempted, several in a row even: more than one sample in 31 would see is rare.
            if n % 400 < 80 {
                busy(Duration::from_millis(50)).await;
            }
        });
        for n in 0..4_000 {
            assert!(signal.emit(n).await.is_ok());
        }
        assert_eq!(capture.take().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_whose_polls_are_short_are_not_warned_of_however_long_they_wait() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::new();
    signal.on(async |_| tokio::time::sleep(Duration::from_secs(1)).await);
    for n in 0..400 {
        assert!(signal.emit(n).await.is_ok());
    }
    assert_eq!(capture.take().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn long_polls_after_the_first_are_found_as_well() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::new();
    signal.on(async |_| {
        yield_once().await;
        // The poll goes on behind the jump of the clock.
        let jump = tokio::time::advance(Duration::from_millis(3));
        assert!(poll_once(&mut Box::pin(jump)).is_none());
    });
    for n in 0..1_000 {
        assert!(signal.emit(n).await.is_ok());
    }
    let lines = capture.take();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].field("poll"), Some("3ms"));
}

#[tokio::test(start_paused = true)]
async fn events_that_shutdown_drops_are_logged() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::builder().name("slow").build();
    signal.on(async |_| std::future::pending::<()>().await);
    for n in 0..3 {
        signal.try_enqueue(n).unwrap();
    }
    tokio::task::yield_now().await;
    assert!(!signal.shutdown(Duration::ZERO).await.is_clean());
    let lines = capture.take();
    let counts = |line: &&Line| line.level == Level::WARN && line.field("count").is_some();
    let line = lines.iter().find(counts);
    let line = line.expect("a line says so");
    assert_eq!(
        (line.level, line.field("signal")),
        (Level::WARN, Some("slow"))
    );
    assert_eq!(line.field("count"), Some("2"));
}
