//! The way of an emission that is more than one pass: permits, stages, tasks, deadlines, and listeners that suspend.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Pass;
use super::active::Active;
use super::emission::State;
use super::hold::{Look, called_instead, why_skipped};
use super::options::{Dispatch, OnError};
use super::running::{Finished, Parked, Place, is_blocking};
use super::start::Start;
use super::tasks::{Shared, Tasks};
use super::timing::timed_if;
use super::turn::Its;
use super::watch::{Ended, Watch};
use crate::clock;
use crate::context::{Frame, Link, Loan, Outer};
use crate::event::Event;
use crate::metrics::Draw;
use crate::outcome::{Cause, Rejection, ReportEntry, Skip, catch};
use crate::pool::{Acquire, Permit};
use crate::registry::{Entry, Nth, Sides};
use crate::span::EmissionSpan;

/// What an emission has that is more than one pass. Field order is drop order: the running listeners first, then the permit, the loan of the outer listener's
/// permit, the turn, and the pass.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct More<'a, E: Event> {
    active: Active<E>,
    pub(super) permit: Option<Permit>,
    acquire: Option<Acquire>,
    pub(super) loan: Option<Loan>,
    /// The emission's turn, where events run in the order of their keys.
    pub(super) turn: Its<E>,
    /// A place that no call has suspended in yet.
    spare: Option<Parked<E>>,
    /// The listener of `next`, whose filter has said yes, while it waits for a permit.
    pub(super) checked: Option<Arc<dyn Entry<E>>>,
    /// What the emission was made in, for its tasks.
    outer: Option<Arc<Link>>,
    /// Once there are tasks, they have it.
    sides: Sides,
    pub(super) watch: Watch<'a>,
    /// The emission has had its first permit.
    pub(super) admitted: bool,
    /// The call in the emission's own place has been polled in this poll.
    pub(super) own_polled: bool,
    /// Each call of this poll is timed.
    probe: bool,
    pub(super) suspended: bool,
    /// If the emission is drawn, some of its calls are timed.
    pub(super) draw: Option<Draw>,
    pub(super) span: Option<EmissionSpan>,
    pub(super) pass: Option<Pass>,
}

impl<E: Event> Default for More<'_, E> {
    fn default() -> Self {
        Self {
            active: Active::None,
            permit: None,
            acquire: None,
            loan: None,
            turn: Its::NONE,
            spare: None,
            checked: None,
            outer: None,
            sides: Sides::default(),
            watch: Watch::default(),
            admitted: false,
            own_polled: false,
            probe: false,
            suspended: false,
            draw: None,
            span: None,
            pass: None,
        }
    }
}

impl<E: Event> More<'_, E> {
    /// The emission has its first permit from elsewhere.
    pub(super) fn admit(&mut self, permit: Permit) {
        self.permit = Some(permit);
        self.admitted = true;
    }

    /// A new poll of the emission begins, or goes on behind a pass.
    pub(super) fn rewind(&mut self, probe: bool) {
        self.probe = probe;
        if self.suspended {
            self.own_polled = false;
        }
        self.active.rewind();
    }
}

