//! Webhooks to receivers that are slow, flaky, busy or down: one listener with a whole failure policy around it.
//!
//! Starts seven receivers on the loopback, sends hooks to all of them at once, lets the receivers recover, and gives the dead letters back. Every event is
//! delivered or a dead letter: the example counts at both ends, and ends with an error if a sum does not come out.
//!
//! `cargo run --release --example webhooks [HOOKS PER HOST] [SEED]`

#![expect(unreachable_pub, reason = "an example has no outside")]

mod hook;
mod receiver;
mod sender;
mod summary;

use std::error::Error;
use std::time::Instant;

use fanfare::Bus;
use futures::StreamExt as _;

use hook::{HOSTS, Hook};
use receiver::Receivers;
use summary::{Run, Sent};

/// How many dead letters are given back a second.
const REDRIVE_RATE: u32 = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (hooks, seed) = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("error: {why}\nusage: webhooks [HOOKS PER HOST, from 1 to 1000] [SEED]");
            std::process::exit(2);
        }
    };
    let receivers = Receivers::start(seed).await?;
    // What fails is in the table; the callback keeps it out of the log.
    let bus = Bus::builder().on_failure(|_| {}).build();
    let sender = sender::register(&bus, seed)?;

    let began = Instant::now();
    let all = Hook::all(hooks, seed, |host| receivers.url(host));
    let emitted = all.len();
    let sent = send(&bus, all).await;
    let dead = sender.letters.letters();
    let at_receivers = receivers.counts();

    // The receivers are well again. Those that are gone for good said so, and stay dead.
    receivers.recover();
    let redriven = sender
        .letters
        .redrive()
        .filter(|letter| !sender::is_gone(letter))
        .rate(REDRIVE_RATE)
        .await;

    let run = Run {
        emitted,
        sent,
        dead,
        at_receivers,
        redriven,
        at_receivers_at_last: receivers.counts(),
        took: began.elapsed(),
    };
    run.print(&sender);
    let wrong = run.check(&sender);
    for wrong in &wrong {
        eprintln!("error: {wrong}");
    }
    if !wrong.is_empty() {
        std::process::exit(1);
    }
    println!("delivered and dead letters are all that was emitted, before and after");
    Ok(())
}

/// Emits all of them at once, and says what came of it.
async fn send(bus: &Bus, hooks: Vec<Hook>) -> Sent {
    let emissions = futures::stream::iter(hooks).map(async |hook: Hook| {
        let (id, host) = (hook.id, hook.host);
        let report = bus.emit(hook).await;
        (id, host, report.delivered() == 1)
    });
    let results = emissions.buffer_unordered(HOSTS.len() * 1_000);
    results.collect().await
}

fn options() -> Result<(u64, u64), String> {
    let mut options = std::env::args().skip(1);
    let mut number = |name: &str, default: u64| match options.next() {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| format!("{name} is a number, and `{text}` is none")),
    };
    let (hooks, seed) = (number("HOOKS PER HOST", 40)?, number("SEED", 8)?);
    if !(1..=1_000).contains(&hooks) {
        return Err(format!("{hooks} hooks per host are not from 1 to 1000"));
    }
    match options.next() {
        None => Ok((hooks, seed)),
        Some(more) => Err(format!("`{more}` is one option too many")),
    }
}
