//! Derived signals: what comes through, when they are linked, and what becomes of what they hold.

mod laws;
mod links;
mod shutdown;
mod stages;
mod streams;
mod timed;
mod windows;

use fanfare::{Derived, Event, Windowed};

use crate::support::Log;

/// What a derived signal gives out.
fn record<E: Event>(derived: &Derived<E>) -> Log<E> {
    let log = Log::default();
    let seen = log.clone();
    derived.on_sync(move |event: &E| seen.push(event.clone()));
    log
}

/// The events of the windows, and what they missed.
fn record_windows<E: Event>(windows: &Derived<Windowed<E>>) -> Log<(Vec<E>, u64)> {
    let log = Log::default();
    let seen = log.clone();
    windows.on_sync(move |window: &Windowed<E>| seen.push((window.to_vec(), window.missed())));
    log
}
