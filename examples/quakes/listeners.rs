//! The listeners. What they gather is all that the summary knows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fanfare::layer::{DeadLetter, DeadLetters, Decision, FailurePolicy, Retry};
use fanfare::{Bus, RegisterError};
use indicatif::{ProgressBar, ProgressStyle};

use crate::quake::{BadEntry, Quake};

/// From here on a quake is worth an alert.
pub const SIGNIFICANT: f64 = 4.5;

/// How the panics begin that a listener here makes on purpose.
pub const ON_PURPOSE: &str = "odd input";

/// What the listeners have gathered.
#[derive(Default)]
pub struct Gathered {
    pub read: u64,
    pub felt: u64,
    pub significant: u64,
    pub alerts_again: u64,
    pub deepest: f64,
    pub kinds: BTreeMap<String, u64>,
    pub networks: BTreeMap<String, u64>,
    pub regions: BTreeMap<String, u64>,
    pub tsunami: Vec<String>,
    pub bad: Vec<BadEntry>,
    pub alerts: Vec<Duration>,
}

pub type Shared = Arc<Mutex<Gathered>>;

/// Registers all of them. What alerts and depth give up on goes to the letters.
pub fn register(
    bus: &Bus,
    receiver: SocketAddr,
    letters: &DeadLetters,
) -> Result<(Shared, ProgressBar), RegisterError> {
    let shared = Shared::default();
    statistics(bus, &shared)?;
    warnings(bus, &shared)?;
    alerts(bus, &shared, receiver, letters)?;
    depth(bus, &shared, letters)?;
    let bar = progress(bus)?;
    Ok((shared, bar))
}

/// Changes what was gathered. Nothing panics under the lock.
fn gather(shared: &Shared, change: impl FnOnce(&mut Gathered)) {
    change(&mut shared.lock().expect("nothing panics while it gathers"));
}

fn statistics(bus: &Bus, shared: &Shared) -> Result<(), RegisterError> {
    let to = Arc::clone(shared);
    bus.listen::<Quake>()
        .key("statistics")
        .on_sync(move |quake| {
            gather(&to, |g| {
                g.read += 1;
                g.felt += quake.felt;
                *g.kinds.entry(quake.kind.clone()).or_default() += 1;
                *g.networks.entry(quake.network.clone()).or_default() += 1;
                *g.regions.entry(quake.region().to_owned()).or_default() += 1;
            });
        })?;
    let to = Arc::clone(shared);
    bus.listen::<BadEntry>()
        .key("bad entries")
        .on(async move |bad| {
            gather(&to, |g| {
                g.read += 1;
                g.bad.push(bad);
            });
        })?;
    Ok(())
}

fn warnings(bus: &Bus, shared: &Shared) -> Result<(), RegisterError> {
    let to = Arc::clone(shared);
    bus.listen::<Quake>()
        .key("tsunami")
        .filter(|quake| quake.tsunami)
        .on(async move |quake| {
            let warning = format!("magnitude {:.1}, {}", quake.magnitude, quake.place);
            gather(&to, |g| g.tsunami.push(warning));
        })?;
    Ok(())
}

/// Sends significant quakes to the receiver: again, if it is busy; not again, if it does not want them. That is a failure of this listener, and of no other.
fn alerts(
    bus: &Bus,
    shared: &Shared,
    receiver: SocketAddr,
    letters: &DeadLetters,
) -> Result<(), RegisterError> {
    let client = reqwest::Client::new();
    let to = Arc::clone(shared);
    let unwanted = |error: &reqwest::Error| {
        let is_unwanted = error.status()?.is_client_error();
        is_unwanted.then_some(Decision::GiveUp)
    };
    bus.listen::<Quake>()
        .key("alert")
        .filter(|quake| quake.magnitude >= SIGNIFICANT)
        .dead_letter(DeadLetter::keep(letters))
        .retry(Retry::exponential().first(Duration::from_millis(5)))
        .timeout(Duration::from_secs(5))
        .failure_policy(FailurePolicy::new().on_error(unwanted))
        .with_delivery()
        .try_on(async move |quake, delivery| {
            // Each attempt comes here.
            gather(&to, |g| match delivery.attempt() {
                1 => g.significant += 1,
                _ => g.alerts_again += 1,
            });
            let sent = Instant::now();
            let request = client
                .post(format!("http://{receiver}/alerts"))
                .json(&quake);
            request.send().await?.error_for_status()?;
            gather(&to, |g| g.alerts.push(sent.elapsed()));
            Ok(())
        })?;
    Ok(())
}

/// Takes a depth above the ground for a bug, and panics. Whoever mends it finds the quakes in the letters.
fn depth(bus: &Bus, shared: &Shared, letters: &DeadLetters) -> Result<(), RegisterError> {
    let to = Arc::clone(shared);
    bus.listen::<Quake>()
        .key("depth")
        .dead_letter(DeadLetter::keep(letters))
        .on(async move |quake| {
            assert!(
                quake.depth >= 0.0,
                "{ON_PURPOSE}: {} is {} km above the ground",
                quake.id,
                -quake.depth,
            );
            gather(&to, |g| g.deepest = g.deepest.max(quake.depth));
        })?;
    Ok(())
}

/// A bar where a person watches; nothing in a pipe.
fn progress(bus: &Bus) -> Result<ProgressBar, RegisterError> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} features, {per_sec}") {
        bar.set_style(style);
    }
    let count = bar.clone();
    bus.listen::<Quake>()
        .key("progress")
        .stage(1)
        .on_sync(move |_| count.inc(1))?;
    Ok(bar)
}
