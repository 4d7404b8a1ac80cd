//! A stalled reader: `cargo run --release --manifest-path benches/peers/Cargo.toml --bin stalled` prints it as Markdown.
//!
//! One reader never reads, four read all they get. Events are sent in chunks that fit every buffer, and after each chunk the sender waits for the four: so none of them ever
//! lags, and what is measured is what the stalled one costs the others. Everything runs on one thread, whose memory is counted. With `--test` there are few events.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use fanfare::{EventStream, Overflow, Signal};
use futures::{Stream, StreamExt as _};
use print::{median, number, table, times};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, broadcast, mpsc};

#[path = "../../../support/print.rs"]
mod print;

/// What every reader may have waiting, where that can be chosen.
const CAPACITY: usize = 1_024;
const CHUNK: usize = 512;
const READING: usize = 4;
/// A way that does not get through its events is stopped after so long.
const LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy)]
struct Event {
    /// The last of its chunk.
    last: bool,
    _payload: [u64; 7],
}

/// Whether the fifth reader reads.
#[derive(Clone, Copy, PartialEq)]
enum Fifth {
    Reads,
    Stalls,
}

/// What sender and readers share.
struct Readers {
    number: usize,
    /// How many have not had the last event of the chunk.
    missing: AtomicUsize,
    drained: Notify,
}

impl Readers {
    fn new(fifth: Fifth) -> Arc<Self> {
        Arc::new(Self {
            number: READING + usize::from(fifth == Fifth::Reads),
            missing: AtomicUsize::new(0),
            drained: Notify::new(),
        })
    }

    fn received(&self, event: Event) {
        if black_box(event).last && self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.drained.notify_one();
        }
    }

    /// Reads to the end, in a task.
    fn read(self: &Arc<Self>, events: impl Stream<Item = Event> + Send + 'static) {
        let readers = Arc::clone(self);
        tokio::spawn(events.for_each(move |event| {
            readers.received(event);
            std::future::ready(())
        }));
    }

    /// Sends so many events, or as many as the limit allows.
    async fn deliver(&self, events: usize, mut offer: impl AsyncFnMut(Event)) -> Sent {
        let mut sent = 0;
        let began = Instant::now();
        let all = async {
            while sent < events {
                self.missing.store(self.number, Ordering::Relaxed);
                for place in 1..=CHUNK {
                    let last = place == CHUNK;
                    let event = black_box(Event {
                        last,
                        _payload: [7; 7],
                    });
                    offer(event).await;
                    sent += 1;
                }
                self.drained.notified().await;
            }
        };
        let in_time = tokio::time::timeout(LIMIT, all).await.is_ok();
        Sent {
            events: sent,
            took: began.elapsed(),
            stuck: !in_time && sent == CAPACITY,
            kept: 0,
        }
    }
}

struct Sent {
    events: usize,
    took: Duration,
    /// The buffer of the stalled reader was filled, and that was that.
    stuck: bool,
    /// How many events wait for the stalled reader at the end.
    kept: usize,
}

fn streams(overflow: Overflow) -> impl Fn(usize, Fifth) -> Running {
    move |events, fifth| {
        Box::pin(async move {
            let signal = Signal::<Event>::builder().on_failure(|_| ()).build();
            let stream = || -> EventStream<Event> {
                let stream = signal.listen().stream().buffer(CAPACITY);
                stream.overflow(overflow).build().expect("it makes sense")
            };
            let readers = Readers::new(fifth);
            (0..readers.number).for_each(|_| readers.read(stream()));
            let stalled = (fifth == Fifth::Stalls).then(stream);
            let offer = async |event| drop(signal.emit(event).await);
            let sent = readers.deliver(events, offer).await;
            let kept = stalled.map_or(0, |stream| stream.len());
            Sent { kept, ..sent }
        })
    }
}

fn tokio_broadcast(events: usize, fifth: Fifth) -> Running {
    Box::pin(async move {
        let sender = broadcast::Sender::new(CAPACITY);
        let readers = Readers::new(fifth);
        for _ in 0..readers.number {
            let (mut receiver, readers) = (sender.subscribe(), Arc::clone(&readers));
            tokio::spawn(async move {
                while let Ok(event) = receiver.recv().await {
                    readers.received(event);
                }
            });
        }
        let stalled = (fifth == Fifth::Stalls).then(|| sender.subscribe());
        let offer = async |event| {
            let _nobody = sender.send(event);
        };
        let sent = readers.deliver(events, offer).await;
        // It counts what was overwritten too.
        let kept = stalled.map_or(0, |receiver| receiver.len().min(CAPACITY));
        Sent { kept, ..sent }
    })
}

fn async_broadcast(overflow: bool) -> impl Fn(usize, Fifth) -> Running {
    move |events, fifth| {
        Box::pin(async move {
            let (mut sender, first) = async_broadcast::broadcast(CAPACITY);
            sender.set_overflow(overflow);
            let readers = Readers::new(fifth);
            (0..readers.number).for_each(|_| readers.read(first.new_receiver()));
            let stalled = if fifth == Fifth::Stalls {
                Some(first)
            } else {
                drop(first);
                None
            };
            let offer = async |event| {
                let _nobody = sender.broadcast_direct(event).await;
            };
            let sent = readers.deliver(events, offer).await;
            let kept = stalled.map_or(0, |receiver| receiver.len());
            Sent { kept, ..sent }
        })
    }
}

