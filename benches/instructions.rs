//! One case of the hot paths, so many times, for a simulator to count: `.ci/instructions` runs it.
//!
//! `cargo bench --bench instructions -- CASE EMISSIONS`; without a case it lists them.

use std::future::{Future, ready as at_once};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fanfare::layer::{Retry, Trace};
use fanfare::{Bus, Dispatch, Pool, Signal};

const SECOND: Duration = Duration::from_secs(1);

/// A case: its name, and what one emission of it is.
type Case = (&'static str, fn(u64));

const CASES: &[Case] = &[
    ("empty", |n| run(&Signal::new(), n)),
    ("on-1", |n| run(&with(1, Signal::new(), on), n)),
    ("on-10", |n| run(&with(10, Signal::new(), on), n)),
    ("on-100", |n| run(&with(100, Signal::new(), on), n)),
    ("sequential-10", |n| {
        let signal = Signal::builder().dispatch(Dispatch::Sequential).build();
        run(&with(10, signal, on), n);
    }),
    ("on-sync-1", |n| run(&with(1, Signal::new(), on_sync), n)),
    ("on-sync-100", |n| {
        run(&with(100, Signal::new(), on_sync), n);
    }),
    ("on-shared-10", |n| {
        run(&with(10, Signal::new(), on_shared), n);
    }),
    ("filtered-10", |n| {
        run(&with(10, Signal::new(), filtered), n);
    }),
    ("yields-1", |n| run(&with(1, Signal::new(), yields), n)),
    ("yields-10", |n| run(&with(10, Signal::new(), yields), n)),
    ("pool-10", |n| {
        let signal = Signal::builder()
            .pool(Pool::new(8))
            .dispatch(Dispatch::Concurrent)
            .build();
        run(&with(10, signal, on), n);
    }),
    ("parallel-10", |n| {
        let signal = Signal::builder().dispatch(Dispatch::Parallel).build();
        let signal = with(10, signal, on);
        // The tasks need a runtime, which is counted along. It has one thread, and goes the same way each time.
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(emit(&signal, n));
    }),
    ("timeout-1", |n| run(&with(1, Signal::new(), timeout), n)),
    ("timeout-10", |n| run(&with(10, Signal::new(), timeout), n)),
    ("retry-timeout-10", |n| {
        run(&with(10, Signal::new(), retry_and_timeout), n);
    }),
    // What the listeners without layers cost beside one that has them: less `timeout-1`.
    ("mixed-10", |n| {
        let signal = with(1, Signal::new(), timeout);
        run(&with(10, signal, on), n);
    }),
    // No subscriber asks for its spans.
    ("untraced-10", |n| {
        let signal = Signal::builder().trace(Trace::info()).build();
        run(&with(10, signal, on), n);
    }),
    ("bus-1", |n| {
        let bus = Bus::new();
        on(&bus.signal());
        drive(async {
            for event in 0..n {
                drop(black_box(bus.emit(black_box(event)).await));
            }
        });
    }),
];

/// What only a build with the feature `metrics` can do. `Counting` is the level of all cases above.
#[cfg(feature = "metrics")]
const METRICS: &[Case] = &[
    ("off-10", |n| at(fanfare::Metrics::Off, n)),
    ("sampled-10", |n| at(fanfare::Metrics::Sampled(64), n)),
    ("timed-10", |n| at(fanfare::Metrics::Timed, n)),
];
#[cfg(not(feature = "metrics"))]
const METRICS: &[Case] = &[];

#[cfg(feature = "metrics")]
fn at(level: fanfare::Metrics, emissions: u64) {
    let signal = Signal::builder().metrics(level).build();
    run(&with(10, signal, on), emissions);
}

fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(METRICS)
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    match (args.next().as_deref(), args.next()) {
        (None, _) => cases().for_each(|(name, _)| println!("{name}")),
        // Run once each: the benches of a test run.
        (Some("--test"), _) => cases().for_each(|(_, case)| case(2)),
        (Some(name), emissions) => {
            let case = cases().find(|(known, _)| *known == name);
            let (_, case) = case.expect("the name of a case");
            let emissions = emissions.and_then(|n| n.parse().ok());
            case(emissions.expect("how many emissions"));
        }
    }
}

fn with(listeners: usize, signal: Signal<u64>, add: fn(&Signal<u64>)) -> Signal<u64> {
    for _ in 0..listeners {
        add(&signal);
    }
    signal
}

fn on(signal: &Signal<u64>) {
    signal.on(async |event| {
        black_box(event);
    });
}

fn on_sync(signal: &Signal<u64>) {
    signal.on_sync(|event| {
        black_box(*event);
    });
}

fn on_shared(signal: &Signal<u64>) {
    signal.on_shared(|event| {
        drop(black_box(event));
        at_once(())
    });
}

fn filtered(signal: &Signal<u64>) {
    let listen = signal.listen().filter(|event| *event != 7);
    listen
        .on(async |event| {
            black_box(event);
        })
        .expect("no key");
}

fn timeout(signal: &Signal<u64>) {
    let listen = signal.listen().timeout(SECOND);
    listen
        .on(async |event| {
            black_box(event);
        })
        .expect("it makes sense");
}

fn retry_and_timeout(signal: &Signal<u64>) {
    let listen = signal.listen().timeout(SECOND).retry(Retry::exponential());
    listen
        .on(async |event| {
            black_box(event);
        })
        .expect("it makes sense");
}

fn yields(signal: &Signal<u64>) {
    signal.on(async |event| {
        let mut yielded = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        black_box(event);
    });
}

fn run(signal: &Signal<u64>, emissions: u64) {
    drive(emit(signal, emissions));
}

async fn emit(signal: &Signal<u64>, emissions: u64) {
    for event in 0..emissions {
        drop(black_box(signal.emit(black_box(event)).await));
    }
}

/// Polls until it is ready: no runtime is counted along.
fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}
