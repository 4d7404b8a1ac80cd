//! What a chain of derived signals costs: `cargo bench --bench compose` prints it as Markdown.
//!
//! The chain is `filter`, `map`, `filter_map`, `inspect`, `map`, to one listener that adds up; nine events in ten come through the filter. It is compared with the same five steps by hand in one
//! listener, by hand without a bus, and with the adapters of `futures::StreamExt` over an unbounded channel whose events one task sends and takes. Rounds of all ways take turns; the
//! figure is the middle one of the rounds.

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fanfare::{Derived, Signal};
use futures::channel::mpsc;
use futures::{FutureExt as _, StreamExt as _};
use support::args::is_test;
use support::print::{median, number, table, times};
use tokio::runtime::Builder;

#[derive(Clone, Copy)]
struct Sample {
    number: u64,
    value: u64,
}

/// What the listener adds up, and what is counted on the way.
#[derive(Default)]
struct Sums {
    seen: AtomicU64,
    sum: AtomicU64,
}

impl Sums {
    fn add(&self, value: u64) {
        let sum = self.sum.load(Ordering::Relaxed);
        self.sum.store(black_box(sum + value), Ordering::Relaxed);
    }

    fn look(&self, value: u64) {
        black_box(value);
        let seen = self.seen.load(Ordering::Relaxed);
        self.seen.store(seen + 1, Ordering::Relaxed);
    }

    /// Checks a round, so that no way leaves out what the others do.
    fn take(&self) -> (u64, u64) {
        let take = |of: &AtomicU64| of.swap(0, Ordering::Relaxed);
        (take(&self.seen), take(&self.sum))
    }
}

fn sample(number: u64) -> Sample {
    black_box(Sample {
        number,
        value: number & 0xff,
    })
}

fn wanted(sample: &Sample) -> bool {
    sample.number % 10 != 0
}

fn value(sample: &Sample) -> u64 {
    sample.value * 3
}

fn halved(value: u64) -> Option<u64> {
    (value != 3).then_some(value / 2)
}

fn shifted(value: u64) -> u64 {
    value + 1
}

fn by_hand(sample: &Sample, sums: &Sums) {
    if wanted(sample) {
        if let Some(half) = halved(value(sample)) {
            sums.look(half);
            sums.add(shifted(half));
        }
    }
}

fn chain(signal: &Signal<Sample>, sums: &Arc<Sums>) -> Derived<u64> {
    let looks = Arc::clone(sums);
    signal
        .filter(wanted)
        .map(value)
        .filter_map(|value| halved(*value))
        .inspect(move |value| looks.look(*value))
        .map(|value| shifted(*value))
}

struct Way {
    name: &'static str,
    /// Whether its events come to the sums.
    delivers: bool,
    nanos: Vec<f64>,
}

async fn emitted(signal: &Signal<Sample>, events: u64) {
    for number in 0..events {
        let _ = black_box(signal.emit(sample(number)).await);
    }
}

fn streamed(sums: &Sums, events: u64) {
    let (sender, receiver) = mpsc::unbounded();
    let chain = receiver
        .filter(|sample| std::future::ready(wanted(sample)))
        .map(|sample| value(&sample))
        .filter_map(|value| std::future::ready(halved(value)))
        .inspect(|value| sums.look(*value))
        .map(shifted);
    let mut chain = std::pin::pin!(chain);
    for number in 0..events {
        let sent = sender.unbounded_send(sample(number));
        sent.expect("it is open");
        if let Some(Some(value)) = chain.next().now_or_never() {
            sums.add(value);
        }
    }
}

fn main() {
    let (events, rounds) = if is_test() {
        (1_000, 2)
    } else {
        (1_000_000, 11)
    };
    let sums = Arc::new(Sums::default());
    let [bare, idle, derived, borrows, listener, owns] = [(); 6].map(|()| Signal::<Sample>::new());
    let _nobody = chain(&idle, &Arc::default());
    let all = chain(&derived, &sums);
    let total = Arc::clone(&sums);
    all.on_sync(move |value| total.add(*value));
    let total = Arc::clone(&sums);
    borrows.on_sync(move |sample| by_hand(sample, &total));
    let suspends = chain(&listener, &sums);
    let total = Arc::clone(&sums);
    suspends.on(move |value| {
        total.add(value);
        std::future::ready(())
    });
    let total = Arc::clone(&sums);
    owns.on(move |sample| {
        by_hand(&sample, &total);
        std::future::ready(())
    });
    let mut ways = [
        ("an emission that nobody listens to", false),
        ("**a chain that nobody listens to**", false),
        ("by hand, without a signal", true),
        ("by hand, in one `on_sync` listener", true),
        ("by hand, in one `on` listener", true),
        ("**five derived signals**, an `on_sync` listener", true),
        ("**five derived signals**, an `on` listener", true),
        ("five adapters of `StreamExt` over a channel", true),
    ]
    .map(|(name, delivers)| Way {
        name,
        delivers,
        nanos: Vec::new(),
    });
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    (0..events).for_each(|number| by_hand(&sample(number), &sums));
    let expected = sums.take();
    for _ in 0..rounds {
        for (n, way) in ways.iter_mut().enumerate() {
            let began = Instant::now();
            runtime.block_on(async {
                match n {
                    0 => emitted(&bare, events).await,
                    1 => emitted(&idle, events).await,
                    2 => (0..events).for_each(|number| by_hand(&sample(number), &sums)),
                    3 => emitted(&borrows, events).await,
                    4 => emitted(&owns, events).await,
                    5 => emitted(&derived, events).await,
                    6 => emitted(&listener, events).await,
                    _ => streamed(&sums, events),
                }
            });
            way.nanos.push(nanos(began, events));
            let came = sums.take();
            assert_eq!(
                came,
                if way.delivers { expected } else { (0, 0) },
                "{}",
                way.name
            );
        }
    }
    print(ways, events);
}

fn print<const N: usize>(ways: [Way; N], events: u64) {
    let figures = ways.map(|way| (way.name, median(way.nanos)));
    let (nobody, chain) = (figures[0].1, figures[5].1);
    println!("Nanoseconds an event, the middle of several rounds of {events} events.\n");
    let head = [
        "",
        "ns an event",
        "against an emission that nobody listens to",
        "against the chain with `on_sync`",
    ];
    let rows = figures.iter().map(|(name, nanos)| {
        let ratios = [nobody, chain].map(|other| times(nanos / other));
        [vec![(*name).to_owned(), number(*nanos)], ratios.to_vec()].concat()
    });
    let head = vec![head.map(str::to_owned).to_vec()];
    table(&head.into_iter().chain(rows).collect::<Vec<_>>());
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn nanos(began: Instant, events: u64) -> f64 {
    began.elapsed().as_nanos() as f64 / events as f64
}
