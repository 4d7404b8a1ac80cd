//! How long one emission takes, as a distribution: `cargo bench --bench latency` prints it as Markdown, in nanoseconds, beside the machine's own stalls.
//!
//! Corrected for coordinated omission, the mistake of an emitter that waits out a stall and then counts it once:
//!
//! - One emitter keeps a schedule of intended starts. Each emission is due at a time that does not depend on those before it, and its latency counts
//!   from then: a stall is charged to every emission that was due in it.
//! - Many emitters have no schedule, and what counts is the time inside an emission's own polls, without its turns in the queue of the runtime. A sum
//!   that is longer than the mean distance of two emissions on a worker stands for others that could not start: they are filled in as
//!   `record_correct` of `hdrhistogram` does, once the distance is known.
//!
//! The machine's stalls are those of the same loop with nothing to emit: the same clock read at the same places, the same schedule, the same rounds.

mod support;

use std::future::{Future, poll_fn, ready};
use std::hint::spin_loop;
use std::pin::pin;
use std::time::{Duration, Instant};

use fanfare::{Dispatch, Signal};
use futures::future::BoxFuture;
use hdrhistogram::Histogram;
use support::args::is_test;
use support::cases::{self, forever};
use support::event::{Tick, listen};
use support::print::{number, table};
use tokio::runtime::Runtime;
use tokio::task::yield_now;
use tokio::time::sleep;

const EMITTERS: usize = 1_000;
/// Of the runtime that all benches share.
const WORKERS: u32 = 2;
/// From one intended start to the next.
const INTERVAL: Duration = Duration::from_micros(20);
/// How long a listener waits that is not ready at once.
const WAIT: Duration = Duration::from_millis(1);
const PERCENTILES: [f64; 4] = [50.0, 95.0, 99.0, 99.9];

/// How much to measure.
struct Effort {
    rounds: usize,
    /// Of each row in each round.
    time: Duration,
}

fn main() {
    let effort = if is_test() {
        Effort {
            rounds: 1,
            time: Duration::from_millis(2),
        }
    } else {
        Effort {
            rounds: 20,
            time: Duration::from_millis(200),
        }
    };
    let runtime = cases::runtime();
    println!(
        "One emitter, an emission due every {} us: nanoseconds from when it was due\n",
        INTERVAL.as_micros()
    );
    print(&measure(&runtime, &effort, &scheduled()));
    println!("{EMITTERS} emitters at once: nanoseconds inside an emission's own polls\n");
    print(&measure(&runtime, &effort, &polled()));
}

/// What one row of a table does for so long.
struct Row {
    name: &'static str,
    run: Box<dyn Fn(Duration) -> BoxFuture<'static, Sample>>,
}

/// What a row measured in one round.
struct Sample {
    nanos: Vec<u64>,
    /// How far apart emissions were that could have been made instead of waiting for a slow one. Absent if each counts from when it was due.
    distance: Option<Duration>,
}

fn scheduled() -> Vec<Row> {
    fn row<F, Fut>(name: &'static str, emit: F) -> Row
    where
        F: Fn() -> Fut + Copy + Send + Sync + 'static,
        Fut: Future + Send + 'static,
    {
        Row {
            name,
            run: Box::new(move |time| Box::pin(on_schedule(emit, time))),
        }
    }
    let one = ready_listeners(1);
    let hundred = ready_listeners(100);
    vec![
        row("an empty loop", || ready(())),
        row("**`Concurrent`**, 1 ready listener", || {
            one.emit(Tick::hidden())
        }),
        row("**`Concurrent`**, 100 ready listeners", || {
            hundred.emit(Tick::hidden())
        }),
    ]
}

fn polled() -> Vec<Row> {
    fn row<F, Fut>(name: &'static str, emit: F) -> Row
    where
        F: Fn() -> Fut + Copy + Send + Sync + 'static,
        Fut: Future + Send + 'static,
    {
        Row {
            name,
            run: Box::new(move |time| Box::pin(many_emitters(emit, time))),
        }
    }
    let at_once = ready_listeners(1);
    let waiting = signal(1);
    waiting.on(async |tick| {
        sleep(WAIT).await;
        listen(tick);
    });
    vec![
        row("a future that is ready", || ready(())),
        row("**`Concurrent`**, 1 ready listener", || {
            at_once.emit(Tick::hidden())
        }),
        row("a sleep of a millisecond", || sleep(WAIT)),
        row("**`Concurrent`**, 1 listener that sleeps as long", || {
            waiting.emit(Tick::hidden())
        }),
    ]
}

fn ready_listeners(n: usize) -> &'static Signal<Tick> {
    let signal = signal(n);
    (0..n).for_each(|_| drop(signal.on(async |tick| listen(tick))));
    signal
}

fn signal(n: usize) -> &'static Signal<Tick> {
    let builder = Signal::builder().dispatch(Dispatch::Concurrent);
    forever(builder.max_listeners(n).build())
}

