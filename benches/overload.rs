//! Overload: `cargo bench --bench overload` prints it as Markdown.
//!
//! Ten producers that each make an event a round, and a listener that takes one a round: ten times more than is taken, by turns of the scheduler and not by the clock, so that it is so on any
//! machine. 1,000,000 events for each policy of the buffer, and a channel of tokio's beside the one that waits. What came of the events must add up, or the bench ends.

mod support;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use fanfare::{EnqueueError, Overflow, Signal, SignalBuilder};
use support::args::is_test;
use support::print::{median, number, table};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};

const PRODUCERS: u64 = 10;
const BUFFER: usize = 1_024;
const KEYS: u64 = 500;
const LANES: u64 = 3;
const LIMIT: Duration = Duration::from_millis(1);

/// As large as an event that names a few things by number.
#[derive(Clone)]
struct Event {
    number: u64,
    _values: [u64; 7],
}

impl Event {
    fn new(number: u64) -> Self {
        Self {
            number,
            _values: [number; 7],
        }
    }
}

/// What came of the events.
#[derive(Clone, Copy, Default)]
struct Came {
    accepted: u64,
    delivered: u64,
    dropped: u64,
    given_back: u64,
}

#[derive(Clone, Copy)]
enum Verb {
    Enqueue,
    Try,
    Ready,
}

async fn send(signal: &Signal<Event>, verb: Verb, event: Event) -> Result<(), EnqueueError<Event>> {
    match verb {
        Verb::Enqueue => signal.enqueue(event).await,
        Verb::Try => signal.try_enqueue(event),
        Verb::Ready => {
            let ready = signal.ready().await.expect("it is not shut down");
            ready.enqueue(event)
        }
    }
}

async fn with_signal(builder: SignalBuilder<Event>, verb: Verb, events: u64) -> Came {
    let signal = builder.buffer(BUFFER).build();
    signal.on(async |_| yield_now().await);
    let mut producers = JoinSet::new();
    for first in 0..PRODUCERS {
        let signal = signal.clone();
        producers.spawn(async move {
            for number in (first..events).step_by(10) {
                let _ = send(&signal, verb, Event::new(number)).await;
                yield_now().await;
            }
        });
    }
    producers.join_all().await;
    assert!(signal.shutdown(Duration::from_secs(600)).await.is_clean());
    let stats = signal.stats();
    Came {
        accepted: stats.enqueued(),
        delivered: stats.emissions(),
        dropped: stats.dropped(),
        given_back: stats.refused(),
    }
}

async fn with_channel(events: u64) -> Came {
    let (queue, mut queued) = mpsc::channel::<Event>(BUFFER);
    let delivered = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&delivered);
    let worker = tokio::spawn(async move {
        while let Some(event) = queued.recv().await {
            std::hint::black_box(event.number);
            yield_now().await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut producers = JoinSet::new();
    for first in 0..PRODUCERS {
        let queue = queue.clone();
        producers.spawn(async move {
            for number in (first..events).step_by(10) {
                queue.send(Event::new(number)).await.expect("it is open");
                yield_now().await;
            }
        });
    }
    drop(queue);
    producers.join_all().await;
    worker.await.expect("the worker has not panicked");
    Came {
        accepted: events,
        delivered: delivered.load(Ordering::Relaxed),
        ..Came::default()
    }
}

/// What was accepted and what was not, and how fast.
struct Figures {
    came: Came,
    a_second: f64,
    most_bytes: u64,
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn figures<F: Future<Output = Came>>(rounds: usize, events: u64, way: impl Fn() -> F) -> Figures {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut figures = Figures {
        came: Came::default(),
        a_second: 0.0,
        most_bytes: 0,
    };
    let mut all = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        // The counts are those of this thread, which is all that there is.
        let memory = measure(|| figures.came = runtime.block_on(way()));
        all.push(events as f64 / began.elapsed().as_secs_f64());
        figures.most_bytes = figures.most_bytes.max(memory.bytes_max);
        let came = figures.came;
        let sum = came.delivered + came.dropped + came.given_back;
        assert_eq!(sum, events, "each came to one end");
    }
    figures.a_second = median(all);
    figures
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn count(events: u64) -> String {
    match events {
        0..10 => events.to_string(),
        _ => number(events as f64),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn row(name: &str, figures: &Figures) -> Vec<String> {
    let came = figures.came;
    vec![
        name.to_owned(),
        count(came.accepted),
        count(came.delivered),
        count(came.dropped),
        count(came.given_back),
        number(figures.a_second),
        number(figures.most_bytes as f64 / 1024.0),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn main() {
    let (events, rounds) = if is_test() {
        (20_000, 1)
    } else {
        (1_000_000, 3)
    };
    println!(
        "{} events of {} bytes by {PRODUCERS} producers into a buffer of {}: what came of them, how many a second, and the most memory at once\n",
        number(events as f64),
        size_of::<Event>(),
        number(BUFFER as f64),
    );
    let plain = |overflow| Signal::<Event>::builder().overflow(overflow);
    let latest = || Signal::builder().latest_by(|event: &Event| event.number % KEYS);
    let lanes = |event: &Event| usize::try_from(event.number % LANES).expect("a small number");
    let lanes = move || Signal::builder().priorities(3, lanes);
    let of = |builder: SignalBuilder<Event>, verb| {
        figures(rounds, events, || {
            with_signal(builder.clone(), verb, events)
        })
    };
    let (enqueue, try_, ready) = (Verb::Enqueue, Verb::Try, Verb::Ready);
    let channel = figures(rounds, events, || with_channel(events));
    let none_lost = of(plain(Overflow::DropOldest), ready);
    assert_eq!(none_lost.came.delivered, events, "`ready` loses nothing");
    let rows = [
        ("`Wait`", of(plain(Overflow::Wait), enqueue)),
        ("a tokio channel that waits", channel),
        (
            "`WaitUpTo` 1 ms",
            of(plain(Overflow::WaitUpTo(LIMIT)), enqueue),
        ),
        ("`Reject`", of(plain(Overflow::Reject), try_)),
        ("`DropOldest`", of(plain(Overflow::DropOldest), try_)),
        ("`DropNewest`", of(plain(Overflow::DropNewest), try_)),
        ("`latest_by`, 500 keys", of(latest(), enqueue)),
        (
            "3 `priorities`, `DropOldest`",
            of(lanes().overflow(Overflow::DropOldest), try_),
        ),
        ("`ready`, `DropOldest`", none_lost),
        ("`ready`, 3 `priorities`", of(lanes(), ready)),
    ];
    let head = [
        "",
        "accepted",
        "delivered",
        "dropped",
        "given back",
        "events a second",
        "KiB at most",
    ];
    let head = vec![head.map(str::to_owned).to_vec()];
    let rows = rows.iter().map(|(name, figures)| row(name, figures));
    table(&head.into_iter().chain(rows).collect::<Vec<_>>());
}
