//! A week of earthquakes, faster than they can be taken, with faults injected: what an engineer on call sees of it.
//!
//! Serves `/metrics`, `/live` and `/ready` on the loopback meanwhile, and ends with what the bus says of itself: what is emitted, who listens, what fails, what is slow, what is queued, what was
//! dropped. The real Prometheus can be started beside it, and must have counted the same.
//!
//! `cargo run --features prometheus --example observed -- [--seconds N] [--prometheus] [--serve]`

#![expect(unreachable_pub, reason = "an example has no outside")]

#[path = "../quakes/feed.rs"]
mod feed;
mod monitoring;
mod night;
#[path = "../quakes/quake.rs"]
#[allow(dead_code, reason = "another example's, which uses more of it")]
mod quake;
mod scraper;
mod wiring;

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use fanfare::Bus;

use feed::Feed;
use monitoring::Monitoring;
use quake::Quake;
use scraper::Scraper;

/// So many come at once,
const BURST: usize = 400;
/// and then none for so long.
const LULL: Duration = Duration::from_millis(100);

struct Options {
    seconds: u64,
    prometheus: bool,
    serve: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!(
                "error: {why}\nusage: observed [--seconds N, 1 to 3600] [--prometheus] [--serve]"
            );
            std::process::exit(2);
        }
    };
    silence_injected_panics();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/all_week.geojson");
    let feed = Feed::open(&path)?;
    let week: Vec<Quake> = feed.entries().flatten().collect();
    let (bus, letters) = wiring::bus()?;
    let monitoring = Monitoring::start(&bus).await?;
    println!(
        "serving http://{}/metrics, /live and /ready",
        monitoring.address
    );
    let scraper = if options.prometheus {
        Some(Scraper::start(monitoring.address).await?)
    } else {
        None
    };

    let began = Instant::now();
    replay(&bus, &week, Duration::from_secs(options.seconds)).await;
    let took = began.elapsed();
    println!("\nUnder load, a moment before the end:\n");
    night::queued(&bus.snapshot());
    println!("{}", monitoring.check.health());

    // From here on no counter moves: what is left is delivered, and the rest is counted.
    let left = bus.shutdown(Duration::from_secs(20)).await;
    println!("After {:.1} s, and shut down: {left}\n", took.as_secs_f64());
    let snapshot = bus.snapshot();
    night::print(&snapshot, took);
    println!("dead letters to redrive: {}", letters.len());
    if let Some(scraper) = scraper {
        scraper.compare(&snapshot).await?;
        scraper.print_alerts().await?;
    }
    if options.serve {
        println!("serving until ctrl-c");
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

/// The week over and over, in bursts. Where there is no room the oldest is dropped, and counted.
async fn replay(bus: &Bus, week: &[Quake], time: Duration) {
    let quakes = bus.signal::<Quake>();
    let began = Instant::now();
    let mut next = week.iter().cycle();
    while began.elapsed() < time {
        for quake in next.by_ref().take(BURST) {
            drop(quakes.enqueue(quake.clone()).await);
        }
        tokio::time::sleep(LULL).await;
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seconds: 3,
        prometheus: false,
        serve: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--prometheus" => options.prometheus = true,
            "--serve" => options.serve = true,
            "--seconds" => {
                let number = arguments.next().unwrap_or_default();
                let seconds = number.parse().ok().filter(|n| (1..=3_600).contains(n));
                options.seconds = seconds.ok_or(format!("`{number}` is not from 1 to 3600"))?;
            }
            other => return Err(format!("`{other}` is no option")),
        }
    }
    Ok(options)
}

/// The panics on purpose are counted; any other is printed as ever.
fn silence_injected_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if !message.is_some_and(|text| text.starts_with("injected panic")) {
            default(panic);
        }
    }));
}