/// Emits when it is due, and at once if that is past.
async fn on_schedule<F: Fn() -> Fut, Fut: Future>(emit: F, time: Duration) -> Sample {
    let emissions = 1 + time.as_nanos() / INTERVAL.as_nanos();
    let mut nanos = Vec::with_capacity(usize::try_from(emissions).expect("a round is short"));
    let start = Instant::now();
    let mut due = start;
    while due < start + time {
        while Instant::now() < due {
            spin_loop();
        }
        emit().await;
        nanos.push(in_nanos(due.elapsed()));
        due += INTERVAL;
    }
    Sample {
        nanos,
        distance: None,
    }
}

/// Each in a task of its own, emits as soon as it has its turn again.
async fn many_emitters<F, Fut>(emit: F, time: Duration) -> Sample
where
    F: Fn() -> Fut + Copy + Send + 'static,
    Fut: Future + Send + 'static,
{
    let start = Instant::now();
    let emitter = move || async move {
        let mut nanos = Vec::new();
        loop {
            nanos.push(in_nanos(in_polls(emit()).await));
            yield_now().await;
            if start.elapsed() > time {
                return nanos;
            }
        }
    };
    let tasks: Vec<_> = (0..EMITTERS).map(|_| tokio::spawn(emitter())).collect();
    let mut nanos = Vec::new();
    for task in tasks {
        nanos.extend(task.await.expect("no emitter panics"));
    }
    let emissions = u32::try_from(nanos.len()).expect("a round is short");
    Sample {
        distance: Some(start.elapsed() * WORKERS / emissions),
        nanos,
    }
}

/// How long the polls of the future take together.
async fn in_polls<F: Future>(future: F) -> Duration {
    let mut future = pin!(future);
    let mut spent = Duration::ZERO;
    poll_fn(|context| {
        let start = Instant::now();
        let polled = future.as_mut().poll(context);
        spent += start.elapsed();
        polled.map(|_| spent)
    })
    .await
}

fn in_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The rows' names, and what all rounds of each came to. Every row takes its turn in every round.
fn measure(
    runtime: &Runtime,
    effort: &Effort,
    rows: &[Row],
) -> Vec<(&'static str, Histogram<u64>)> {
    let empty = || Histogram::new(3).expect("three significant digits");
    let mut all: Vec<_> = rows.iter().map(|row| (row.name, empty())).collect();
    for _ in 0..effort.rounds {
        for (row, (_, histogram)) in rows.iter().zip(&mut all) {
            let task = runtime.spawn((row.run)(effort.time));
            let sample = runtime.block_on(task).expect("no row panics");
            let distance = sample.distance.map_or(0, in_nanos);
            for nanos in sample.nanos {
                // With a distance of zero it fills nothing in.
                let recorded = histogram.record_correct(nanos, distance);
                recorded.expect("the histogram grows");
            }
        }
    }
    all
}

fn print(rows: &[(&str, Histogram<u64>)]) {
    let percentiles = PERCENTILES.map(|percentile| format!("p{percentile}"));
    let head = [String::new()].into_iter().chain(percentiles);
    let mut lines = vec![head.chain(["max".to_owned()]).collect::<Vec<_>>()];
    for (name, histogram) in rows {
        let figures = PERCENTILES.map(|p| histogram.value_at_percentile(p));
        let figures = figures.into_iter().chain([histogram.max()]);
        let cells = figures.map(|nanos| number(Duration::from_nanos(nanos).as_secs_f64() * 1e9));
        lines.push([(*name).to_owned()].into_iter().chain(cells).collect());
    }
    table(&lines);
}