impl<E: Event> State<'_, E> {
    /// Finds the listener that this emission is made in, and refuses what may not begin.
    pub(super) fn begin(&mut self, outer: Outer<'_>) {
        let core = self.core;
        let more = self.more();
        more.loan = outer.lease().cloned().map(Loan::new);
        if core.in_tasks {
            more.outer = outer.to_link();
        }
        let limit = core.options.recursion_limit;
        if outer.depth() >= limit {
            let calls = outer.chain().filter(|call| call.signal != 0);
            let mut path: Vec<&str> = calls.map(|call| &**call.name).collect();
            path.reverse();
            path.push(&core.name);
            let path = path.join(" -> ");
            self.reject(&Rejection::RecursionLimit { limit, path });
            return;
        }
        if let Some(loan) = &mut more.loan {
            // The listeners of this emission, or those of one that they make in turn, may need permits of the very pool of the listener that waits.
            loan.lend();
        }
        if let Some(ended) = more.watch.ended(core) {
            self.pass_over_rest(&ended.cause());
            return;
        }
        // What was held has paid when it was emitted.
        let pays = !core.options.tolls.is_empty() && !self.snapshot().of_held;
        if pays {
            self.more().turn.owe();
        }
        if let Some(keyed) = &core.keyed {
            let keyed = keyed.as_any().downcast_ref();
            self.ask_for_turn(outer, keyed.expect("it is of the signal's own type"));
        }
    }

    /// Starts what may start and drives what is active, until all is done, nothing moves, or the emission is ended.
    pub(super) fn run(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        base: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        // Whoever waits for its turn has called nobody; whoever has passed over all listeners waits for none.
        let waits = !self.more().turn.is_none()
            && self.next < self.snapshot().entries.len()
            && self.poll_door(cx).is_pending();
        if !waits && self.advance(own.as_mut(), base, cx).is_ready() {
            return Poll::Ready(());
        }
        let core = self.core;
        let more = self.more();
        // A permit that was kept for the next listener is not held while that waits for those before it.
        more.permit = None;
        let ended = ready!(more.watch.poll(cx, core));
        self.cancel(own, ended);
        Poll::Ready(())
    }

    /// Starts and drives. Ready when all is done.
    #[inline]
    fn advance(
        &mut self,
        mut own: Pin<&mut Place<E>>,
        base: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let snapshot = Arc::clone(self.snapshot());
        loop {
            while let Some(entry) = snapshot.entries.get(self.next) {
                if self.stopped {
                    self.skip_rest();
                } else if self.must_wait(&own, entry)
                    || self.start(own.as_mut(), entry, base, cx).is_pending()
                {
                    break;
                }
            }
            match self.poll_active(own.as_mut(), cx) {
                Poll::Ready(Some(finished)) => self.settle(finished),
                Poll::Ready(None) if self.next >= snapshot.entries.len() => return Poll::Ready(()),
                _ => return Poll::Pending,
            }
        }
    }

    /// The next call that has ended. Ready with `None` if none runs.
    fn poll_active(
        &mut self,
        own: Pin<&mut Place<E>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Finished<E>>> {
        let core = self.core;
        let more = self.more();
        let own_runs = !own.is_free();
        let probe = more.probe.then_some(&**core);
        if own_runs && !more.own_polled {
            if let Poll::Ready(finished) = own.poll_call(cx, probe) {
                return Poll::Ready(Some(finished));
            }
            more.own_polled = true;
        }
        match more.active.poll_next(cx, probe) {
            Poll::Ready(None) if own_runs => Poll::Pending,
            next => next,
        }
    }

    /// Whether those that are active must finish before this listener starts: the barrier of stages, and the order of `Sequential`.
    fn must_wait(&mut self, own: &Pin<&mut Place<E>>, entry: &Arc<dyn Entry<E>>) -> bool {
        if own.is_free() && self.more().active.is_empty() {
            return false;
        }
        let started = &self.snapshot().entries[self.next - 1];
        self.core.options.mode() == Dispatch::Sequential
            || started.record().stage() != entry.record().stage()
    }

    /// Starts the next listener, or passes over it. Pending while it waits for a permit.
    fn start(
        &mut self,
        own: Pin<&mut Place<E>>,
        listed: &Arc<dyn Entry<E>>,
        base: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let checked = self.more().checked.take();
        let snapshot = self.snapshot();
        let (list, of_held) = (snapshot.number, snapshot.of_held);
        let more = self.more.get_or_insert_default();
        let sides = more.active.running_tasks();
        let look = Look {
            checked: checked.as_ref(),
            list,
            sides: sides.map_or(&more.sides, Tasks::sides),
            of_held,
        };
        let (entry, refusal) = look.at(listed, &mut self.payload);
        if let Some(cause) = refusal {
            self.pass_over(listed, entry, cause);
            return Poll::Ready(());
        }
        match self.poll_permit(cx) {
            Poll::Pending => {
                self.more().checked = Some(Arc::clone(entry));
                return Poll::Pending;
            }
            Poll::Ready(Err(full)) => self.reject(&full),
            Poll::Ready(Ok(())) => {
                if !Arc::ptr_eq(listed, entry) {
                    called_instead(listed, entry);
                }
                let index = self.next;
                self.next += 1;
                if self.core.in_tasks {
                    self.spawn(index, entry, base);
                } else {
                    self.start_here(own, index, entry, base, cx);
                }
            }
        }
        Poll::Ready(())
    }

    fn start_here(
        &mut self,
        own: Pin<&mut Place<E>>,
        index: usize,
        entry: &Arc<dyn Entry<E>>,
        base: &Frame<'_>,
        cx: &mut Context<'_>,
    ) {
        let snapshot = self.snapshot();
        let last = self.next == snapshot.entries.len();
        let (number, of_held) = (snapshot.number, snapshot.of_held);
        let core = self.core;
        let more = self.more.get_or_insert_default();
        let start = Start {
            core,
            index,
            entry,
            payload: &mut self.payload,
            last,
            of_held,
            permit: &mut more.permit,
            turn: more.turn.share(),
            timed_from: None,
            draw: more.draw,
            list: number,
            sides: &more.sides,
        };
        let since = more.probe.then(clock::now);
        let finished = if own.is_free() {
            more.own_polled = true;
            own.start(start, base, cx)
        } else {
            let spare = more.spare.take();
            let mut spare = spare.unwrap_or_else(|| Parked(Box::pin(Place::new())));
            let finished = spare.0.as_mut().start(start, base, cx);
            if finished.is_some() {
                more.spare = Some(spare);
            } else {
                more.active.park(spare);
            }
            finished
        };
        if let Some(since) = since {
            core.notice_poll(entry.record(), since, Nth::First);
        }
        if let Some(finished) = finished {
            self.settle(finished);
        }
    }

    fn spawn(&mut self, index: usize, entry: &Arc<dyn Entry<E>>, base: &Frame<'_>) {
        let core = self.core;
        let owned = entry.kind().owns();
        let snapshot = self.snapshot();
        let left = snapshot.entries.len() - self.next;
        let (list, of_held) = (snapshot.number, snapshot.of_held);
        let payload = match catch(|| self.payload.split(owned, left == 0)) {
            Ok(payload) => payload,
            Err(message) => return self.fail(index, entry, Cause::Panicked(message)),
        };
        let registry = self.registry.expect("nothing runs without a signal");
        let more = self.more();
        let draw = more.draw;
        let (outer, sides) = (&mut more.outer, &mut more.sides);
        let turn = more.turn.share().cloned();
        let tasks = more.active.tasks(|| {
            let handle = core.options.handle()?;
            let shared = Shared {
                core: Arc::clone(core),
                registry: Arc::clone(registry),
                outer: outer.take(),
                turn,
                turn_of: base.turn,
                list,
                sides: std::mem::take(sides),
                of_held,
                draw,
            };
            Some(Tasks::new(handle, shared, left + 1))
        });
        match tasks {
            Some(tasks) => tasks.spawn(index, entry, payload, more.permit.take()),
            None => self.fail(index, entry, Cause::Rejected(Rejection::NoRuntime)),
        }
    }

    /// Takes a permit, if the signal has a pool: the first as the pool's policy says, further ones for as long as it takes. In `Parallel` only the
    /// first is taken here; the tasks take theirs.
    fn poll_permit(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        let core = self.core;
        let Some(pool) = &core.options.pool else {
            return Poll::Ready(Ok(()));
        };
        let more = self.more();
        if more.permit.is_some() || (more.admitted && core.in_tasks) {
            return Poll::Ready(Ok(()));
        }
        if more.acquire.is_none() {
            more.permit = pool.try_acquire();
        }
        if more.permit.is_none() {
            let admitted = more.admitted;
            let drawn = core.home.meters.times(more.draw);
            let acquire = more.acquire.get_or_insert_with(|| {
                let acquire = if admitted {
                    pool.acquire()
                } else {
                    pool.admit()
                };
                timed_if(drawn, core, acquire)
            });
            let acquired = ready!(acquire.as_mut().poll(cx));
            more.acquire = None;
            match acquired {
                Ok(permit) => more.permit = Some(permit),
                Err(full) => {
                    return Poll::Ready(Err(Rejection::PoolFull {
                        size: full.size,
                        waited: full.waited,
                    }));
                }
            }
        }
        more.admitted = true;
        Poll::Ready(Ok(()))
    }

    /// Counts what came of one call.
    pub(super) fn settle(&mut self, finished: Finished<E>) {
        match finished {
            Finished::Done { stop } => {
                self.tally.done(1);
                self.stopped |= stop;
            }
            Finished::NotDone(not) => {
                if !not.called {
                    not.entry.record().not_called();
                }
                self.not_done(not.index, &not.entry, not.cause, not.duration);
            }
        }
    }

    /// Passes over the next listener, and gives up the place in the queue that it may have: nobody looks there any more, and a permit that came
    /// would be held for nothing.
    fn pass_over(&mut self, listed: &Arc<dyn Entry<E>>, entry: &Arc<dyn Entry<E>>, cause: Cause) {
        self.more().acquire = None;
        self.next += 1;
        listed.record().not_called();
        self.not_done(self.next - 1, entry, cause, None);
    }

    /// A listener is not called.
    fn fail(&mut self, index: usize, entry: &Arc<dyn Entry<E>>, cause: Cause) {
        entry.record().not_called();
        self.not_done(index, entry, cause, None);
    }

    #[cold]
    fn not_done(
        &mut self,
        index: usize,
        entry: &Arc<dyn Entry<E>>,
        cause: Cause,
        duration: Option<Duration>,
    ) {
        entry.record().not_done(&cause);
        let entry = ReportEntry {
            index,
            who: entry.record().identity(),
            cause,
            duration,
        };
        if entry.outcome().is_failure() {
            self.core.tell(&entry);
            self.stopped |= self.core.options.on_error == OnError::Stop;
        }
        self.tally.not_done(entry);
    }

    fn skip_rest(&mut self) {
        self.rest(|entry| {
            let record = entry.record();
            Cause::Skipped(if record.is_removed() || record.is_spent() {
                why_skipped(record)
            } else {
                Skip::Stopped
            })
        });
    }

    pub(super) fn reject(&mut self, rejection: &Rejection) {
        let left = self.snapshot().entries.len() - self.next;
        self.core.note_rejected(left, rejection);
        self.rest(|_| Cause::Rejected(rejection.clone()));
    }

    pub(super) fn pass_over_rest(&mut self, cause: &Cause) {
        self.rest(|_| cause.clone());
    }

    /// Passes over all listeners that have not started.
    fn rest(&mut self, cause: impl Fn(&Arc<dyn Entry<E>>) -> Cause) {
        let snapshot = Arc::clone(self.snapshot());
        while let Some(listed) = snapshot.entries.get(self.next) {
            let entry = listed.current();
            self.pass_over(listed, entry, cause(entry));
        }
    }

    /// Ends the emission early: drops the listeners that run, and passes over the rest.
    pub(super) fn cancel(&mut self, own: Pin<&mut Place<E>>, ended: Ended) {
        let mut cancelled: Vec<_> = own.cancel().into_iter().collect();
        let mut cancel = |call: &mut Parked<E>| cancelled.extend(call.0.as_mut().cancel());
        match std::mem::replace(&mut self.more().active, Active::None) {
            Active::None => {}
            Active::Few(mut few) => few.parked.iter_mut().for_each(&mut cancel),
            Active::Many(many) => many.into_iter().for_each(|mut call| cancel(&mut call)),
            Active::Tasks(tasks) => cancelled.extend(tasks.cancel()),
        }
        for (index, entry) in cancelled {
            let cause = ended.cause_of(is_blocking(&entry));
            self.not_done(index, &entry, cause, None);
        }
        self.pass_over_rest(&ended.cause());
    }
}
