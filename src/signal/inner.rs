//! What the clones of a signal share.

use std::sync::{Arc, OnceLock, Weak};

use super::history::History;
use crate::buffer::{Buffer, DropReason, Keyed, Queue, Queued, Shape};
use crate::dispatch::{AnyKeyed, Core, Detached, Emit, Holding, Options, Order, Pass, moves};
use crate::event::Event;
use crate::keyed::{EventKey, Host};
use crate::layer::Layers;
use crate::listener::Onward;
use crate::outcome::catch;
use crate::registry::{Insert, RegisterError, Registry, SnapshotOrder};
use crate::sync::{AtomicBool, Handle, Mutex, Ordering, Semaphore};

/// Sees the events that a buffer drops.
pub(crate) type OnDropped<E> = Arc<dyn Fn(E, DropReason) + Send + Sync>;

pub(crate) struct Inner<E: Event> {
    pub(crate) core: Arc<Core>,
    pub(crate) registry: Arc<Registry<E>>,
    pub(super) buffer: Buffer<E>,
    pub(super) on_dropped: Vec<OnDropped<E>>,
    /// The last events, if the signal keeps any.
    pub(super) history: Option<Box<History<E>>>,
    /// What each listener starts from.
    pub(crate) layers: Layers,
    /// One permit for each detached emission that may still be started.
    pub(super) max_detached: Arc<Semaphore>,
    /// The runtime that delivers buffered events.
    pub(super) home: Mutex<Option<Handle>>,
    warned_of_leak: AtomicBool,
    /// The bus that the signal is of, if it is of one.
    onward: OnceLock<Weak<dyn Onward>>,
}

impl<E: Event> Inner<E> {
    pub(crate) fn new(
        name: Arc<str>,
        mut options: Options,
        layers: Layers,
        on_dropped: Vec<OnDropped<E>>,
        keyed: Option<EventKey<E>>,
        mut shape: Shape<E>,
    ) -> Arc<Self> {
        options.spans = layers.spans();
        let order = match options.order {
            Order::Fifo => SnapshotOrder::OldestFirst,
            Order::Lifo => SnapshotOrder::NewestFirst,
        };
        let registry = Registry::new(name, order, options.meters());
        registry.home().set_observers(options.on_change.clone());
        let name = &registry.home().name;
        if let Some(moves) = moves(name, options.mode(), &options.on_lifecycle) {
            registry.home().set_moves(moves);
        }
        shape.meters = Some(Arc::clone(&registry.home().meters));
        let history = options.replay.map(|most| Box::new(History::new(most)));
        let keyed = keyed.map(|key| {
            let lanes = options
                .pool
                .clone()
                .expect("where keys have lines, there are lanes");
            Keyed::new(key, &shape, lanes)
        });
        let buffer = match &keyed {
            Some(keyed) => Buffer::Keyed(Arc::clone(keyed)),
            None => Buffer::Queue(Box::new(Queue::new(shape, options.enqueue_concurrency))),
        };
        let max_detached = Arc::new(Semaphore::new(options.max_detached));
        let home = Mutex::new(options.runtime.clone());
        let mut core = Core::new(registry.home(), std::any::type_name::<E>(), options);
        core.keyed = keyed.clone().map(|keyed| keyed as Arc<dyn AnyKeyed>);
        let core = Arc::new(core);
        core.home.meters.follow(&core);
        let holding = Holding::new(&core, &registry);
        registry.home().set_deliverer(Box::new(holding));
        let inner = Arc::new(Self {
            buffer,
            on_dropped,
            history,
            layers,
            max_detached,
            home,
            warned_of_leak: AtomicBool::new(false),
            onward: OnceLock::new(),
            core,
            registry,
        });
        if let Some(keyed) = keyed {
            let host: Weak<dyn Host<Queued<E>>> =
                Arc::downgrade(&(Arc::clone(&inner) as Arc<dyn Host<Queued<E>>>));
            keyed.lines().set_host(host);
        }
        inner
    }

    /// Says which bus the signal is of, before anybody has it.
    pub(crate) fn set_onward(&self, bus: Weak<dyn Onward>) {
        let _ = self.onward.set(bus);
    }

    pub(super) fn onward(&self) -> Option<&Weak<dyn Onward>> {
        self.onward.get()
    }

    #[inline(always)]
    pub(crate) fn emit(&self, event: E) -> Emit<'_, E> {
        // The emission is made where it will be polled, which takes that it is made in one place here.
        let number = match &self.history {
            None => self.registry.number(),
            Some(history) => self.number_kept(history, &event),
        };
        Emit::numbered(&self.core, &self.registry, number, event)
    }

    /// An emission that was let in, for a task of its own.
    pub(super) fn detached(&self, event: E, pass: Pass) -> Detached<E> {
        let newest = || self.registry.snapshot();
        let list = match &self.history {
            None => newest(),
            // It was let in: it is kept whether the signal is open or not.
            Some(history) => history.keep(&event, &self.core.name, newest),
        };
        Detached::new(&self.core, &self.registry, list, event, pass)
    }

    pub(super) fn insert(&self, inserts: &[Insert<E>]) -> Result<(), RegisterError> {
        let room = self.core.options.buffer;
        let listeners = self.insert_with_kept(inserts, |kept| Self::replay(inserts, room, kept))?;
        for insert in inserts.iter().filter(|insert| insert.replay.is_some()) {
            insert.entry.record().begin_what_is_due();
        }
        let most = self.core.options.max_listeners;
        if listeners > most && !self.warned_of_leak.swap(true, Ordering::Relaxed) {
            let location = inserts.last().map(|insert| insert.entry.record().location);
            tracing::warn!(
                signal = %self.core.name,
                listeners,
                max_listeners = most,
                location = location.map(tracing::field::display),
                "more listeners than expected: a leak, or raise `max_listeners`"
            );
        }
        Ok(())
    }

    /// Counts a dropped event, and shows it to the callbacks.
    pub(super) fn dropped(&self, event: E, reason: DropReason) {
        let count = &self.core.counters.dropped[reason as usize];
        count.fetch_add(1, Ordering::Relaxed);
        show_dropped(&self.on_dropped, event, reason, &self.core.name);
    }
}

/// Tells of a dropped event, and shows it to the callbacks. Each but the last gets a clone.
pub(super) fn show_dropped<E: Event>(
    callbacks: &[OnDropped<E>],
    event: E,
    reason: DropReason,
    signal: &str,
) {
    tracing::debug!(signal, count = 1, %reason, "an event was dropped");
    let tell = |shown: Result<(), Arc<str>>| {
        if let Err(message) = shown {
            tracing::error!(signal, %message, "an event that was dropped, or its `on_dropped` callback, panicked");
        }
    };
    let Some((last, others)) = callbacks.split_last() else {
        return tell(catch(|| drop(event)));
    };
    for callback in others {
        tell(catch(|| callback(event.clone(), reason)));
    }
    tell(catch(|| last(event, reason)));
}

impl<E: Event> Drop for Inner<E> {
    fn drop(&mut self) {
        // No drain is left that would deliver it: there was no runtime for one.
        self.drop_pending(DropReason::Released);
    }
}
