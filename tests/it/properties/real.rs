//! The crate, as an engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{
    BoxError, Cause, Delivery, Listener, OnError, Order, Outcome, Pool, Rejection, Signal,
    Subscription, WhenFull,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::call::{Call, Verdict};
use super::program::{Kind, Program};
use super::world::{Engine, Event, Place, Summary, World};

pub(super) struct Real {
    pub(super) signals: Vec<Signal<Event>>,
    pub(super) pool: Option<Pool>,
    subscriptions: Arc<Mutex<Subscriptions>>,
}

#[derive(Default)]
struct Subscriptions {
    by_no: HashMap<usize, Subscription>,
    no_by_id: HashMap<u64, usize>,
}

impl Real {
    pub(super) fn new(program: &Program, world: &Arc<World>) -> Self {
        let pool = program.pool.as_ref().map(|plan| {
            let policy = if plan.reject {
                WhenFull::Reject
            } else {
                WhenFull::Wait
            };
            Pool::builder(plan.size).when_full(policy).build()
        });
        let subscriptions = Arc::new(Mutex::new(Subscriptions::default()));
        let signals = program.signals.iter().map(|plan| {
            let (world, known) = (Arc::downgrade(world), Arc::clone(&subscriptions));
            let mut builder = Signal::builder()
                .dispatch(plan.mode)
                .order(if plan.newest_first {
                    Order::Lifo
                } else {
                    Order::Fifo
                })
                .on_error(if plan.stop {
                    OnError::Stop
                } else {
                    OnError::Continue
                })
                .recursion_limit(plan.recursion_limit)
                .on_failure(move |failure| {
                    let no = known.lock().unwrap().no_by_id[&failure.id()];
                    if let Some(world) = world.upgrade() {
                        world.ledger().told.push((no, text(failure.cause())));
                    }
                });
            if let (true, Some(pool)) = (plan.pooled, &pool) {
                builder = builder.pool(pool.clone());
            }
            builder.build()
        });
        Self {
            signals: signals.collect(),
            pool: pool.clone(),
            subscriptions,
        }
    }

    fn subscription(&self, no: usize) -> Subscription {
        self.subscriptions.lock().unwrap().by_no[&no].clone()
    }

    /// What must be so when nothing runs any more.
    pub(super) fn check_at_rest(&self, world: &World) {
        let mut complaints = Vec::new();
        if let Some(pool) = &self.pool {
            if (pool.in_use(), pool.waiting()) != (0, 0) {
                complaints.push(format!("at rest: {pool:?}"));
            }
        }
        let mut ledger = world.ledger();
        for (no, subscription) in &self.subscriptions.lock().unwrap().by_no {
            let metadata = subscription.metadata();
            let counted = (metadata.calls(), metadata.errors(), metadata.panics());
            let seen = (
                ledger.calls_of[*no],
                ledger.errors_of[*no],
                ledger.panics_of[*no],
            );
            if counted != seen || metadata.running() != 0 {
                complaints.push(format!("{no}: {seen:?} seen, and {metadata:?}"));
            }
        }
        for (signal, emissions) in self.signals.iter().zip(&ledger.emissions) {
            let stats = signal.stats();
            if stats.emissions() != *emissions {
                complaints.push(format!("{emissions} emissions, and {stats:?}"));
            }
        }
        for (signal, outcomes) in self.signals.iter().zip(&ledger.outcomes) {
            let stats = signal.stats();
            let counted: u64 = Outcome::ALL
                .iter()
                .map(|outcome| stats.count(*outcome))
                .sum();
            if counted != *outcomes {
                complaints.push(format!("{outcomes} outcomes, and {stats:?}"));
            }
        }
        ledger.violations.extend(complaints);
    }
}

fn text(cause: &Cause) -> String {
    match cause {
        Cause::Failed(error) => format!("failed: {error}"),
        Cause::Panicked(message) => format!("panicked: {message}"),
        Cause::TimedOut(_) => "timed out".to_owned(),
        Cause::Cancelled(cancellation) => format!("cancelled: {cancellation:?}"),
        Cause::Rejected(Rejection::PoolFull { .. }) => "rejected: full".to_owned(),
        Cause::Rejected(Rejection::RecursionLimit { .. }) => "rejected: recursion".to_owned(),
        Cause::Skipped(skip) => format!("skipped: {skip:?}"),
        other => format!("{other:?}"),
    }
}

