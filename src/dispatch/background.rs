//! What goes on when its emission does not: calls that wait for a retry, and those of a redrive.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Core, Pass};
use crate::actor::acting_alone;
use crate::clock::{self, Instant};
use crate::context::{Frame, Lease, Outer};
use crate::event::{Call, Delivery};
use crate::listener::{Closing, Ended, Keeper, NextTurn, Rest};
use crate::outcome::{Cancellation, Cause, Flow, Skip, Verdict, catch};
use crate::pool::Acquire;
use crate::registry::{Listed, Setting};
use crate::sync::{Handle, OwnedSemaphorePermit};

/// What the calls of one listener may ask of its signal.
pub(crate) struct Keep {
    /// Weak: a failure callback may have a handle of the listener.
    core: Weak<Core>,
    /// Set once the listener is made.
    listed: OnceLock<Weak<dyn Listed>>,
}

impl Keep {
    pub(crate) fn new(core: &Arc<Core>) -> Arc<Self> {
        Arc::new(Self {
            core: Arc::downgrade(core),
            listed: OnceLock::new(),
        })
    }

    pub(crate) fn set_listed(&self, listed: &Arc<dyn Listed>) {
        let _ = self.listed.set(Arc::downgrade(listed));
    }

    fn listed(&self) -> Option<Arc<dyn Listed>> {
        self.listed.get()?.upgrade()
    }

    fn mark(&self, pass: Pass) -> Option<Mark> {
        let listed = self.listed()?;
        let roots = self.core.upgrade();
        let roots = roots.map_or_else(Vec::new, |core| Pass::of_roots(&core));
        listed.record().enter();
        Some(Mark {
            listed,
            passes: (pass, roots),
        })
    }

    fn spawn(&self, rest: Rest, delivery: &Delivery, again: Option<Ended>) -> Result<(), Rest> {
        let Some(core) = self.core.upgrade() else {
            return Err(rest);
        };
        let room = Arc::clone(&core.background).try_acquire_owned();
        let mark = self.mark(Pass::of_begun(&core));
        let parts = (room.ok(), core.options.handle(), mark);
        let (Some(room), Some(runtime), Some(mark)) = parts else {
            return Err(rest);
        };
        let call = Arc::clone(delivery.call());
        call.ask_for_span();
        let task = Background {
            core,
            call,
            began: clock::now(),
            rest: Some(rest),
            again,
            taking: None,
            acquire: None,
            mark,
            lease: Leased::default(),
            _room: room,
        };
        runtime.spawn(task.run());
        Ok(())
    }
}

impl Keeper for Keep {
    fn hold(&self) -> Option<Box<dyn Any + Send>> {
        let core = self.core.upgrade()?;
        Some(Box::new(self.mark(Pass::of_begun(&core))?))
    }

    fn run(&self, rest: Rest, delivery: &Delivery) -> Result<(), Rest> {
        self.spawn(rest, delivery, None)
    }

    fn run_again(&self, rest: Rest, delivery: &Delivery, ended: Ended) -> Result<(), Rest> {
        self.spawn(rest, delivery, Some(ended))
    }

    fn begins_again(&self) {
        if let Some(listed) = self.listed() {
            listed.record().called_again();
        }
    }

    fn runtime(&self) -> Option<Handle> {
        self.core.upgrade()?.options.handle()
    }

    fn admit(&self) -> Result<Box<dyn Any + Send>, Skip> {
        let core = self.core.upgrade().ok_or(Skip::Removed)?;
        let mark = Pass::enter(&core).and_then(|pass| self.mark(pass));
        let mark = mark.ok_or(Skip::Removed)?;
        let record = mark.listed.record();
        // Behind the mark: whoever has removed it by then waits for that, or is seen here.
        if record.is_removed() {
            return Err(Skip::Removed);
        }
        record.off().map_or_else(|| Ok(Box::new(mark) as _), Err)
    }

    fn turn(&self, delivery: &Delivery) -> Option<NextTurn> {
        let core = self.core.upgrade()?;
        core.keyed.as_ref()?.turn_of(delivery.any_event())
    }

    fn tell_late(&self, verdict: Verdict, began: Instant) {
        let parts = (self.core.upgrade(), self.listed(), verdict.into_cause());
        if let (Some(core), Some(listed), Some(cause)) = parts {
            core.tell_late(listed.record(), cause, began);
        }
    }

    fn lost_follow_ups(&self, events: usize, types: &str, why: &'static str) {
        if let (Some(core), Some(listed)) = (self.core.upgrade(), self.listed()) {
            core.lost_follow_ups(listed.record(), events, types, why);
        }
    }

    fn fell_back(&self, cause: &Cause) {
        if let (Some(core), Some(listed)) = (self.core.upgrade(), self.listed()) {
            core.fell_back(listed.record(), cause);
        }
    }

    fn closing(&self) -> Option<Closing> {
        let core = self.core.upgrade()?;
        Some(Box::pin(
            async move { core.alarmed(|core| &core.closing).await },
        ))
    }

    fn breaker_told(&self, before: &str, after: &str) {
        let Some(listed) = self.listed() else { return };
        let record = listed.record();
        if !record.is_removed() {
            let (who, before, after) = (record.identity(), before.to_owned(), after.to_owned());
            let setting = Setting::CircuitBreaker;
            record.home.changed(Some(who), setting, before, after);
        }
    }

