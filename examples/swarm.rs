//! A week of earthquakes, put through derived signals: a rolling count by region, and swarms.
//!
//! The feed is replayed as fast as it goes, oldest first, so windows are by count: the last hundred quakes for the rolling count, and the last fifty, looked at after each quake, for
//! swarms: five or more of one region among them that came within an hour of the feed's own time. Both are computed a second time by a plain loop; the example ends with an error if they
//! differ.
//!
//! `cargo run --release --example swarm [FEED]`

#[expect(unreachable_pub, reason = "they are those of the quakes example")]
#[path = "quakes/feed.rs"]
mod feed;
#[allow(
    unreachable_pub,
    dead_code,
    reason = "they are those of the quakes example"
)]
#[path = "quakes/quake.rs"]
mod quake;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{OneOf2, Signal, Window};
use feed::Feed;
use quake::Quake;

const ROLLING: usize = 100;
const RECENT: usize = 50;
const SWARM: usize = 5;
const HOUR_IN_MILLIS: i64 = 3_600_000;

/// An event: this region has had so many quakes of late.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Swarm {
    region: String,
    quakes: usize,
}

type Counts = BTreeMap<String, usize>;

fn count<'a>(quakes: impl IntoIterator<Item = &'a Quake>) -> Counts {
    let mut counts = Counts::new();
    for quake in quakes {
        *counts.entry(quake.region().to_owned()).or_default() += 1;
    }
    counts
}

/// The region of the newest quake, if there is a swarm: the others of its region that came in the hour before are enough.
fn swarm(recent: &[Quake]) -> Option<Swarm> {
    let newest = recent.last()?;
    let near = |quake: &&Quake| {
        quake.region() == newest.region() && newest.time - quake.time <= HOUR_IN_MILLIS
    };
    let quakes = recent.iter().filter(near).count();
    (quakes >= SWARM).then(|| Swarm {
        region: newest.region().to_owned(),
        quakes,
    })
}

/// What was found: the rolling counts, and the swarms.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    rolling: Vec<Counts>,
    swarms: Vec<Swarm>,
    blasts: usize,
}

async fn with_signals(quakes: &[Quake]) -> Result<Found, Box<dyn std::error::Error>> {
    let found = Arc::new(Mutex::new(Found::default()));
    let feed = Signal::<Quake>::builder().name("feed").build();
    // What people have set off is no swarm.
    let (natural, blasts) = feed.partition(|quake| match quake.kind.as_str() {
        "earthquake" => OneOf2::A(quake.clone()),
        _ => OneOf2::B(quake.magnitude),
    });
    let rolling = natural
        .window(Window::count(ROLLING))
        .map(|window| count(window.iter()));
    let swarms = natural
        .window(Window::count(RECENT).every(1))
        .filter_map(|window| swarm(window));
    let log = Arc::clone(&found);
    rolling.on_sync(move |counts| log.lock().expect("no panic").rolling.push(counts.clone()));
    let log = Arc::clone(&found);
    swarms.on_sync(move |swarm| log.lock().expect("no panic").swarms.push(swarm.clone()));
    let log = Arc::clone(&found);
    blasts.on_sync(move |_| log.lock().expect("no panic").blasts += 1);
    for quake in quakes {
        feed.emit(quake.clone()).await.into_result()?;
    }
    // The last window is not full: a shutdown gives it out.
    let left = feed.shutdown(Duration::from_secs(10)).await;
    if !left.is_clean() {
        return Err(left.to_string().into());
    }
    Ok(std::mem::take(&mut found.lock().expect("no panic")))
}

fn by_hand(quakes: &[Quake]) -> Found {
    let (natural, blasts): (Vec<Quake>, Vec<Quake>) = quakes
        .iter()
        .cloned()
        .partition(|quake| quake.kind == "earthquake");
    let recent = |n: usize| &natural[(n + 1).saturating_sub(RECENT)..=n];
    Found {
        rolling: natural.chunks(ROLLING).map(count).collect(),
        swarms: (0..natural.len())
            .filter_map(|n| swarm(recent(n)))
            .collect(),
        blasts: blasts.len(),
    }
}

fn print(quakes: usize, found: &Found) {
    let swarms = found.swarms.len();
    println!(
        "{quakes} entries of the feed, {} set off by people",
        found.blasts
    );
    println!(
        "{} windows of {ROLLING}, {swarms} quakes in a swarm\n",
        found.rolling.len()
    );
    let mut total = BTreeMap::<&str, (usize, usize, usize)>::new();
    for counts in &found.rolling {
        for (region, quakes) in counts {
            let row = total.entry(region).or_default();
            row.0 += quakes;
            row.1 = row.1.max(*quakes);
        }
    }
    for swarm in &found.swarms {
        let row = total.entry(&swarm.region).or_default();
        row.2 = row.2.max(swarm.quakes);
    }
    let mut rows: Vec<_> = total.into_iter().collect();
    rows.sort_by_key(|(region, row)| (std::cmp::Reverse(row.0), *region));
    println!("| region | quakes | most in {ROLLING} | most in a swarm |\n|---|---:|---:|---:|");
    for (region, (quakes, most, swarm)) in rows.into_iter().take(12) {
        println!("| {region} | {quakes} | {most} | {swarm} |");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let week = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/all_week.geojson"
    );
    let feed = Feed::open(&given.unwrap_or_else(|| week.into()))?;
    let entries: Vec<_> = feed.entries().collect();
    let bad = entries.iter().filter(|entry| entry.is_err()).count();
    let mut quakes: Vec<Quake> = entries.into_iter().flatten().collect();
    quakes.sort_by_key(|quake| quake.time);
    let found = with_signals(&quakes).await?;
    if found != by_hand(&quakes) {
        return Err("the derived signals and the plain loop differ".into());
    }
    print(quakes.len(), &found);
    println!("\nthe same as a plain loop over the feed finds; {bad} entries could not be read");
    Ok(())
}
