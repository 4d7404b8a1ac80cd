//! A failure is never silent.

use std::time::Duration;

use fanfare::Signal;

use crate::support::Log;

fn failing(name: &str) -> Signal<u32> {
    let signal = Signal::<u32>::builder().name(name).build();
    signal
        .listen()
        .key("db")
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    signal
}

fn says(line: &str) -> bool {
    ["WARN", "loud", "\"db\"", "voice.rs", "failed: down"]
        .iter()
        .all(|part| line.contains(part))
}

#[tokio::test(start_paused = true)]
async fn without_a_callback_each_way_of_sending_logs_a_failure() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let signal = failing("loud");
    drop(signal.emit(1).await);
    let lines = log.lines();
    assert!(lines.len() == 1 && says(&lines[0]), "{lines:?}");
    signal.emit_detached(1).unwrap();
    signal.try_enqueue(1).unwrap();
    assert!(signal.shutdown(Duration::from_secs(1)).await.is_clean());
    let lines = log.lines();
    assert!(
        lines.len() == 2 && lines.iter().all(|line| says(line)),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_dropped_is_logged_even_if_it_was_never_polled() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let signal = Signal::<u32>::new();
    signal.on(async |_| {});
    drop(signal.emit(1));
    let lines = log.lines();
    assert!(
        lines.len() == 1 && lines[0].contains("the emission was dropped"),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn lines_are_limited_and_those_held_back_are_counted() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let signal = failing("loud");
    for _ in 0..100 {
        signal.emit(1).await;
    }
    assert_eq!((log.lines().len(), signal.stats().suppressed()), (10, 90));
    tokio::time::advance(Duration::from_secs(5)).await;
    signal.emit(1).await;
    let lines = log.lines();
    assert!(lines[0].contains("suppressed=90"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_callback_takes_the_place_of_the_log() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let signal = Signal::<u32>::builder().on_failure(|_| {}).build();
    signal.on(async |_| Err::<(), _>("down"));
    assert_eq!(signal.emit(1).await.failed(), 1);
    assert_eq!(log.lines(), [""; 0]);
}
