//! Order by key: on a signal, on a listener, and what it must not cost the other keys.

mod emit;
mod lanes;
mod ledger;
mod listener;
mod nested;
mod options;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};

use fanfare::{ListenBuilder, Signal};

use crate::support::{Gauge, poll_once, settle};

/// An event with a key and its number among those of that key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Booking {
    pub(crate) account: u32,
    pub(crate) number: u32,
}

pub(crate) fn booking(account: u32, number: u32) -> Booking {
    Booking { account, number }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "a key is found of an event by reference"
)]
pub(crate) fn account(booking: &Booking) -> u32 {
    booking.account
}

/// A blocking listener whose first call is given up keeps the turn until its thread returns; so many of its calls run until then, once a second event of the key has come.
pub(crate) async fn a_thread_keeps_the_turn(
    signal: &Signal<Booking>,
    listen: ListenBuilder<'_, Booking>,
    running: usize,
) {
    let ledger = Ledger::default();
    let noted = ledger.clone();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let sub = listen
        .on_blocking(move |event: Booking| {
            let _entry = noted.begin(event);
            if event.number == 0 {
                held.lock().unwrap().recv().unwrap();
            }
        })
        .unwrap();
    let mut first = Box::pin(signal.emit(booking(7, 0)));
    assert!(poll_once(&mut first).is_none());
    while ledger.gauge().now() == 0 {
        tokio::task::yield_now().await;
    }
    drop(first);
    let mut second = Box::pin(signal.emit(booking(7, 1)));
    assert!(poll_once(&mut second).is_none());
    settle().await;
    assert_eq!(sub.metadata().running(), running);
    assert_eq!(ledger.of(7), [0]);
    release.send(()).unwrap();
    assert_eq!(second.await.delivered(), 1);
    assert_eq!(ledger.of(7), [0, 1]);
}

/// Notes the calls of each key: whether they come in order, and whether two of a key overlap.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<HashMap<u32, Account>>>, Gauge);

#[derive(Default)]
struct Account {
    entries: Vec<u32>,
    inside: bool,
}

impl Ledger {
    /// A call begins. It ends when the guard is dropped.
    pub(crate) fn begin(&self, booking: Booking) -> Entry {
        let mut accounts = self.0.lock().unwrap();
        let account = accounts.entry(booking.account).or_default();
        assert!(
            !std::mem::replace(&mut account.inside, true),
            "two calls of key {} overlap",
            booking.account
        );
        account.entries.push(booking.number);
        Entry(self.clone(), booking.account, self.1.enter())
    }

    /// The numbers in the order of their calls.
    pub(crate) fn of(&self, account: u32) -> Vec<u32> {
        let accounts = self.0.lock().unwrap();
        accounts
            .get(&account)
            .map_or_else(Vec::new, |account| account.entries.clone())
    }

    /// How many calls overlap.
    pub(crate) fn gauge(&self) -> &Gauge {
        &self.1
    }
}

pub(crate) struct Entry(
    Ledger,
    u32,
    #[expect(dead_code, reason = "it is held")] crate::support::Inside,
);

impl Drop for Entry {
    fn drop(&mut self) {
        let mut accounts = self.0.0.lock().unwrap();
        accounts.get_mut(&self.1).unwrap().inside = false;
    }
}