impl Engine for Real {
    fn emit(
        &self,
        signal: usize,
        event: Event,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, Summary> {
        let mut emission = self.signals[signal].emit(event);
        if let Some(limit) = deadline {
            emission = emission.timeout(limit);
        }
        emission
            .map(|report| {
                let known = self.subscriptions.lock().unwrap();
                let others = report.entries().iter();
                Summary {
                    delivered: report.delivered(),
                    others: others
                        .map(|entry| (known.no_by_id[&entry.id()], text(entry.cause())))
                        .collect(),
                }
            })
            .boxed()
    }

    fn add(&self, world: &Arc<World>, no: usize, place: &Place, replace: bool) {
        let plan = &world.program.listeners[no];
        // The ledger is not to be called back by what is dropped last.
        let (own, asked) = (Arc::downgrade(world), Arc::downgrade(world));
        let begin = move |event: &Event| {
            let world = own.upgrade().expect("the world outlives its emissions");
            Call::begin(&world, no, event)
        };
        let mut builder = self.signals[plan.signal]
            .listen()
            .stage(place.stage)
            .priority(place.priority)
            .filter(move |event: &Event| {
                let world = asked.upgrade().expect("the world outlives its emissions");
                world.wants(no, event)
            });
        if let Some(key) = &place.key {
            builder = builder.key(key.clone());
        }
        if replace {
            builder = builder.replace();
        }
        if let Some(times) = plan.times {
            builder = builder.times(times);
        }
        let subscription = match plan.kind {
            Kind::Async => builder.on(move |event: Event| begin(&event).run()),
            Kind::Shared => builder.on_shared(move |event: Arc<Event>| begin(&event).run()),
            Kind::Sync => builder.on_sync(move |event: &Event| begin(event).run_in_place()),
            Kind::Blocking => builder.on_blocking(move |event: Event| begin(&event).run_in_place()),
            Kind::Trait => builder.listener(Stateful { begin }),
            Kind::Service => builder.service(tower::service_fn(move |delivery: Delivery| {
                let call = begin(delivery.event::<Event>().expect("it is of this signal"));
                async move {
                    match call.run().await {
                        Ok(_) => Ok::<(), BoxError>(()),
                        Err(error) => Err(error.into()),
                    }
                }
            })),
        };
        let subscription = subscription.unwrap();
        let mut known = self.subscriptions.lock().unwrap();
        known.no_by_id.insert(subscription.id(), no);
        known.by_no.insert(no, subscription);
    }

    fn remove(&self, no: usize) -> bool {
        self.subscription(no).remove()
    }

    fn clear(&self, signal: usize) -> usize {
        self.signals[signal].clear()
    }

    fn members(&self, signal: usize) -> Vec<usize> {
        let listeners = self.signals[signal].listeners();
        let known = self.subscriptions.lock().unwrap();
        listeners
            .iter()
            .map(|listener| known.no_by_id[&listener.id()])
            .collect()
    }

    fn removed(&self, no: usize) -> BoxFuture<'_, ()> {
        let subscription = self.subscription(no);
        async move { subscription.removed().await }.boxed()
    }

    fn resize(&self, size: usize) {
        if let Some(pool) = &self.pool {
            pool.resize(size).unwrap();
        }
    }

    fn holds(&self, no: usize) -> Option<(bool, usize)> {
        let marked = self.subscription(no).metadata().running() > 0;
        Some((marked, self.pool.as_ref().map_or(0, Pool::in_use)))
    }
}

struct Stateful<F> {
    begin: F,
}

impl<F: Fn(&Event) -> Call + Send + Sync + 'static> Listener<Event> for Stateful<F> {
    type Output = Verdict;

    async fn handle(&self, event: Event) -> Verdict {
        (self.begin)(&event).run().await
    }
}
