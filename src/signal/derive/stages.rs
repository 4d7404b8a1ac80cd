//! Stages that remember nothing: each stands in front of what comes after it, so that many of them are one listener of the source.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;

use super::source::{Consumer, Handed, Links, Sink, Source};
use super::{Derived, OneOf, Upstream};
use crate::dispatch::Core;
use crate::event::Event;
use crate::registry::Later;

/// A stage: `before` puts it in front of a consumer.
pub(super) struct Stage<E: Event, F> {
    pub(super) source: Arc<dyn Source<E>>,
    pub(super) before: F,
}

impl<E, T, F> Source<T> for Stage<E, F>
where
    E: Event,
    T: Event,
    F: Fn(Consumer<T>) -> Consumer<E> + Send + Sync,
{
    fn connect(&self, consumer: Consumer<T>, to: Sink<'_>, links: &mut Links, later: &mut Later) {
        self.source
            .connect((self.before)(consumer), to, links, later);
    }

    fn roots(&self, roots: &mut Vec<Arc<Core>>) {
        self.source.roots(roots);
    }
}

struct Merge<E: Event>(Vec<Arc<dyn Source<E>>>);

impl<E: Event> Source<E> for Merge<E> {
    fn connect(&self, consumer: Consumer<E>, to: Sink<'_>, links: &mut Links, later: &mut Later) {
        for source in &self.0 {
            source.connect(Arc::clone(&consumer), to, links, later);
        }
    }

    fn roots(&self, roots: &mut Vec<Arc<Core>>) {
        for source in &self.0 {
            source.roots(roots);
        }
    }
}

type At = &'static Location<'static>;

impl<E: Event> Upstream<E> {
    fn stage<T: Event>(
        &self,
        what: &str,
        at: At,
        before: impl Fn(Consumer<T>) -> Consumer<E> + Send + Sync + 'static,
    ) -> Derived<T> {
        let source = Arc::clone(&self.source);
        self.derive(what, at, Arc::new(Stage { source, before }))
    }

    pub(super) fn filter(
        &self,
        at: At,
        wanted: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Derived<E> {
        let wanted = Arc::new(wanted);
        self.stage("filter", at, move |next: Consumer<E>| {
            let wanted = Arc::clone(&wanted);
            Arc::new(move |event: Cow<'_, E>| {
                if wanted(&event) {
                    next(event)
                } else {
                    Handed::done()
                }
            })
        })
    }

    pub(super) fn map<T: Event>(
        &self,
        at: At,
        map: impl Fn(&E) -> T + Send + Sync + 'static,
    ) -> Derived<T> {
        let map = Arc::new(map);
        self.stage("map", at, move |next: Consumer<T>| {
            let map = Arc::clone(&map);
            Arc::new(move |event: Cow<'_, E>| next(Cow::Owned(map(&event))))
        })
    }

    pub(super) fn filter_map<T: Event>(
        &self,
        at: At,
        map: impl Fn(&E) -> Option<T> + Send + Sync + 'static,
    ) -> Derived<T> {
        self.filter_map_as("filter_map", at, map)
    }

    fn filter_map_as<T: Event>(
        &self,
        what: &str,
        at: At,
        map: impl Fn(&E) -> Option<T> + Send + Sync + 'static,
    ) -> Derived<T> {
        let map = Arc::new(map);
        self.stage(what, at, move |next: Consumer<T>| {
            let map = Arc::clone(&map);
            Arc::new(move |event: Cow<'_, E>| match map(&event) {
                Some(mapped) => next(Cow::Owned(mapped)),
                None => Handed::done(),
            })
        })
    }

    pub(super) fn inspect(&self, at: At, look: impl Fn(&E) + Send + Sync + 'static) -> Derived<E> {
        let look = Arc::new(look);
        self.stage("inspect", at, move |next: Consumer<E>| {
            let look = Arc::clone(&look);
            Arc::new(move |event: Cow<'_, E>| {
                look(&event);
                next(event)
            })
        })
    }

    pub(super) fn partition<P: OneOf>(
        &self,
        at: At,
        sort: impl Fn(&E) -> P + Send + Sync + 'static,
    ) -> P::Signals {
        let sort = Arc::new(sort);
        P::signals(&Parts {
            upstream: self,
            at,
            sort: &sort,
        })
    }

    pub(super) fn merge_all(&self, at: At, others: impl IntoIterator<Item = Self>) -> Derived<E> {
        let others = others.into_iter().map(|other| other.source);
        let sources = [Arc::clone(&self.source)].into_iter().chain(others);
        self.derive("merge", at, Arc::new(Merge(sources.collect())))
    }
}

/// What the signals of a partition are made from.
pub struct Parts<'a, E: Event, F> {
    upstream: &'a Upstream<E>,
    at: At,
    sort: &'a Arc<F>,
}

impl<E: Event, F> Parts<'_, E, F> {
    /// The signal of one part.
    pub(super) fn part<P: OneOf, T: Event>(
        &self,
        name: &str,
        take: impl Fn(P) -> Option<T> + Send + Sync + 'static,
    ) -> Derived<T>
    where
        F: Fn(&E) -> P + Send + Sync + 'static,
    {
        let sort = Arc::clone(self.sort);
        let map = move |event: &E| take(sort(event));
        self.upstream.filter_map_as(name, self.at, map)
    }
}
