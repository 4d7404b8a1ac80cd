//! A week of earthquakes through a bus.
//!
//! Reads a USGS feed (GeoJSON), turns each feature into an event, and emits it to listeners that alert, count, warn, and, one of them, panic on
//! purpose. Every figure of the table at the end comes from listeners.
//!
//! `cargo run --release --example quakes [FILE]`

#![expect(unreachable_pub, reason = "an example has no outside")]

mod feed;
mod listeners;
mod quake;
mod summary;
mod webhook;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fanfare::Bus;
use fanfare::layer::DeadLetters;
use futures::StreamExt as _;

use feed::Feed;

/// How many features are on their way at once.
const AT_ONCE: usize = 16;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/all_week.geojson"),
        PathBuf::from,
    );
    let feed = match Feed::open(&path) {
        Ok(feed) => feed,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(1);
        }
    };
    silence_panics_on_purpose();

    // Failures are in the listeners' own counts; the callback keeps them out of the log.
    let bus = Bus::builder().on_failure(|_| {}).build();
    let receiver = webhook::start().await?;
    let letters = DeadLetters::new(10_000);
    let (gathered, bar) = listeners::register(&bus, receiver, &letters)?;

    let began = Instant::now();
    futures::stream::iter(feed.entries())
        .for_each_concurrent(AT_ONCE, async |entry| {
            // A listener that fails or panics changes nothing here: the others have had the event.
            match entry {
                Ok(quake) => bus.emit(quake).await,
                Err(bad) => bus.emit(bad).await,
            };
        })
        .await;
    let took = began.elapsed();
    bar.finish_and_clear();

    let mut gathered = gathered.lock().expect("nothing panics while it gathers");
    for bad in &gathered.bad {
        eprintln!("warning: {}: {}: {}", path.display(), bad.at, bad.why);
    }
    for warning in &gathered.tsunami {
        println!("tsunami warning: {warning}");
    }
    summary::print(&mut gathered, &bus, &letters, took);
    Ok(())
}

/// The panics on purpose are counted in the table; any other is printed as ever.
fn silence_panics_on_purpose() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if !message.is_some_and(|text| text.starts_with(listeners::ON_PURPOSE)) {
            default(panic);
        }
    }));
}
