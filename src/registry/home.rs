//! What the listeners of one signal have in common.

use std::sync::{Arc, OnceLock, Weak};

use super::Before;
use super::changed::{Changed, Setting};
use super::later::{Audience, Later};
use super::moves::Moves;
use super::record::Record;
use super::switch::Deliverer;
use crate::event::Ledger;
use crate::key::Identity;
use crate::metrics::Meters;
use crate::outcome::{Cause, catch};
use crate::sync::shard::Sum;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Notify, Ordering, unique_id};

/// What a signal does for its listeners, whatever its event type.
pub(crate) trait Host: Send + Sync {
    /// Takes a listener out. False if it is out already.
    fn remove(&self, record: &Record) -> bool;

    /// Takes a link out while a lock of the caller's is held: what is user code comes later.
    fn unlink(&self, record: &Record, later: &mut Later);

    /// Brings the counts of all listeners up to date.
    fn settle(&self);

    /// Puts a new version in the place of the newest: whoever takes it in hand sees all that was written before. Hands out those before it.
    fn renew(&self) -> Before;

    /// Makes the same listeners a new list, if `note` says so when it hears the number: nobody can have that list before.
    fn renumber(&self, note: &mut dyn FnMut(u64) -> bool);
}

/// Sees what is changed at run time.
pub(crate) type OnChange = Arc<dyn Fn(&Changed) + Send + Sync>;

/// What the listeners of one signal have in common: its name, who is calling them, and what has come of it.
pub(crate) struct Home {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    /// Woken when something ends that `removed()` or `shutdown` may wait for.
    pub(crate) quiet: Arc<Notify>,
    pub(crate) totals: Totals,
    pub(crate) meters: Arc<Meters>,
    /// Lists whose counts may not be settled for good.
    pub(super) lists: AtomicUsize,
    host: OnceLock<Weak<dyn Host>>,
    observers: OnceLock<Vec<OnChange>>,
    /// It was told that a shutdown has begun, and not yet that it has ended.
    pub(crate) end_is_to_be_told: AtomicBool,
    /// Who is told that listeners come and go, if anybody is.
    moves: OnceLock<Box<Moves>>,
    deliverer: OnceLock<Box<dyn Deliverer>>,
    /// Who links this signal to others while it has listeners, if it is derived.
    audience: OnceLock<Weak<dyn Audience>>,
}

impl Home {
    pub(crate) fn new(name: Arc<str>, meters: Meters) -> Self {
        Self {
            id: unique_id(),
            name,
            quiet: Arc::new(Notify::new()),
            totals: Totals::default(),
            meters: Arc::new(meters),
            lists: AtomicUsize::new(0),
            host: OnceLock::new(),
            observers: OnceLock::new(),
            end_is_to_be_told: AtomicBool::new(false),
            moves: OnceLock::new(),
            deliverer: OnceLock::new(),
            audience: OnceLock::new(),
        }
    }

    /// Who sees what is changed at run time.
    pub(crate) fn set_observers(&self, observers: Vec<OnChange>) {
        let _ = self.observers.set(observers);
    }

    /// Who they are, by address: signals of a bus have those of the bus among their own.
    pub(crate) fn observers(&self) -> Arc<[usize]> {
        let all = self.observers.get().into_iter().flatten();
        all.map(|it| Arc::as_ptr(it).cast::<()>().addr()).collect()
    }

    /// Who is told that listeners come and go.
    pub(crate) fn set_moves(&self, moves: Moves) {
        let _ = self.moves.set(Box::new(moves));
    }

    pub(super) fn moves(&self) -> Option<&Moves> {
        self.moves.get().map(|moves| &**moves)
    }

    /// Tells of listeners that have come and gone. Called when no lock is held.
    pub(super) fn tell_moves(&self) {
        if let Some(moves) = self.moves() {
            moves.tell();
        }
    }

    /// Who delivers what its listeners hold.
    pub(crate) fn set_deliverer(&self, deliverer: Box<dyn Deliverer>) {
        let _ = self.deliverer.set(deliverer);
    }

