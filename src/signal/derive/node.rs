//! What the handles of a derived signal share: its listeners, and the links to its source while it has any.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::{Arc, Weak};

use super::source::{Consumer, Handed, Links, Sink, Source};
use crate::dispatch::{Core, DeadEvents, Options};
use crate::event::Event;
use crate::layer::Layers;
use crate::outcome::{Report, Verdict};
use crate::registry::{Audience, Later};
use crate::signal::{Inner, Signal};
use crate::sync::{AtomicU64, Mutex};

pub(super) struct Node<E: Event> {
    /// Its listeners.
    pub(super) signal: Signal<E>,
    pub(super) source: Arc<dyn Source<E>>,
    /// Whether it remembers: what is derived from it is to see what its listeners see.
    pub(super) remembers: bool,
    /// Events that it has kept back.
    pub(super) held_back: Arc<AtomicU64>,
    location: &'static Location<'static>,
    /// Locked from a derived signal up to its sources, never the other way.
    links: Mutex<Option<Links>>,
}

/// What a node is made of beside its source.
pub(super) struct Making<'a> {
    pub(super) name: String,
    /// Whose options it inherits.
    pub(super) like: &'a Core,
    pub(super) remembers: bool,
    pub(super) held_back: Arc<AtomicU64>,
    pub(super) location: &'static Location<'static>,
}

impl<E: Event> Node<E> {
    pub(super) fn new(source: Arc<dyn Source<E>>, making: Making<'_>) -> Arc<Self> {
        let options = inherited(&making.like.options);
        let shape = options.shape();
        let (name, layers) = (making.name.into(), Layers::default());
        let signal = Signal {
            inner: Inner::new(name, options, layers, Vec::new(), None, shape),
        };
        let mut roots = Vec::new();
        source.roots(&mut roots);
        signal.inner.core.set_roots(roots);
        let node = Arc::new(Self {
            signal,
            source,
            remembers: making.remembers,
            held_back: making.held_back,
            location: making.location,
            links: Mutex::new(None),
        });
        let audience: Weak<dyn Audience> =
            Arc::downgrade(&(Arc::clone(&node) as Arc<dyn Audience>));
        node.signal.inner.registry.home().set_audience(audience);
        node
    }

    /// Gives an event to the listeners.
    fn consumer(&self) -> Consumer<E> {
        let inner = Arc::clone(&self.signal.inner);
        Arc::new(move |event: Cow<'_, E>| hand_out(&inner, event))
    }
}

/// The options of the source, but for how much is measured, what is of its buffer, of what it keeps and of its keys, and but for its limits, which its own emission has passed: an event of a key comes when the one before it is done, all that is derived included.
fn inherited(options: &Options) -> Options {
    let own_lanes = options.own_lanes;
    Options {
        pool: options.pool.clone().filter(|_| !own_lanes),
        own_lanes: false,
        // By the bus: its source may be set to another level later.
        level: None,
        buffer: 1,
        enqueue_concurrency: 1,
        marks: None,
        replay: None,
        tolls: Vec::new(),
        dead_events: DeadEvents::Ignore,
        ..options.clone()
    }
}

fn hand_out<E: Event>(inner: &Arc<Inner<E>>, event: Cow<'_, E>) -> Handed {
    if inner.registry.hold().snapshot.entries.is_empty() {
        return Handed::done();
    }
    let (inner, event) = (Arc::clone(inner), event.into_owned());
    Handed::Later(Box::pin(async move { verdict(inner.emit(event).await) }))
}

fn verdict(report: Report) -> Verdict {
    match report.into_result() {
        Ok(_) => Verdict::done(),
        Err(error) => Verdict::failed(error),
    }
}

impl<E: Event> Audience for Node<E> {
    fn settle(&self, later: &mut Later) {
        let look = || self.signal.inner.registry.snapshot();
        #[cfg(fanfare_plant = "links-settled-unlocked")]
        let listeners = look();
        let mut links = self.links.lock();
        // Looked at under the lock, so that the last to settle sees the last change. It may be the last to have the list, which is user code to drop.
        #[cfg(not(fanfare_plant = "links-settled-unlocked"))]
        let listeners = look();
        let wanted = !listeners.entries.is_empty();
        later.push(move || drop(listeners));
        if let Some(cut) = links.take_if(|links| !wanted || links.are_cut()) {
            cut.cut(later);
        }
        if wanted && links.is_none() {
            let to = Sink {
                core: &self.signal.inner.core,
                location: self.location,
            };
            let links = links.insert(Links::default());
            self.source.connect(self.consumer(), to, links, later);
        }
    }
}

impl<E: Event> Drop for Node<E> {
    fn drop(&mut self) {
        let links = self.links.lock().take();
        let Some(links) = links else { return };
        let listeners = self.signal.len();
        if listeners > 0 {
            let core = &self.signal.inner.core;
            core.warn_of_released(listeners, self.location);
        }
        let mut later = Later::default();
        links.cut(&mut later);
        later.finish();
    }
}
