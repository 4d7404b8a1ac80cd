//! Order by key: `cargo bench --bench keyed` prints it as Markdown.
//!
//! 1,000,000 events over 10,000 keys, each key in order, one attempt in a thousand fails and is made again a millisecond later. Three ways to do it: a signal with `keyed_by`, one actor (a
//! task with a channel) a key, and one queue for all keys. A ledger looks at the order of every attempt and the number of events; a run that breaks it ends the bench.

mod support;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use fanfare::Signal;
use fanfare::layer::Retry;
use support::args::is_test;
use support::print::{median, number, table, times};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const KEYS: u32 = 10_000;
const BUFFER: usize = 65_536;
const MAILBOX: usize = 64;
const LANES: usize = 64;
const WAIT: Duration = Duration::from_millis(1);
/// One attempt in so many fails.
const FAILING: u32 = 1_000;

#[derive(Clone, Copy)]
struct Event {
    key: u32,
    /// Its place among those of its key.
    number: u32,
    /// Its first attempt fails.
    fails: bool,
}

/// What each key expects next.
struct Ledger {
    next: Vec<AtomicU32>,
    /// The number whose first attempt has failed, and one more.
    failed: Vec<AtomicU32>,
}

impl Ledger {
    fn new() -> Arc<Self> {
        let zeros = || (0..KEYS).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self {
            next: zeros(),
            failed: zeros(),
        })
    }

    /// One attempt, in the order of the key, or the bench ends.
    fn attempt(&self, event: Event) -> Result<(), &'static str> {
        let key = event.key as usize;
        let next = self.next[key].load(Ordering::Relaxed);
        assert_eq!(next, event.number, "key {key} is out of order");
        if event.fails && self.failed[key].swap(event.number + 1, Ordering::Relaxed) <= event.number
        {
            return Err("down");
        }
        self.next[key].store(next + 1, Ordering::Relaxed);
        Ok(())
    }

    fn check(&self, events: &[Event]) {
        let done: usize = self
            .next
            .iter()
            .map(|next| next.load(Ordering::Relaxed) as usize)
            .sum();
        assert_eq!(done, events.len(), "events were lost or doubled");
    }
}

/// A listener by hand: the attempt, and another after a wait.
async fn attempts(ledger: &Ledger, event: Event) {
    while ledger.attempt(event).is_err() {
        tokio::time::sleep(WAIT).await;
    }
}

async fn with_signal(events: Arc<[Event]>, ledger: Arc<Ledger>) {
    let signal = Signal::<Event>::builder()
        .keyed_by(|event: &Event| event.key)
        .lanes(LANES)
        .buffer(BUFFER)
        .build();
    signal
        .listen()
        .retry(Retry::constant(WAIT).jitter(0.0).max_attempts(10))
        .on(async move |event| ledger.attempt(event))
        .expect("it makes sense");
    for event in &*events {
        let _ = signal.enqueue(*event).await;
    }
    assert!(signal.shutdown(Duration::from_secs(600)).await.is_clean());
    assert_eq!(signal.active_keys(), 0);
}

async fn with_actors(events: Arc<[Event]>, ledger: Arc<Ledger>) {
    let mut actors = HashMap::new();
    let mut tasks = JoinSet::new();
    for event in &*events {
        let mailbox = actors.entry(event.key).or_insert_with(|| {
            let (mailbox, mut events) = mpsc::channel::<Event>(MAILBOX);
            let ledger = Arc::clone(&ledger);
            tasks.spawn(async move {
                while let Some(event) = events.recv().await {
                    attempts(&ledger, event).await;
                }
            });
            mailbox
        });
        mailbox.send(*event).await.expect("the actor lives");
    }
    drop(actors);
    while tasks.join_next().await.is_some() {}
}

async fn with_one_queue(events: Arc<[Event]>, ledger: Arc<Ledger>) {
    let (queue, mut queued) = mpsc::channel::<Event>(BUFFER);
    let worker = tokio::spawn(async move {
        while let Some(event) = queued.recv().await {
            attempts(&ledger, event).await;
        }
    });
    for event in &*events {
        queue.send(*event).await.expect("the worker lives");
    }
    drop(queue);
    worker.await.expect("the worker has not panicked");
}

