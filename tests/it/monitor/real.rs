//! Runtimes that are blocked and released by hand.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use fanfare::observe::{RuntimeMonitor, RuntimeReading};
use tokio::runtime::{Builder, Handle, Runtime};

/// Long enough for a slow build of a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits on this thread until the monitor says so.
pub(crate) fn until(
    monitor: &RuntimeMonitor,
    what: &str,
    said: impl Fn(&RuntimeReading) -> bool,
) -> RuntimeReading {
    let start = Instant::now();
    loop {
        let reading = monitor.reading();
        if said(&reading) {
            return reading;
        }
        let waited = start.elapsed();
        assert!(waited < LIMIT, "not after {waited:?}: {what}; {reading:?}");
        std::thread::yield_now();
    }
}

/// Blocks this thread until the monitor has seen its runtime stalled for so much longer than it may be already.
pub(crate) fn stall(monitor: &RuntimeMonitor, time: Duration) {
    let stalled = |reading: &RuntimeReading| reading.stalled_for().unwrap_or_default();
    let until_then = stalled(&monitor.reading()) + time;
    until(monitor, "stalled", |reading| stalled(reading) >= until_then);
}

pub(super) fn quick(runtime: &Handle) -> RuntimeMonitor {
    let builder = RuntimeMonitor::builder(runtime.clone());
    builder.interval(Duration::from_millis(2)).build()
}

fn workers(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).build().unwrap()
}

/// Blocks whichever worker polls it, until the sender is dropped.
pub(crate) fn block(runtime: &Handle) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (polled, is_polled) = channel();
    runtime.spawn(async move {
        polled.send(()).unwrap();
        let _ = released.recv();
    });
    is_polled.recv_timeout(LIMIT).expect("it is polled");
    release
}

fn is_green(reading: &RuntimeReading) -> bool {
    reading.blocked_workers == 0 && reading.stalled_for().is_none()
}

#[test]
fn a_runtime_whose_workers_are_all_blocked_is_stalled_until_they_are_released() {
    let runtime = workers(2);
    let monitor = quick(runtime.handle());
    until(&monitor, "it looks", |reading| reading.looks > 2);

    let first = block(runtime.handle());
    let reading = until(&monitor, "one is blocked", |reading| {
        reading.blocked_workers == 1 && reading.stalled_for().is_none()
    });
    assert_eq!(reading.workers, 2);
    let second = block(runtime.handle());
    let reading = until(&monitor, "both are, and it stalls", |reading| {
        reading.blocked_workers == 2 && reading.stalled_for().is_some()
    });
    assert!(reading.blocked_for >= Duration::from_millis(50));
    assert!(reading.stalled_for().unwrap() >= Duration::from_millis(50));
    assert!(reading.stall_count > 0 && reading.stalled_time >= reading.stalled_for().unwrap());
    let full = until(&monitor, "both are busy", |reading| reading.busy > 0.99);
    assert!(!full.ended && full.alive_tasks >= 2);

    drop((first, second));
    let reading = until(&monitor, "green again", is_green);
    let stall = reading.stalls.last().expect("it is kept");
    assert!(stall.over && stall.lasted >= Duration::from_millis(50));
    let delays = until(&monitor, "its delay is kept", |reading| {
        reading.delays.max() >= stall.lasted && reading.busy_time > Duration::ZERO
    });
    assert!(delays.delays.count() > 0 && !delays.recent_delays.is_empty());
}

#[test]
fn a_worker_of_several_that_is_blocked_stalls_nothing() {
    let runtime = workers(2);
    let monitor = quick(runtime.handle());
    let release = block(runtime.handle());
    let polled = |reading: &RuntimeReading| reading.delays.count();
    let reading = until(&monitor, "one is blocked", |reading| {
        reading.blocked_workers == 1
    });
    // The other polls the probes meanwhile; a stall of this would last until the release.
    let then = polled(&reading);
    until(
        &monitor,
        "probes are polled, and it is not stalled",
        |reading| {
            let blocked = reading.blocked_workers == 1;
            polled(reading) > then + 3 && blocked && reading.stalled_for().is_none()
        },
    );
    drop(release);
    until(&monitor, "green again", is_green);
}

#[test]
fn a_current_thread_runtime_is_watched_too() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let monitor = quick(runtime.handle());
    until(&monitor, "nobody drives it", |reading| {
        reading.stalled_for().is_some() && reading.blocked_workers == 1
    });
    let green = |what: &'static str| {
        let monitor = monitor.clone();
        tokio::task::spawn_blocking(move || until(&monitor, what, is_green))
    };
    runtime.block_on(async {
        let reading = green("it is driven").await.unwrap();
        assert_eq!(reading.workers, 1);
        // The thread of the runtime blocks, and looks.
        until(&monitor, "blocked", |reading| {
            reading.stalled_for().is_some() && reading.blocked_workers == 1
        });
        green("green again").await.unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn a_runtime_whose_clock_is_paused_is_watched_in_real_time() {
    let monitor = quick(&Handle::current());
    until(&monitor, "blocked", |reading| {
        reading.stalled_for().is_some() && reading.blocked_workers == 1
    });
}

#[test]
fn a_runtime_that_ends_ends_the_watch() {
    let runtime = workers(1);
    let monitor = quick(runtime.handle());
    until(&monitor, "it looks", |reading| reading.looks > 2);
    assert!(!monitor.reading().ended);
    drop(runtime);
    let reading = until(&monitor, "it has ended", |reading| reading.ended);
    assert_eq!((reading.stalled_for(), reading.blocked_workers), (None, 0));
}

#[test]
fn the_last_handle_joins_the_thread_while_the_runtime_is_blocked() {
    let runtime = workers(1);
    let release = block(runtime.handle());
    let builder = RuntimeMonitor::builder(runtime.handle().clone());
    let monitor = builder.interval(Duration::from_secs(60)).build();
    let clone = monitor.clone();
    drop(monitor);
    until(&clone, "it goes on", |reading| reading.looks > 0);
    // With the thread it would wait for its interval, or for ever for the runtime.
    let (done, joined) = channel();
    let dropper = std::thread::spawn(move || {
        drop(clone);
        done.send(()).unwrap();
    });
    let half = Duration::from_secs(30);
    joined.recv_timeout(half).expect("it does not wait");
    dropper.join().unwrap();
    drop(release);
}

#[test]
fn the_thresholds_are_the_ones_that_were_given() {
    let runtime = workers(1);
    let patient = RuntimeMonitor::builder(runtime.handle().clone())
        .interval(Duration::from_millis(2))
        .stall_after(Duration::from_secs(3_600))
        .build();
    let monitor = quick(runtime.handle());
    let release = block(runtime.handle());
    let looks = patient.reading().looks;
    until(&monitor, "blocked", |reading| {
        reading.stalled_for().is_some() && reading.blocked_workers == 1
    });
    let reading = until(&patient, "it looks", |reading| reading.looks > looks + 2);
    assert!(is_green(&reading), "{reading:?}");
    drop(release);
}
