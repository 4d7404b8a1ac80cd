//! Where the events of a derived signal come from.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use super::node::Node;
use crate::dispatch::Core;
use crate::event::Event;
use crate::outcome::Verdict;
use crate::registry::{Later, Listed};

/// Takes the events of a source, to own or only to look at.
pub(super) type Consumer<E> = Arc<dyn for<'e> Fn(Cow<'e, E>) -> Handed + Send + Sync>;

/// What came of an event that was handed on.
pub(super) enum Handed {
    Now(Verdict),
    Later(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

impl Handed {
    /// It went no further.
    pub(super) fn done() -> Self {
        Self::Now(Verdict::done())
    }
}

/// Where events come from. Connecting runs no user code.
pub(super) trait Source<E: Event>: Send + Sync {
    /// Has `consumer` called for each event, until the links are cut.
    fn connect(&self, consumer: Consumer<E>, to: Sink<'_>, links: &mut Links, later: &mut Later);

    /// The signals that the events come from in the end.
    fn roots(&self, roots: &mut Vec<Arc<Core>>);
}

/// Whose links they are.
#[derive(Clone, Copy)]
pub(super) struct Sink<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) location: &'static Location<'static>,
}

/// What holds a derived signal to its sources.
#[derive(Default)]
pub(super) struct Links {
    pub(super) listeners: Vec<Arc<dyn Listed>>,
    /// What is to end with them.
    pub(super) ends: Vec<Box<dyn FnOnce() + Send>>,
}

impl Links {
    /// Takes them out of the sources.
    pub(super) fn cut(self, later: &mut Later) {
        for listed in self.listeners {
            if let Some(host) = listed.record().home.host() {
                host.unlink(listed.record(), later);
                later.push(move || drop((host, listed)));
            }
        }
        for end in self.ends {
            later.push(end);
        }
    }

    /// Whether somebody has taken one out: a source was cleared.
    pub(super) fn are_cut(&self) -> bool {
        let mut listeners = self.listeners.iter();
        listeners.any(|listed| listed.record().is_removed())
    }
}

/// A derived signal that remembers: what is derived from it listens to it, and not to its source.
pub(super) struct OfNode<E: Event>(pub(super) Arc<Node<E>>);

impl<E: Event> Source<E> for OfNode<E> {
    fn connect(&self, consumer: Consumer<E>, to: Sink<'_>, links: &mut Links, later: &mut Later) {
        super::link::link(&self.0.signal, consumer, to, links, later);
    }

    fn roots(&self, roots: &mut Vec<Arc<Core>>) {
        self.0.source.roots(roots);
    }
}