/// Events whose keys are drawn, each key as likely as any other or by Zipf's law: the nth key n times less often than the first.
fn draw(events: usize, zipf: bool) -> Arc<[Event]> {
    let mut dice = fastrand::Rng::with_seed(7);
    let weight = |key: u32| if zipf { 1.0 / f64::from(key + 1) } else { 1.0 };
    let mut sum = 0.0;
    let up_to: Vec<f64> = (0..KEYS)
        .map(|key| {
            sum += weight(key);
            sum
        })
        .collect();
    let mut numbers = vec![0; KEYS as usize];
    (0..events)
        .map(|_| {
            let drawn = dice.f64() * sum;
            let key = up_to.partition_point(|up_to| *up_to <= drawn);
            let key = key.min(KEYS as usize - 1);
            numbers[key] += 1;
            Event {
                key: u32::try_from(key).expect("a small number"),
                number: numbers[key] - 1,
                fails: dice.u32(0..FAILING) == 0,
            }
        })
        .collect()
}

struct Figures {
    one_thread: Vec<f64>,
    two_threads: Vec<f64>,
    most_bytes: u64,
}

struct Bench {
    events: Arc<[Event]>,
    one: Runtime,
    two: Runtime,
    rounds: usize,
}

impl Bench {
    /// The middle of several runs.
    fn figures<F, Fut>(&self, way: F) -> Figures
    where
        F: Fn(Arc<[Event]>, Arc<Ledger>) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let mut figures = Figures {
            one_thread: Vec::new(),
            two_threads: Vec::new(),
            most_bytes: 0,
        };
        for _ in 0..self.rounds {
            let ledger = Ledger::new();
            let run = way(Arc::clone(&self.events), Arc::clone(&ledger));
            let began = Instant::now();
            // The counts are those of this thread, which is all that there is.
            let memory = measure(|| self.one.block_on(run));
            figures.one_thread.push(self.a_second(began));
            figures.most_bytes = figures.most_bytes.max(memory.bytes_max);
            ledger.check(&self.events);

            let ledger = Ledger::new();
            let run = way(Arc::clone(&self.events), Arc::clone(&ledger));
            let began = Instant::now();
            let task = self.two.spawn(run);
            self.two.block_on(task).expect("the order holds");
            figures.two_threads.push(self.a_second(began));
            ledger.check(&self.events);
        }
        figures
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn a_second(&self, began: Instant) -> f64 {
        self.events.len() as f64 / began.elapsed().as_secs_f64()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn main() {
    let (events, rounds) = if is_test() {
        (20_000, 1)
    } else {
        (1_000_000, 3)
    };
    let runtime = |mut builder: Builder| builder.enable_all().build().expect("a runtime");
    for (name, zipf) in [
        ("every key as likely as any other", false),
        ("keys by Zipf's law", true),
    ] {
        let bench = Bench {
            events: draw(events, zipf),
            one: runtime(Builder::new_current_thread()),
            two: {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(2);
                runtime(builder)
            },
            rounds,
        };
        println!(
            "{} events over {} keys, {name}: events a second, and the most memory at once\n",
            number(events as f64),
            number(f64::from(KEYS))
        );
        let all = [
            ("`keyed_by`, 64 lanes", bench.figures(with_signal)),
            ("an actor a key", bench.figures(with_actors)),
            ("one queue", bench.figures(with_one_queue)),
        ];
        let head = [
            "",
            "1 thread",
            "2 threads",
            "`keyed_by` against it",
            "MiB at most",
        ];
        let own = median(all[0].1.two_threads.clone());
        let rows = all.iter().map(|(name, figures)| {
            let two = median(figures.two_threads.clone());
            vec![
                (*name).to_owned(),
                number(median(figures.one_thread.clone())),
                number(two),
                times(own / two),
                number(figures.most_bytes as f64 / f64::from(1 << 20)),
            ]
        });
        let head = vec![head.map(str::to_owned).to_vec()];
        table(&head.into_iter().chain(rows).collect::<Vec<_>>());
    }
}
