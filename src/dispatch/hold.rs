//! Events that a listener is not called with at once: the last look before a call, and calling a listener with what it has held.
//!
//! What a listener holds is delivered by one task a listener, one event after another. Each is an emission to that listener alone, so that filter, budget, permit, panics and
//! counts are those of any other call. The task is begun by whoever resumes the listener, by the end of its pause, or else by the next look inside a runtime.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};

use super::emission::List;
use super::{Core, Emission, Pass};
use crate::event::{Envelope, Event};
use crate::listener::Payload;
use crate::outcome::{Cause, Counts, Rejection, ReportEntry, Skip};
use crate::registry::{
    Deliverer, Deliveries, Due, Entry, HeldEvent, Kept, Next, Record, Registry, Sides, Snapshot,
    Way,
};
use crate::sync::{Notify, sleep_until};

/// The last look at a listener before its call.
pub(super) struct Look<'a, E> {
    /// The listener whose filter has said yes.
    pub(super) checked: Option<&'a Arc<dyn Entry<E>>>,
    /// The number of the emission's list.
    pub(super) list: u64,
    pub(super) sides: &'a Sides,
    /// The event was held for the listener: its switch has been looked at.
    pub(super) of_held: bool,
}

impl<E: Event> Look<'_, E> {
    /// The listener of a place, or the one that took that over, and why it is not to be called with this event if it is not: a paused one may hold it.
    #[inline]
    pub(super) fn at<'a>(
        &self,
        listed: &'a Arc<dyn Entry<E>>,
        payload: &mut Payload<E>,
    ) -> (&'a Arc<dyn Entry<E>>, Option<Cause>) {
        // As in a pass: one that is not removed is the one to call.
        if listed.record().is_plain() {
            return (listed, None);
        }
        self.closely(listed, payload)
    }

    #[inline(never)]
    fn closely<'a>(
        &self,
        listed: &'a Arc<dyn Entry<E>>,
        payload: &mut Payload<E>,
    ) -> (&'a Arc<dyn Entry<E>>, Option<Cause>) {
        let mut checked = self.checked;
        loop {
            let (entry, removed) = listed.current_and_removed();
            let record = entry.record();
            if removed || record.is_spent() {
                return (entry, Some(Cause::Skipped(why_skipped(record))));
            }
            let way = if self.of_held {
                Way::Call
            } else {
                record.way()
            };
            if let Way::Skip(skip) = way {
                return (entry, Some(Cause::Skipped(skip)));
            }
            // Before it takes room: what is held is wanted.
            if !checked.is_some_and(|checked| Arc::ptr_eq(checked, entry)) {
                if let Some(cause) = entry.passes_over(payload, self.list, self.sides) {
                    return (entry, Some(cause));
                }
                checked = Some(entry);
            }
            if way == Way::Call {
                return (entry, None);
            }
            let (event, envelope) = payload.keep();
            let held = HeldEvent {
                event,
                envelope: envelope.map(Envelope::for_later),
                wanted_by: record.id,
            };
            match record.hold(&held) {
                Kept::Held => return (entry, Some(Cause::Deferred)),
                Kept::Full { limit } => {
                    return (entry, Some(Cause::Rejected(Rejection::HoldFull { limit })));
                }
                Kept::Changed => {}
            }
        }
    }
}

/// An emission that was to call `before` calls `after`, which has taken its place.
pub(super) fn called_instead<E>(before: &Arc<dyn Entry<E>>, after: &Arc<dyn Entry<E>>) {
    before.record().not_called();
    after.record().called_instead();
}

/// Why a listener that may not be called is passed over.
pub(super) fn why_skipped(record: &Record) -> Skip {
    if record.is_spent() {
        Skip::Spent
    } else {
        Skip::Removed
    }
}

/// What a signal does for listeners that hold events.
pub(crate) struct Holding<E> {
    /// Weak: the signal owns this.
    core: Weak<Core>,
    registry: Weak<Registry<E>>,
}

impl<E: Event> Holding<E> {
    pub(crate) fn new(core: &Arc<Core>, registry: &Arc<Registry<E>>) -> Self {
        Self {
            core: Arc::downgrade(core),
            registry: Arc::downgrade(registry),
        }
    }
}

impl<E: Event> Deliverer for Holding<E> {
    fn begin(&self, record: &Record) {
        let (Some(core), Some(registry)) = (self.core.upgrade(), self.registry.upgrade()) else {
            return;
        };
        let Some(runtime) = core.options.handle() else {
            return;
        };
        let snapshot = registry.snapshot();
        let mut entries = snapshot.entries.iter();
        let Some(entry) = entries.find(|entry| std::ptr::eq(entry.record(), record)) else {
            return;
        };
        // Before the task is counted on: shutdown waits for the one or finds what is held.
        let pass = (!cfg!(fanfare_plant = "held-outside")).then(|| Pass::of_begun(&core));
        match record.take_up() {
            None => {}
            Some(Due::Deliver) => {
                let task = Delivering {
                    entry: Arc::clone(entry),
                    list: None,
                    ended: false,
                    core,
                    registry,
                    pass,
                };
                runtime.spawn(task.run());
            }
            Some(Due::Wait) => {
                let task = Waiting {
                    entry: Arc::downgrade(entry),
                    ended: false,
                };
                runtime.spawn(task.run(record.pause_changed()));
            }
        }
    }

