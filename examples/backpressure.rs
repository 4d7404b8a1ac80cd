//! A week of earthquakes, read ten times faster than the listener takes them: what each policy of the buffer makes of that.
//!
//! The reader and the listener take turns by a clock that is driven by hand, so that the table is the same on every machine.
//!
//! `cargo run --example backpressure`

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use fanfare::{DropReason, EnqueueError, Overflow, Signal, SignalBuilder};
use tokio::time::sleep;

#[path = "quakes/feed.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "another example's, which uses more of it"
)]
mod feed;
#[path = "quakes/quake.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "another example's, which uses more of it"
)]
mod quake;

use feed::Feed;
use quake::Quake;

/// Room for so many.
const BUFFER: usize = 64;
/// The reader has a quake after each of these,
const READ: Duration = Duration::from_millis(100);
/// and the listener takes so long for one.
const WORK: Duration = Duration::from_secs(1);
/// How long one policy waits for room.
const LIMIT: Duration = Duration::from_millis(500);
const DAY: Duration = Duration::from_secs(86_400);

/// How the reader sends.
#[derive(Clone, Copy)]
enum Verb {
    Enqueue,
    Ready,
}

/// Sends every quake, and waits until those that were taken are delivered.
async fn read(
    builder: SignalBuilder<Quake>,
    verb: Verb,
    quakes: &[Quake],
) -> Result<Signal<Quake>, Box<dyn Error>> {
    let signal = builder.buffer(BUFFER).build();
    signal.on(async |_| sleep(WORK).await);
    for quake in quakes {
        sleep(READ).await;
        let sent = match verb {
            Verb::Enqueue => signal.enqueue(quake.clone()).await,
            Verb::Ready => signal.ready().await?.enqueue(quake.clone()),
        };
        match sent {
            // Counted by the signal. A service would answer "try again later" here.
            Ok(()) | Err(EnqueueError::Full(_) | EnqueueError::TimedOut(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    let left = signal.shutdown(DAY).await;
    assert!(left.is_clean(), "{left}");
    Ok(signal)
}

/// A line of the table, whose figures must add up.
fn report(name: &str, signal: &Signal<Quake>, quakes: usize) {
    let stats = signal.stats();
    let by = |reason| stats.dropped_by(reason);
    let dropped = [
        DropReason::Oldest,
        DropReason::Newest,
        DropReason::Superseded,
    ]
    .map(by);
    println!(
        "{name:<22} {:>9} {:>7} {:>7} {:>11} {:>11}",
        stats.emissions(),
        dropped[0],
        dropped[1],
        dropped[2],
        stats.refused()
    );
    let sum = stats.emissions() + stats.dropped() + stats.refused();
    assert_eq!(sum, quakes as u64, "each came to one end");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/all_week.geojson");
    let feed = Feed::open(&path)?;
    let quakes: Vec<Quake> = feed.entries().flatten().collect();
    println!(
        "{} quakes, ten times faster than they are taken\n",
        quakes.len()
    );
    println!(
        "{:<22} {:>9} {:>7} {:>7} {:>11} {:>11}",
        "", "delivered", "oldest", "newest", "superseded", "given back"
    );
    tokio::time::pause();

    let plain = Signal::builder;
    let enqueue = Verb::Enqueue;
    let policies = [
        ("Wait", plain(), enqueue),
        (
            "WaitUpTo 500 ms",
            plain().overflow(Overflow::WaitUpTo(LIMIT)),
            enqueue,
        ),
        ("Reject", plain().overflow(Overflow::Reject), enqueue),
        (
            "DropOldest",
            plain().overflow(Overflow::DropOldest),
            enqueue,
        ),
        (
            "DropNewest",
            plain().overflow(Overflow::DropNewest),
            enqueue,
        ),
        (
            "latest by network",
            plain().latest_by(|quake: &Quake| quake.network.clone()),
            enqueue,
        ),
        (
            "ready, DropOldest",
            plain().overflow(Overflow::DropOldest),
            Verb::Ready,
        ),
    ];
    for (name, builder, verb) in policies {
        let signal = read(builder, verb, &quakes).await?;
        report(name, &signal, quakes.len());
        if matches!(verb, Verb::Ready) {
            assert_eq!(signal.stats().emissions(), quakes.len() as u64);
        }
    }

    // What people have felt goes first, and has places that the small ones cannot take.
    let urgent = Signal::builder()
        .overflow(Overflow::DropOldest)
        .priorities(2, |quake: &Quake| usize::from(quake.felt == 0));
    let felt = quakes.iter().filter(|quake| quake.felt > 0).count();
    let lost = std::sync::Arc::new(std::sync::Mutex::new(0));
    let count = std::sync::Arc::clone(&lost);
    let urgent = urgent.on_dropped(move |quake, _| {
        *count.lock().expect("nobody panics with it") += usize::from(quake.felt > 0);
    });
    let signal = read(urgent, enqueue, &quakes).await?;
    report("2 priorities", &signal, quakes.len());
    let lost = *lost.lock().expect("nobody panics with it");
    println!("\n{felt} quakes were felt; with priorities {lost} of them were lost");
    assert_eq!(lost, 0);
    println!(
        "OK: each quake was delivered, dropped and told, or given back; who was ready lost none"
    );
    Ok(())
}