fn bounded(events: usize, fifth: Fifth) -> Running {
    Box::pin(async move {
        let readers = Readers::new(fifth);
        let (mut senders, mut stalled) = (Vec::new(), None);
        for reader in 0..=READING {
            let (sender, mut receiver) = mpsc::channel(CAPACITY);
            senders.push(sender);
            if reader < readers.number {
                let readers = Arc::clone(&readers);
                tokio::spawn(async move {
                    while let Some(event) = receiver.recv().await {
                        readers.received(event);
                    }
                });
            } else {
                stalled = Some(receiver);
            }
        }
        let offer = async |event| {
            for sender in &senders {
                let _full = sender.try_send(event);
            }
        };
        let sent = readers.deliver(events, offer).await;
        let kept = stalled.map_or(0, |receiver| receiver.len());
        Sent { kept, ..sent }
    })
}

fn unbounded(events: usize, fifth: Fifth) -> Running {
    Box::pin(async move {
        let readers = Readers::new(fifth);
        let (mut senders, mut stalled) = (Vec::new(), None);
        for reader in 0..=READING {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            senders.push(sender);
            if reader < readers.number {
                let readers = Arc::clone(&readers);
                tokio::spawn(async move {
                    while let Some(event) = receiver.recv().await {
                        readers.received(event);
                    }
                });
            } else {
                stalled = Some(receiver);
            }
        }
        let offer = async |event| {
            for sender in &senders {
                let _gone = sender.send(event);
            }
        };
        let sent = readers.deliver(events, offer).await;
        let kept = stalled.map_or(0, |receiver| receiver.len());
        Sent { kept, ..sent }
    })
}

type Running = std::pin::Pin<Box<dyn Future<Output = Sent>>>;
type Way = Box<dyn Fn(usize, Fifth) -> Running>;

fn ways() -> Vec<(&'static str, Way)> {
    vec![
        (
            "**fanfare**, `DropOldest`",
            Box::new(streams(Overflow::DropOldest)),
        ),
        (
            "**fanfare**, `DropNewest`",
            Box::new(streams(Overflow::DropNewest)),
        ),
        ("**fanfare**, `Reject`", Box::new(streams(Overflow::Reject))),
        (
            "**fanfare**, `WaitUpTo(1ms)`",
            Box::new(streams(Overflow::WaitUpTo(Duration::from_millis(1)))),
        ),
        ("**fanfare**, `Wait`", Box::new(streams(Overflow::Wait))),
        ("`tokio::sync::broadcast`", Box::new(tokio_broadcast)),
        (
            "`async-broadcast`, overflow on",
            Box::new(async_broadcast(true)),
        ),
        (
            "`async-broadcast`, overflow off",
            Box::new(async_broadcast(false)),
        ),
        ("an `mpsc` each, bounded, `try_send`", Box::new(bounded)),
        ("an `mpsc` each, unbounded", Box::new(unbounded)),
    ]
}

/// The middle of several runs.
struct Figures {
    a_second: f64,
    stuck_after: Option<usize>,
    kept: usize,
    most_bytes: u64,
}

fn figures(way: &Way, events: usize, fifth: Fifth, rounds: usize) -> Figures {
    let mut rates = Vec::new();
    let mut figures = Figures {
        a_second: 0.0,
        stuck_after: None,
        kept: 0,
        most_bytes: 0,
    };
    for _ in 0..rounds {
        let mut sent = None;
        let memory = measure(|| sent = Some(run(way(events, fifth))));
        let sent = sent.expect("it has run");
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        rates.push(sent.events as f64 / sent.took.as_secs_f64());
        figures.stuck_after = sent.stuck.then_some(sent.events);
        figures.kept = sent.kept;
        figures.most_bytes = figures.most_bytes.max(memory.bytes_max);
    }
    figures.a_second = median(rates);
    figures
}

fn run(way: Running) -> Sent {
    let runtime: Runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(way)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let (events, rounds) = if test {
        println!("A test run: it shows that the bench works, and its figures mean nothing.\n");
        (16 * CHUNK, 1)
    } else {
        (1_000_000_usize.next_multiple_of(CHUNK), 3)
    };
    println!(
        "{} events of 64 bytes to 4 readers, beside one that reads or one that stalls: events a second, what is kept for the stalled one, and the most memory at once\n",
        number(events as f64)
    );
    let head = [
        "",
        "beside one that reads",
        "beside a stalled one",
        "of that",
        "events kept",
        "MiB at most",
    ];
    let rows = ways().into_iter().map(|(name, way)| {
        let reads = figures(&way, events, Fifth::Reads, rounds);
        let stalls = figures(
            &way,
            events,
            Fifth::Stalls,
            if reads.stuck_after.is_some() {
                1
            } else {
                rounds
            },
        );
        let (rate, ratio) = match stalls.stuck_after {
            Some(after) => (
                format!("stops after {}", number(after as f64)),
                "0x".to_owned(),
            ),
            None => (
                number(stalls.a_second),
                times(stalls.a_second / reads.a_second),
            ),
        };
        let mib = stalls.most_bytes as f64 / f64::from(1 << 20);
        vec![
            name.to_owned(),
            number(reads.a_second),
            rate,
            ratio,
            number(stalls.kept as f64),
            format!("{mib:.2}"),
        ]
    });
    let head = vec![head.map(str::to_owned).to_vec()];
    table(&head.into_iter().chain(rows).collect::<Vec<_>>());
}