    fn lost(&self, record: &Record, events: usize, cause: &Cause) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        let mut counts = Counts::default();
        counts.add_many(cause.outcome(), events);
        core.counters.add_not_done(&counts);
        record.count(cause.outcome(), events as u64);
        if cause.outcome().is_failure() {
            for _ in 0..events {
                core.tell(&ReportEntry {
                    index: 0,
                    who: record.identity(),
                    cause: cause.clone(),
                    duration: None,
                });
            }
        }
        core.warn_of_lost(record, events, cause);
    }
}

/// The task that calls one listener with what it has held. Field order is drop order: shutdown sees it gone last.
struct Delivering<E: Event> {
    /// The listener, or the one that took its place.
    entry: Arc<dyn Entry<E>>,
    /// That listener alone.
    list: Option<Arc<Snapshot<E>>>,
    ended: bool,
    registry: Arc<Registry<E>>,
    core: Arc<Core>,
    pass: Option<Pass>,
}

impl<E: Event> Delivering<E> {
    async fn run(mut self) {
        let (core, registry) = (Arc::clone(&self.core), Arc::clone(&self.registry));
        while let Some((list, held)) = self.next() {
            let pass = self.pass.take();
            let pass = pass.unwrap_or_else(|| Pass::of_begun(&core));
            let wanted = held.wanted_by == self.entry.record().id;
            let event = held.event.downcast();
            let event = event.expect("a listener holds events of its own type");
            let mut payload = Payload::kept(event, held.envelope);
            if list.deliveries != Deliveries::None {
                payload.envelope_mut().unattended = true;
            }
            let emission = Emission::to(&core, Some(&registry), List::Kept(list), payload);
            let mut emission = emission.in_task(pass);
            // It was accepted: it waits for a permit as long as that takes.
            emission.more().admitted = true;
            emission.more().checked = wanted.then(|| Arc::clone(&self.entry));
            let mut emission = pin!(emission);
            // Whatever did not succeed has been told when it happened.
            poll_fn(|cx| emission.as_mut().poll(cx)).await;
            // Before the emission leaves: the signal is busy until all is delivered.
            self.pass = Some(Pass::of_begun(&core));
            // Listeners that are always ready must not keep the thread for ever.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// The next event, and the listener that it is for.
    fn next(&mut self) -> Option<(Arc<Snapshot<E>>, HeldEvent)> {
        loop {
            match self.entry.record().next_held() {
                Next::Event(held) => {
                    let list = self
                        .list
                        .get_or_insert_with(|| self.registry.list_of_held(&self.entry));
                    return Some((Arc::clone(list), held));
                }
                Next::Moved if self.follow() => {}
                Next::Moved | Next::End => {
                    self.ended = true;
                    return None;
                }
            }
        }
    }

    /// Goes on with the listener that has taken the place. False if there is none.
    fn follow(&mut self) -> bool {
        let Some(next) = self.entry.successor().cloned() else {
            return false;
        };
        self.entry = next;
        self.list = None;
        true
    }
}

impl<E: Event> Drop for Delivering<E> {
    /// The runtime has ended, or an event panicked as it was dropped. What is still held is not lost with it.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        while !self.entry.record().stop_delivering() {
            if !self.follow() {
                return;
            }
        }
        if std::thread::panicking() {
            self.entry.record().begin_what_is_due();
        }
    }
}

/// The task that waits for the end of a pause, after which what is held is delivered.
struct Waiting<E: Event> {
    /// Weak: a pause may last longer than the signal.
    entry: Weak<dyn Entry<E>>,
    ended: bool,
}

impl<E: Event> Waiting<E> {
    async fn run(mut self, changed: Arc<Notify>) {
        loop {
            let mut change = pin!(changed.notified());
            change.as_mut().enable();
            let Some(entry) = self.entry.upgrade() else {
                return;
            };
            let Some(until) = entry.record().waits_until() else {
                self.ended = true;
                return;
            };
            drop(entry);
            tokio::select! {
                () = sleep_until(until) => {}
                () = change => {}
            }
        }
    }
}

impl<E: Event> Drop for Waiting<E> {
    fn drop(&mut self) {
        if let (false, Some(entry)) = (self.ended, self.entry.upgrade()) {
            entry.record().stop_waiting();
        }
    }
}
