//! One listener in a list.

use std::any::Any;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Context;

use super::{Gate, Metadata, Record, Sides};
use crate::event::Event;
use crate::listener::{Blocked, Call, Callee, Filter, Kind, Payload, Slot, Step};
use crate::outcome::{Cause, Skip, catch};

/// One registered listener.
///
/// All of it behind one pointer, the look at its state included: a call of a plain listener is one load and one jump.
pub(crate) trait Entry<E>: Listed {
    /// Calls the listener, unless there is something to look at first: [`Step::NotPlain`]. See [`Callee::call`].
    fn call_plain(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: &mut Context<'_>) -> Step;

    /// Why the listener's filter or rollout keeps it from being called in an emission that has the list of this number, if one does. The filter is asked first: a rollout is a fraction
    /// of what the listener wants.
    fn passes_over(&self, payload: &Payload<E>, list: u64, sides: &Sides) -> Option<Cause>;

    /// Calls the listener. See [`Callee::call`].
    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step;

    /// See [`Callee::blocked`].
    fn blocked(&self) -> Option<&Blocked<E>>;

    fn kind(&self) -> Kind;

    /// See [`Callee::wants_time`].
    fn wants_time(&self) -> bool;

    fn special(&self) -> Option<&Special<E>>;

    /// The same, whatever its event type.
    fn listed(self: Arc<Self>) -> Arc<dyn Listed>;
}

/// A listener, whatever its event type.
pub(crate) trait Listed: Send + Sync {
    fn record(&self) -> &Record;

    /// What is known about it, with the counts as they were last settled.
    fn metadata(&self) -> Metadata;

    /// See [`Callee::station`].
    fn station(&self) -> Option<&(dyn Any + Send + Sync)>;
}

/// An entry with the type of its listener.
struct Registered<E, C> {
    record: Record,
    special: Option<Box<Special<E>>>,
    callee: C,
}

/// What few listeners have.
pub(crate) struct Special<E> {
    filter: Option<Filter<E>>,
    gate: Option<Gate<E>>,
    /// The listener that took this one's place. An emission that began before the swap and has not come to this entry calls the new listener, so
    /// that it sees one of the two and never neither or both.
    successor: OnceLock<Arc<dyn Entry<E>>>,
}

impl<E: Event> Special<E> {
    /// Why the filter keeps the listener from being called, if it does.
    #[inline]
    fn refuses(&self, payload: &Payload<E>) -> Option<Cause> {
        let filter = self.filter.as_ref()?;
        match catch(|| filter(payload.borrow())) {
            Ok(true) => None,
            Ok(false) => Some(Cause::Skipped(Skip::Filtered)),
            Err(message) => Some(Cause::Panicked(message)),
        }
    }
}

/// Makes an entry: as its list has it, and as its subscription does.
pub(crate) fn entry<E: Event>(
    record: Record,
    callee: impl Callee<E> + 'static,
    filter: Option<Filter<E>>,
    gate: Option<Gate<E>>,
) -> (Arc<dyn Entry<E>>, Arc<dyn Listed>) {
    if gate.is_some() {
        record.look_before_each_call();
    }
    // Only a listener with a key can be replaced.
    let special = (filter.is_some() || gate.is_some() || record.key().is_some()).then(|| {
        Box::new(Special {
            filter,
            gate,
            successor: OnceLock::new(),
        })
    });
    let entry = Arc::new(Registered {
        record,
        special,
        callee,
    });
    let listed = Arc::clone(&entry) as Arc<dyn Listed>;
    if let Some(gate) = entry.gate() {
        gate.stands_before(&listed);
    }
    (entry, listed)
}

impl<E: Event, C: Callee<E> + 'static> Entry<E> for Registered<E, C> {
    fn call_plain(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: &mut Context<'_>) -> Step {
        if self.record.is_plain() {
            return self.callee.call(call, slot, Some(cx));
        }
        self.call_if_its_filter_says_so(call, slot, cx)
    }

    fn passes_over(&self, payload: &Payload<E>, list: u64, sides: &Sides) -> Option<Cause> {
        let special = self.special.as_ref()?;
        special.refuses(payload).or_else(|| {
            let gate = special.gate.as_ref()?;
            sides.refuses(gate, list, payload.borrow())
        })
    }

    fn call(&self, call: Call<'_, E>, slot: Pin<&mut Slot>, cx: Option<&mut Context<'_>>) -> Step {
        self.callee.call(call, slot, cx)
    }

    fn blocked(&self) -> Option<&Blocked<E>> {
        self.callee.blocked()
    }

    fn kind(&self) -> Kind {
        self.callee.kind()
    }

    fn wants_time(&self) -> bool {
        self.callee.wants_time()
    }

    fn special(&self) -> Option<&Special<E>> {
        self.special.as_deref()
    }

    fn listed(self: Arc<Self>) -> Arc<dyn Listed> {
        self
    }
}

impl<E, C> Registered<E, C> {
    fn gate(&self) -> Option<&Gate<E>> {
        self.special.as_ref()?.gate.as_ref()
    }
}

impl<E: Event, C: Callee<E> + 'static> Registered<E, C> {
    /// Apart, so that what stands before the call of most listeners stays small.
    #[inline(never)]
    fn call_if_its_filter_says_so(
        &self,
        call: Call<'_, E>,
        slot: Pin<&mut Slot>,
        cx: &mut Context<'_>,
    ) -> Step {
        if !self.record.is_plain_but_for_its_filter() {
            return Step::NotPlain;
        }
        let special = self.special.as_ref();
        match special.and_then(|special| special.refuses(call.payload)) {
            Some(cause) => Step::Refused(Box::new(cause)),
            None => Entry::call(self, call, slot, Some(cx)),
        }
    }
}

impl<E: Event, C: Callee<E>> Listed for Registered<E, C> {
    fn record(&self) -> &Record {
        &self.record
    }

    fn metadata(&self) -> Metadata {
        let stack = self.callee.stack();
        let metadata = self
            .record
            .metadata(self.callee.kind(), self.callee.storage(), stack);
        Metadata {
            rollout: self.gate().map(Gate::words),
            ..metadata
        }
    }

    fn station(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.callee.station()
    }
}

impl<E> dyn Entry<E> {
    pub(super) fn set_successor(&self, successor: &Arc<Self>) {
        let special = self.special().expect("what is replaced has a key");
        let _ = special.successor.set(Arc::clone(successor));
    }

    /// The listener that has taken its place.
    pub(crate) fn successor(&self) -> Option<&Arc<Self>> {
        self.special()?.successor.get()
    }

    /// This listener, or the one that has taken its place.
    pub(crate) fn current(self: &Arc<Self>) -> &Arc<Self> {
        let mut entry = self;
        while let Some(next) = entry.successor() {
            entry = next;
        }
        entry
    }

    /// [`current`](Self::current), and whether it has been removed: for good, that is, and not by a replacement between the two looks.
    pub(crate) fn current_and_removed(self: &Arc<Self>) -> (&Arc<Self>, bool) {
        let mut entry = self.current();
        loop {
            let removed = entry.record().is_removed();
            // Whoever sees the removal finds the successor.
            let newest = entry.current();
            if !removed || Arc::ptr_eq(entry, newest) {
                return (entry, removed);
            }
            entry = newest;
        }
    }
}
