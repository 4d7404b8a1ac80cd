//! Settings of layers and pools that are changed while they work.

mod breaker;
mod limits;
mod retry;
mod settings;
mod threads;
mod told;

use std::time::Duration;

use fanfare::{Changed, Event, Signal, SignalBuilder, Subscription};

use crate::support::Log;

const SECOND: Duration = Duration::from_secs(1);

/// A signal whose changes are noted, each as its text.
fn observed<E: Event>() -> (SignalBuilder<E>, Log<String>) {
    let log = Log::default();
    let sink = log.clone();
    let note = move |change: &Changed| sink.push(change.to_string());
    (Signal::builder().name("orders").on_change(note), log)
}

/// What the layers of a listener go by, but for those that cannot be changed.
fn layers(sub: &Subscription) -> String {
    let all = sub.metadata().layers().join(" > ");
    all.trim_end_matches(" > panic > listener").to_owned()
}
