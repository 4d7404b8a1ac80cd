//! Windows by count and by time.

use std::time::Duration;

use fanfare::{Signal, Window};
use tokio::time::{Instant, advance};

use super::{record, record_windows};
use crate::support::settle;

const SECOND: Duration = Duration::from_secs(1);

async fn emit(source: &Signal<u32>, events: impl IntoIterator<Item = u32>) {
    for n in events {
        assert!(source.emit(n).await.is_ok());
    }
}

#[tokio::test]
async fn a_tumbling_window_by_count_has_each_event_once() {
    let source = Signal::new();
    let windows = source.window(Window::count(3));
    let log = record_windows(&windows);
    emit(&source, 1..=7).await;
    assert_eq!(log.take(), [(vec![1, 2, 3], 0), (vec![4, 5, 6], 0)]);
}

#[tokio::test]
async fn a_sliding_window_by_count_has_the_last_events() {
    let source = Signal::new();
    let windows = source.window(Window::count(3).every(2));
    let log = record_windows(&windows);
    emit(&source, 1..=7).await;
    let expected = [(vec![1, 2], 0), (vec![2, 3, 4], 0), (vec![4, 5, 6], 0)];
    assert_eq!(log.take(), expected);
}

#[tokio::test]
async fn the_emission_that_completes_a_window_waits_for_it() {
    let source = Signal::<u32>::new();
    let windows = source.window(Window::count(2));
    windows.try_on(async |window| {
        tokio::task::yield_now().await;
        Err(format!("{:?}", &window[..]).into())
    });
    assert!(source.emit(1).await.is_ok());
    let error = source.emit(2).await.into_result().unwrap_err();
    assert!(error.to_string().contains("[1, 2]"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_tumbling_window_by_time_begins_with_an_event() {
    let source = Signal::new();
    let windows = source.window(Window::time(SECOND));
    let log = record_windows(&windows);
    advance(SECOND / 2).await;
    emit(&source, [1]).await;
    advance(SECOND / 2).await;
    emit(&source, [2]).await;
    settle().await;
    assert!(log.take().is_empty());
    advance(SECOND / 2).await;
    settle().await;
    assert_eq!(log.take(), [(vec![1, 2], 0)]);
    advance(SECOND * 10).await;
    settle().await;
    assert!(log.take().is_empty(), "no window without events");
    emit(&source, [3]).await;
    advance(SECOND).await;
    settle().await;
    assert_eq!(log.take(), [(vec![3], 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_window_says_when_it_began_and_ended() {
    let source = Signal::new();
    let windows = source.window(Window::time(SECOND * 2).every(SECOND));
    let started = Instant::now();
    let times = windows.map(move |w| (w.began() - started, w.ended() - started, w.to_vec()));
    let log = record(&times);
    emit(&source, [1]).await;
    for n in 2..=4 {
        advance(SECOND).await;
        settle().await;
        if n < 4 {
            emit(&source, [n]).await;
        }
    }
    for _ in 0..5 {
        advance(SECOND).await;
        settle().await;
    }
    let expected = [
        (Duration::ZERO, SECOND, vec![1]),
        (Duration::ZERO, SECOND * 2, vec![1, 2]),
        (SECOND, SECOND * 3, vec![2, 3]),
        (SECOND * 2, SECOND * 4, vec![3]),
    ];
    assert_eq!(log.take(), expected);

    let counts = source.window(Window::count(2));
    let times = counts.map(move |w| (w.began() - started, w.ended() - started));
    let log = record(&times);
    let now = Instant::now() - started;
    emit(&source, [1]).await;
    advance(SECOND).await;
    emit(&source, [2]).await;
    assert_eq!(log.take(), [(now, now + SECOND)]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_as_a_window_ends_is_in_the_next() {
    let source = Signal::new();
    let windows = source.window(Window::time(SECOND));
    let log = record_windows(&windows);
    emit(&source, [1]).await;
    advance(SECOND).await;
    emit(&source, [2]).await;
    assert_eq!(log.take(), [(vec![1], 0)]);
    advance(SECOND).await;
    settle().await;
    assert_eq!(log.take(), [(vec![2], 0)]);
}

#[tokio::test(start_paused = true)]
async fn of_more_than_there_is_room_for_the_oldest_fall_out_and_are_counted() {
    let source = Signal::new();
    let windows = source.window(Window::time(SECOND).at_most(3));
    let log = record_windows(&windows);
    emit(&source, 1..=5).await;
    advance(SECOND).await;
    settle().await;
    emit(&source, 6..=8).await;
    advance(SECOND).await;
    settle().await;
    assert_eq!(log.take(), [(vec![3, 4, 5], 2), (vec![6, 7, 8], 0)]);
    assert_eq!(windows.held_back(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_window_has_room_for_ten_thousand_events_if_not_told() {
    let source = Signal::<u32>::new();
    let windows = source
        .window(Window::time(SECOND))
        .map(|w| (w.len(), w.missed()));
    let log = record(&windows);
    emit(&source, 0..10_001).await;
    advance(SECOND).await;
    settle().await;
    assert_eq!(log.take(), [(10_000, 1)]);
}

#[tokio::test(start_paused = true)]
async fn all_that_is_derived_from_a_window_has_the_same_windows() {
    let source = Signal::new();
    let windows = source.window(Window::count(2));
    let sums = record_kept(windows.map(|w| w.iter().sum::<u32>()));
    emit(&source, [1]).await;
    let late = record_kept(windows.map(|w| w.len()));
    assert_eq!((source.len(), windows.len()), (1, 2));
    emit(&source, [2]).await;
    assert_eq!((sums.0.take(), late.0.take()), (vec![3], vec![2]));
}

fn record_kept<T: fanfare::Event>(
    derived: fanfare::Derived<T>,
) -> (crate::support::Log<T>, fanfare::Derived<T>) {
    (record(&derived), derived)
}

#[tokio::test(start_paused = true)]
async fn who_listens_first_begins_with_an_empty_window() {
    let source = Signal::new();
    let windows = source.window(Window::count(2));
    let first = windows.on_sync(|_| {});
    emit(&source, [1]).await;
    first.remove();
    assert_eq!(windows.stats().dropped(), 1);
    let log = record_windows(&windows);
    emit(&source, [2, 3]).await;
    assert_eq!(log.take(), [(vec![2, 3], 0)]);
}

#[test]
fn without_a_runtime_a_window_waits_for_one() {
    let source = Signal::<u32>::new();
    let windows = source.window(Window::time(SECOND * 3600));
    let log = record_windows(&windows);
    let emit = |n| {
        let mut emission = Box::pin(source.emit(n));
        assert!(crate::support::poll_once(&mut emission).unwrap().is_ok());
    };
    emit(1);
    let counted = source.window(Window::count(2));
    let counts = record_windows(&counted);
    emit(2);
    emit(3);
    assert_eq!(counts.take(), [(vec![2, 3], 0)]);
    // The next event inside a runtime has the window timed from there.
    runtime().block_on(async {
        assert!(source.emit(4).await.is_ok());
        advance(SECOND * 7200).await;
        settle().await;
    });
    assert_eq!(log.take(), [(vec![1, 2, 3, 4], 0)]);
}

#[test]
fn without_a_runtime_a_shutdown_does_not_wait_for_a_window() {
    let source = Signal::<u32>::new();
    let windows = source.window(Window::count(2));
    windows.on_sync(|_| {});
    let mut emission = Box::pin(source.emit(1));
    assert!(crate::support::poll_once(&mut emission).unwrap().is_ok());
    runtime().block_on(async {
        let began = Instant::now();
        assert!(source.shutdown(SECOND).await.is_clean());
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
    drop(windows);
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap()
}

#[test]
fn a_window_outlives_the_runtime_that_timed_it() {
    let source = Signal::<u32>::new();
    let windows = source.window(Window::count(3));
    let log = record_windows(&windows);
    runtime().block_on(emit(&source, [1]));
    runtime().block_on(async {
        emit(&source, [2]).await;
        assert!(source.shutdown(SECOND).await.is_clean());
    });
    assert_eq!(log.take(), [(vec![1, 2], 0)]);
}

#[test]
fn nonsense_is_refused_by_name() {
    let source = Signal::<u32>::new();
    let refused = |window| source.try_window::<usize>(window).unwrap_err();
    let timed = |window| source.try_window::<Duration>(window).unwrap_err();
    let most = 1 << 24;
    assert_eq!(refused(Window::count(0)).option(), "count");
    assert_eq!(refused(Window::count(most + 1)).option(), "count");
    assert_eq!(refused(Window::count(2).every(0)).option(), "every");
    assert_eq!(refused(Window::count(2).every(3)).option(), "every");
    assert_eq!(timed(Window::time(Duration::ZERO)).option(), "time");
    assert_eq!(timed(Window::time(Duration::MAX)).option(), "time");
    assert_eq!(
        timed(Window::time(SECOND).every(Duration::ZERO)).option(),
        "every"
    );
    assert_eq!(
        timed(Window::time(SECOND).every(SECOND * 2)).option(),
        "every"
    );
    let thousandth = Duration::from_millis(10);
    assert_eq!(
        timed(Window::time(SECOND * 10).every(thousandth / 2)).option(),
        "every"
    );
    assert_eq!(timed(Window::time(SECOND).at_most(0)).option(), "at_most");
    assert_eq!(
        timed(Window::time(SECOND).at_most(most + 1)).option(),
        "at_most"
    );
    for window in [
        Window::count(1),
        Window::count(most),
        Window::count(2).every(2),
    ] {
        assert!(source.try_window(window).is_ok());
    }
    let year = SECOND * 365 * 24 * 3600;
    let allowed = [
        Window::time(Duration::from_millis(1)),
        Window::time(year),
        Window::time(SECOND * 10).every(thousandth),
        Window::time(SECOND).at_most(most),
    ];
    for window in allowed {
        assert!(source.try_window(window).is_ok());
    }
    assert_eq!(
        source.try_throttle(Duration::ZERO).unwrap_err().option(),
        "throttle"
    );
    assert_eq!(
        source.try_throttle(year * 2).unwrap_err().option(),
        "throttle"
    );
    assert_eq!(
        source.try_debounce(Duration::ZERO).unwrap_err().option(),
        "debounce"
    );
    assert_eq!(
        source.try_debounce(year * 2).unwrap_err().option(),
        "debounce"
    );
    assert!(source.try_throttle(SECOND).is_ok() && source.try_debounce(SECOND).is_ok());
    let panic = std::panic::catch_unwind(|| Signal::<u32>::new().window(Window::count(0)));
    let text = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("option `count` cannot be 0"), "{text}");
}