    /// Who sees that listeners come and go.
    pub(crate) fn set_audience(&self, audience: Weak<dyn Audience>) {
        let _ = self.audience.set(audience);
    }

    /// Listeners have come or gone, and no lock is held.
    pub(super) fn listeners_changed(&self) {
        if self.audience.get().is_some() {
            let mut later = Later::default();
            self.settle_audience(&mut later);
            later.finish();
        }
    }

    /// The same, while a lock of the caller's is held.
    pub(super) fn settle_audience(&self, later: &mut Later) {
        if let Some(audience) = self.audience.get().and_then(Weak::upgrade) {
            audience.settle(later);
            // It may be the last to have it, and what it captured is user code.
            later.push(move || drop(audience));
        }
    }

    /// See [`Deliverer::begin`].
    pub(super) fn begin(&self, record: &Record) {
        if let Some(deliverer) = self.deliverer.get() {
            deliverer.begin(record);
        }
    }

    /// See [`Deliverer::lost`].
    pub(super) fn lost(&self, record: &Record, events: usize, cause: &Cause) {
        if let Some(deliverer) = self.deliverer.get() {
            deliverer.lost(record, events, cause);
        }
    }

    /// Tells that something was changed: of a listener, or of the signal as a whole. Called when no lock is held; what has not changed is not told.
    pub(crate) fn changed(
        &self,
        listener: Option<Arc<Identity>>,
        setting: Setting,
        before: String,
        after: String,
    ) {
        if before == after {
            return;
        }
        let change = Changed::new(&self.name, listener, setting, before, after);
        tracing::info!(%change, "changed at run time");
        for observer in self.observers.get().into_iter().flatten() {
            if let Err(message) = catch(|| observer(&change)) {
                tracing::error!(signal = %self.name, %message, "an `on_change` callback panicked");
            }
        }
    }

    pub(super) fn set_host(&self, host: Weak<dyn Host>) {
        let _ = self.host.set(host);
    }

    /// The signal, while it lives.
    pub(crate) fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.get()?.upgrade()
    }

    /// Whoever is polled from here on sees all that was written before. Says what those have in hand who were polled before.
    pub(crate) fn renew(&self) -> Before {
        self.host()
            .map_or_else(Before::default, |host| host.renew())
    }
}

/// What the emissions of a signal have done, as far as it was settled.
#[derive(Default)]
pub(crate) struct Totals {
    emissions: AtomicU64,
    dead: AtomicU64,
    done: AtomicU64,
    registrations: AtomicU64,
    removals: AtomicU64,
    /// Retries and dead letters, counted by the deliveries.
    pub(crate) ledger: Arc<Ledger>,
}

impl Totals {
    pub(super) fn registered(&self, listeners: usize) {
        self.registrations
            .fetch_add(listeners as u64, Ordering::Relaxed);
    }

    /// Listeners that have been registered in all.
    pub(crate) fn registrations(&self) -> u64 {
        self.registrations.load(Ordering::Relaxed)
    }

    pub(super) fn removed(&self, listeners: usize) {
        self.removals.fetch_add(listeners as u64, Ordering::Relaxed);
    }

    /// Listeners that are gone.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Ordering::Relaxed)
    }

    /// Adds what emissions to so many listeners have done.
    pub(super) fn add(&self, sum: Sum, listeners: usize) {
        self.emissions.fetch_add(sum.begun, Ordering::Relaxed);
        self.done.fetch_add(sum.done, Ordering::Relaxed);
        if listeners == 0 {
            self.dead.fetch_add(sum.begun, Ordering::Relaxed);
        }
    }

    /// Counts a call that succeeded and that no emission made.
    pub(crate) fn done_apart(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an emission that nobody listened to, of a type that has no signal.
    pub(crate) fn dead_event(&self) {
        let begun = Sum {
            begun: 1,
            ..Sum::default()
        };
        self.add(begun, 0);
    }

    pub(crate) fn emissions(&self) -> u64 {
        self.emissions.load(Ordering::Relaxed)
    }

    /// Emissions that nobody listened to.
    pub(crate) fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// Calls that succeeded.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}