    fn disable(&self) {
        if let Some(listed) = self.listed() {
            acting_alone(|| listed.record().disable());
        }
    }

    fn pause(&self, time: Duration) {
        if let Some(listed) = self.listed() {
            acting_alone(|| listed.record().pause(Some(time), None));
        }
    }
}

/// That a listener runs, and that its signal is busy with it.
struct Mark {
    listed: Arc<dyn Listed>,
    #[expect(dead_code, reason = "they are held")]
    passes: (Pass, Vec<Pass>),
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.listed.record().leave();
    }
}

/// The permit of a call in the background.
#[derive(Default)]
struct Leased(Option<Arc<Lease>>);

impl Drop for Leased {
    fn drop(&mut self) {
        if let Some(lease) = &self.0 {
            drop(lease.end());
        }
    }
}

/// One call in a task of its own, which nobody waits for but shutdown. Field order is drop order: whoever sees the permit free sees the mark gone.
struct Background {
    core: Arc<Core>,
    call: Arc<Call>,
    began: Instant,
    /// What runs; taken when it has ended.
    rest: Option<Rest>,
    /// Who is told of the end, if no emission has made the call and so no report says `Deferred`.
    again: Option<Ended>,
    taking: Option<Acquire>,
    acquire: Option<Acquire>,
    mark: Mark,
    lease: Leased,
    _room: OwnedSemaphorePermit,
}

impl Background {
    async fn run(mut self) {
        let core = Arc::clone(&self.core);
        let mut drained = std::pin::pin!(core.alarmed(|core| &core.drained));
        let verdict = poll_fn(|cx| {
            if let Poll::Ready(verdict) = self.poll(cx) {
                return Poll::Ready(Some(verdict));
            }
            drained.as_mut().poll(cx).map(|()| None)
        });
        match verdict.await {
            Some(verdict) => self.ended(verdict),
            None => self.cancel(Cancellation::Shutdown),
        }
    }

    /// Polls the call, on a permit if the signal has a pool.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        if let (None, Some(pool)) = (&self.lease.0, &self.core.options.pool) {
            let acquire = self.acquire.get_or_insert_with(|| pool.acquire());
            let permit = ready!(acquire.as_mut().poll(cx)).ok();
            self.acquire = None;
            self.lease.0 = permit.map(Lease::new);
        }
        if let Some(lease) = &self.lease.0 {
            ready!(lease.poll_may_run(cx, &mut self.taking));
        }
        let rest = &mut self.rest;
        let frame = frame(&self.mark, self.lease.0.as_ref());
        let panicked = |message| Verdict::not(Cause::Panicked(message));
        let polled = frame.enter(|| {
            let running = rest.as_mut().expect("it is polled until it has ended");
            let polled = catch(|| running.as_mut().poll(cx));
            let polled = polled.unwrap_or_else(|message| Poll::Ready(panicked(message)));
            let verdict = ready!(polled);
            // In its frame, where a thread that it gives up finds its permit.
            let dropped = catch(|| *rest = None);
            Poll::Ready(match (dropped, &verdict.0) {
                (Err(message), Flow::Done | Flow::Break) => panicked(message),
                _ => verdict,
            })
        });
        if let (Poll::Pending, Some(lease)) = (&polled, &self.lease.0) {
            lease.suspend();
        }
        polled
    }

    /// Ends the call where it is.
    fn cancel(&mut self, why: Cancellation) {
        let Some(rest) = self.rest.take() else { return };
        let frame = frame(&self.mark, self.lease.0.as_ref());
        let dropped = frame.enter(|| catch(|| drop(rest)));
        if let Err(message) = dropped {
            tracing::error!(listener = %self.mark.listed.record().identity(), %message, "a cancelled listener panicked while it was dropped");
        }
        self.tell(Cause::Cancelled(why));
    }

    /// It has come to its end. Counted before whoever waits for it goes on.
    fn ended(&mut self, verdict: Verdict) {
        let again = self.again.take();
        let cause = verdict.into_cause();
        match &cause {
            Some(cause) => self.tell(cause.clone()),
            // Its report has said `Deferred`, and there is no more to say.
            None => drop(self.call.take_span()),
        }
        if again.is_some() && cause.is_none() {
            self.core.home.totals.done_apart();
        }
        if let Some(ended) = again {
            ended(cause);
        }
    }

    /// What came of it, beside what the report has said. In the span of the call.
    fn tell(&self, cause: Cause) {
        let span = self.call.take_span();
        let record = self.mark.listed.record();
        if !cause.outcome().is_failure() {
            self.core.counters.add_one(cause.outcome());
            record.not_done(&cause);
        }
        span.in_scope(|| self.core.tell_late(record, cause, self.began));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.cancel(Cancellation::RuntimeEnded);
    }
}

fn frame<'a>(mark: &'a Mark, lease: Option<&'a Arc<Lease>>) -> Frame<'a> {
    Frame {
        calls: mark.listed.record(),
        place: 0.into(),
        lease,
        version: 0,
        marked: true,
        inside: true,
        turn: 0,
        depth: 1,
        outer: Outer::Nothing,
    }
}
