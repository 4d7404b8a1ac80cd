//! The end of a registration: the listener becomes an entry of the list.

use std::future::Future;
use std::sync::{Arc, Weak};

use tower_service::Service;

use super::listen::{OnceMeans, Target};
use super::{ListenBuilder, Subscription};
use crate::dispatch::Keep;
use crate::error::{BoxError, OptionError};
use crate::event::{Addressee, Delivery, Event};
use crate::key::Key;
use crate::layer::{Around, Direct, Layered, Place};
use crate::listener::{Callee, Keeper, Kind, Onward, Payload};
use crate::outcome::IntoOutcome;
use crate::registry::{Budget, Insert, Listed, Record, RegisterError, Wishes, entry};
use crate::sync::{AtomicU64, unique_id};

impl<E: Event, Takes> ListenBuilder<'_, E, Takes> {
    /// Whether nothing stands around the listener.
    pub(super) fn is_plain(&self) -> bool {
        self.layers.is_empty()
    }

    /// Registers a listener with what is around it. `wants_time`: it looks at the delivery itself.
    pub(super) fn register_layered<S>(
        self,
        wants_time: bool,
        listener: impl FnOnce(Arc<dyn Keeper>) -> S,
    ) -> Result<Subscription, RegisterError>
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let follows = self.layers.follows();
        self.register_stack(wants_time, follows, listener, |layered| layered)
    }

    /// Registers a listener that takes the event alone: `direct` is how it is called where nothing but a trace stands around it, and nobody asks for spans.
    pub(super) fn register_traced<S, F, Fut>(
        self,
        direct: F,
        listener: S,
    ) -> Result<Subscription, RegisterError>
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        F: Fn(&mut Payload<E>, bool) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        let Some(detail) = self.layers.trace_alone() else {
            return self.register_layered(false, |_| listener);
        };
        self.register_stack(
            false,
            false,
            |_| listener,
            |layered| Direct::new(layered, detail, direct),
        )
    }

    /// The same. `follows`: the listener, or a layer around it, has events emitted. `finish`: what its list has.
    pub(super) fn register_stack<S, C: Callee<E> + 'static>(
        mut self,
        wants_time: bool,
        follows: bool,
        listener: impl FnOnce(Arc<dyn Keeper>) -> S,
        finish: impl FnOnce(Layered) -> C,
    ) -> Result<Subscription, RegisterError>
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let core = &self.signal().inner.core;
        let keep = Keep::new(core);
        let id = core.id;
        if self.times.is_some() && self.layers.has_retry() {
            match self.once_means {
                Some(OnceMeans::OneEvent) => {}
                Some(OnceMeans::OneAttempt) => self.layers.without(Place::Retry),
                None => {
                    return Err(OptionError::new(
                        "retry",
                        "set with `once` or `times`",
                        "say what those count with `once_means`: one event, whatever its attempts, or one attempt",
                    )
                    .into());
                }
            }
        }
        self.layers.check_for(id)?;
        self.layers.check_fallback::<E>()?;
        let onward = follows.then(|| self.onward()).transpose()?;
        let layers = std::mem::take(&mut self.layers);
        let keeper = Arc::clone(&keep) as Arc<dyn Keeper>;
        let callee = |record: &Record| {
            let around = Around {
                addressee: Addressee::new(record.identity(), &record.home.totals.ledger),
                keeper: Arc::clone(&keeper),
                wants_time,
                onward,
            };
            finish(Layered(layers.around(listener(keeper), around)))
        };
        self.enter(Kind::Service, callee, |listed| keep.set_listed(listed))
    }

    /// Registers a listener that nothing stands around.
    pub(super) fn register<C: Callee<E> + 'static>(
        self,
        kind: Kind,
        callee: impl FnOnce(&Record) -> C,
    ) -> Result<Subscription, RegisterError> {
        self.enter(kind, callee, |_| {})
    }

    fn onward(&self) -> Result<Weak<dyn Onward>, RegisterError> {
        let signal = self.signal();
        let no_bus = || RegisterError::NoBus {
            signal: signal.name().to_owned(),
        };
        signal.inner.onward().cloned().ok_or_else(no_bus)
    }

    pub(super) fn signal(&self) -> &super::Signal<E> {
        self.target.signal()
    }

    fn enter<C: Callee<E> + 'static>(
        self,
        kind: Kind,
        callee: impl FnOnce(&Record) -> C,
        made: impl FnOnce(&Arc<dyn Listed>),
    ) -> Result<Subscription, RegisterError> {
        let event_type = std::any::type_name::<E>();
        if event_type.starts_with('&') {
            return Err(RegisterError::ReferenceType { event_type });
        }
        self.check_late()?;
        let key = match &self.key {
            None => None,
            Some(text) => Some(Key::parse(text).ok_or_else(|| {
                OptionError::new("key", "\"\"", "it takes text that is not empty")
            })?),
        };
        let budget = match self.times {
            None => Budget::Unlimited,
            Some(0) => {
                return Err(OptionError::new(
                    "times",
                    0,
                    "it takes 1 or more; a listener that is not wanted is `remove`d",
                )
                .into());
            }
            Some(of) => Budget::Times {
                left: AtomicU64::new(of),
                of,
            },
        };
        let wishes = Wishes {
            key,
            priority: self.priority,
            stage: self.stage,
            budget,
            filtered: self.filter.is_some(),
        };
        let home = Arc::clone(self.signal().inner.registry.home());
        let gate = self.rollout.as_ref().map(|rollout| rollout.gate(&home));
        let gate = gate.transpose()?;
        let record = Record::new(unique_id(), self.location, home, kind, wishes);
        if let Some(limit) = self.late.hold {
            record.begin_paused(limit);
        }
        let callee = callee(&record);
        let (entry, listed) = entry(record, callee, self.filter, gate);
        // Before anybody can call it.
        made(&listed);
        let subscription = Subscription::new(listed);
        let insert = Insert {
            entry,
            replace: self.replace,
            replay: self.late.replay(),
        };
        match self.target {
            Target::Batch(batch) => batch.stage(insert),
            target => target.signal().inner.insert(&[insert])?,
        }
        Ok(subscription)
    }
}
