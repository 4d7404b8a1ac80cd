//! The state machine of one emission.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::active::Active;
use super::options::{Dispatch, OnError};
use super::payload::Payload;
use super::running::Finished;
use super::start::{Common, Site, Start, Started, refused, why_skipped};
use super::watch::{Ended, Watch};
use super::{Core, Pass};
use crate::clock;
use crate::context::{self, Loan};
use crate::event::Event;
use crate::outcome::{Cancellation, Cause, Rejection, Report, ReportEntry, Skip, Tally, catch};
use crate::pool::{Acquire, Permit};
use crate::registry::{Entry, Record, Snapshot};
use crate::sync::{Ordering, unique_id};

/// One emission, from the call of `emit` to its report.
///
/// Field order is drop order: the running listeners first, then the permit, the loan of the outer listener's permit, and the pass.
pub(crate) struct Emission<E> {
    active: Active,
    permit: Option<Permit>,
    acquire: Option<Acquire>,
    loan: Option<Loan>,
    phase: Phase,
    /// The next listener to start, as an index into the snapshot.
    next: usize,
    /// The listener of `next`, whose filter has said yes, while it waits for a permit.
    checked: Option<Arc<Entry<E>>>,
    /// The emission has had its first permit.
    admitted: bool,
    /// No further listener is to start.
    stopped: bool,
    /// What it means if the emission is dropped.
    if_dropped: Cancellation,
    payload: Payload<E>,
    tally: Tally,
    watch: Watch,
    snapshot: Arc<Snapshot<E>>,
    site: Site,
    _pass: Pass,
}

enum Phase {
    New,
    Running,
    /// All listeners are done; the outer listener takes its permit back before it sees the report.
    Returning,
    Finished,
}

impl<E: Event> Emission<E> {
    pub(crate) fn new(core: &Arc<Core>, snapshot: Arc<Snapshot<E>>, event: E, pass: Pass) -> Self {
        // Tasks share the event too, where a listener only borrows it.
        let shares = snapshot.shares || core.options.mode() == Dispatch::Parallel;
        Self {
            active: Active::None,
            permit: None,
            acquire: None,
            loan: None,
            phase: Phase::New,
            next: 0,
            checked: None,
            admitted: false,
            stopped: false,
            if_dropped: Cancellation::Dropped,
            payload: Payload::new(event, shares && !snapshot.entries.is_empty()),
            tally: Tally::default(),
            watch: Watch::default(),
            snapshot,
            site: Site {
                core: Arc::clone(core),
                parent: None,
                emission: 0,
            },
            _pass: pass,
        }
    }

    pub(crate) fn set_deadline(&mut self, given: Duration) {
        // A deadline beyond the clock's range is none.
        self.watch.deadline = clock::now().checked_add(given).map(|at| (at, given));
    }

    /// For an emission that has a task of its own: only the end of the runtime drops that.
    pub(crate) fn run_in_task(mut self) -> impl Future<Output = Report> {
        self.if_dropped = Cancellation::RuntimeEnded;
        async move { poll_fn(|cx| self.poll(cx)).await }
    }

    pub(crate) fn set_token(&mut self, token: CancellationToken) {
        self.watch.token = Some(token);
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Report> {
        loop {
            match self.phase {
                Phase::New => {
                    self.phase = Phase::Running;
                    self.begin();
                }
                Phase::Running => {
                    if self.run(cx).is_pending() {
                        // The listener that awaits this emission does not run meanwhile.
                        if let Some(loan) = &mut self.loan {
                            loan.lend();
                        }
                        return Poll::Pending;
                    }
                    self.close();
                    self.phase = Phase::Returning;
                }
                Phase::Returning => {
                    if let Some(loan) = &mut self.loan {
                        ready!(loan.poll_return(cx));
                    }
                    self.phase = Phase::Finished;
                    return Poll::Ready(self.tally.finish());
                }
                Phase::Finished => panic!("an emission was polled after it was ready"),
            }
        }
    }

    /// The first poll: finds the listener that this emission is made in, and refuses what may not begin.
    fn begin(&mut self) {
        let core = &self.site.core;
        core.counters.emissions.fetch_add(1, Ordering::Relaxed);
        if self.snapshot.entries.is_empty() {
            core.dead_event(core.event_type);
            return;
        }
        if self.snapshot.shares {
            self.site.emission = unique_id();
        }
        self.site.parent = context::current();
        if let Some(parent) = &self.site.parent {
            self.loan = parent.lease.clone().map(Loan::new);
            let limit = core.options.recursion_limit;
            if parent.depth >= limit {
                let mut path: Vec<&str> =
                    parent.chain().map(|call| &*call.listener.signal).collect();
                path.reverse();
                path.push(&core.name);
                let path = path.join(" -> ");
                self.reject(&Rejection::RecursionLimit { limit, path });
                return;
            }
        }
        if let Some(loan) = &mut self.loan {
            // The listeners of this emission, or those of one that they make in turn, may need permits of the very pool of the listener that waits.
            loan.lend();
        }
        if let Some(ended) = self.watch.ended(core) {
            self.cancel(ended);
        }
    }

    /// Starts what may start and drives what is active, until all is done or nothing moves.
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let snapshot = Arc::clone(&self.snapshot);
        let mut common = Common::default();
        loop {
            while let Some(entry) = snapshot.entries.get(self.next) {
                if self.stopped {
                    self.skip_rest();
                } else if self.must_wait(entry) || self.start(entry, cx, &mut common).is_pending() {
                    break;
                }
            }
            match self.active.poll_next(cx) {
                Poll::Ready(Some(finished)) => self.settle(finished),
                Poll::Ready(None) if self.next >= snapshot.entries.len() => return Poll::Ready(()),
                _ => break,
            }
        }
        // A permit that was kept for the next listener is not held while that waits for those before it.
        self.permit = None;
        let ended = ready!(self.watch.poll(cx, &self.site.core));
        self.cancel(ended);
        Poll::Ready(())
    }

    /// Whether those that are active must finish before this listener starts: the barrier of stages, and the order of `Sequential`.
    fn must_wait(&self, entry: &Entry<E>) -> bool {
        if self.active.is_empty() {
            return false;
        }
        let started = &self.snapshot.entries[self.next - 1];
        self.site.core.options.mode() == Dispatch::Sequential
            || started.record.stage != entry.record.stage
    }

    /// Starts the next listener, or passes over it. Pending while it waits for a permit.
    fn start(
        &mut self,
        entry: &Arc<Entry<E>>,
        cx: &mut Context<'_>,
        common: &mut Common,
    ) -> Poll<()> {
        let index = self.next;
        let checked = self.checked.take();
        let (entry, removed) = entry.current_and_removed();
        if removed || entry.record.is_spent() {
            let cause = Cause::Skipped(why_skipped(&entry.record));
            self.pass_over(&entry.record, cause);
            return Poll::Ready(());
        }
        if !checked.is_some_and(|checked| Arc::ptr_eq(&checked, entry)) {
            if let Some(cause) = refused(entry, &self.payload) {
                self.pass_over(&entry.record, cause);
                return Poll::Ready(());
            }
        }
        match self.poll_permit(cx) {
            Poll::Pending => {
                self.checked = Some(Arc::clone(entry));
                return Poll::Pending;
            }
            Poll::Ready(Err(full)) => self.reject(&full),
            Poll::Ready(Ok(())) => {
                self.next += 1;
                if self.site.core.options.mode() == Dispatch::Parallel {
                    self.spawn(index, entry);
                } else {
                    self.start_here(index, entry, cx, common);
                }
            }
        }
        Poll::Ready(())
    }

    fn start_here(
        &mut self,
        index: usize,
        entry: &Arc<Entry<E>>,
        cx: &mut Context<'_>,
        common: &mut Common,
    ) {
        let started = Start {
            site: &self.site,
            index,
            entry,
            payload: &mut self.payload,
            last: self.next == self.snapshot.entries.len(),
            permit: &mut self.permit,
            timed_from: None,
            common,
        }
        .run(cx);
        match started {
            Started::Finished(finished) => self.settle(finished),
            Started::Suspended(running) => self.active.here().push(running),
        }
    }

    fn spawn(&mut self, index: usize, entry: &Arc<Entry<E>>) {
        let record = &entry.record;
        let Some(handle) = self.site.core.options.handle() else {
            return self.fail(index, record, Cause::Rejected(Rejection::NoRuntime));
        };
        let owned = entry.callee.owns();
        let last = self.next == self.snapshot.entries.len();
        match catch(|| self.payload.split(owned, last)) {
            Ok(payload) => {
                let permit = self.permit.take();
                let site = self.site.clone();
                self.active
                    .tasks()
                    .spawn(&handle, site, index, Arc::clone(entry), payload, permit);
            }
            Err(message) => self.fail(index, record, Cause::Panicked(message)),
        }
    }

    /// Takes a permit, if the signal has a pool: the first as the pool's policy says, further ones for as long as it takes. In `Parallel` only the
    /// first is taken here; the tasks take theirs.
    fn poll_permit(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        let Some(pool) = &self.site.core.options.pool else {
            return Poll::Ready(Ok(()));
        };
        let in_tasks = self.site.core.options.mode() == Dispatch::Parallel;
        if self.permit.is_some() || (self.admitted && in_tasks) {
            return Poll::Ready(Ok(()));
        }
        if self.acquire.is_none() {
            self.permit = pool.try_acquire();
        }
        if self.permit.is_none() {
            let admitted = self.admitted;
            let acquire = self.acquire.get_or_insert_with(|| {
                if admitted {
                    pool.acquire()
                } else {
                    pool.admit()
                }
            });
            let acquired = ready!(acquire.as_mut().poll(cx));
            self.acquire = None;
            match acquired {
                Ok(permit) => self.permit = Some(permit),
                Err(full) => {
                    return Poll::Ready(Err(Rejection::PoolFull {
                        size: full.size,
                        waited: full.waited,
                    }));
                }
            }
        }
        self.admitted = true;
        Poll::Ready(Ok(()))
    }
}

impl<E> Emission<E> {
    /// Counts what came of one call.
    fn settle(&mut self, finished: Finished) {
        match finished {
            Finished::Done { stop } => {
                self.tally.done();
                self.stopped |= stop;
            }
            Finished::NotDone {
                index,
                record,
                cause,
                duration,
            } => self.not_done(index, &record, cause, duration),
        }
    }

    /// Passes over the next listener, and gives up the place in the queue that it may have: nobody looks there any more, and a permit that came
    /// would be held for nothing.
    fn pass_over(&mut self, record: &Record, cause: Cause) {
        self.acquire = None;
        self.next += 1;
        self.fail(self.next - 1, record, cause);
    }

    fn fail(&mut self, index: usize, record: &Record, cause: Cause) {
        self.not_done(index, record, cause, None);
    }

    fn not_done(
        &mut self,
        index: usize,
        record: &Record,
        cause: Cause,
        duration: Option<Duration>,
    ) {
        record.counters.not_done(&cause);
        let entry = ReportEntry {
            index,
            who: Arc::clone(&record.identity),
            cause,
            duration,
        };
        if entry.outcome().is_failure() {
            self.site.core.tell(&entry);
            self.stopped |= self.site.core.options.on_error == OnError::Stop;
        }
        self.tally.not_done(entry);
    }

    fn skip_rest(&mut self) {
        self.rest(|record| {
            Cause::Skipped(if record.is_removed() || record.is_spent() {
                why_skipped(record)
            } else {
                Skip::Stopped
            })
        });
    }

    fn reject(&mut self, rejection: &Rejection) {
        self.rest(|_| Cause::Rejected(rejection.clone()));
    }

    /// Passes over all listeners that have not started.
    fn rest(&mut self, cause: impl Fn(&Record) -> Cause) {
        self.acquire = None;
        let snapshot = Arc::clone(&self.snapshot);
        for (index, entry) in snapshot.entries.iter().enumerate().skip(self.next) {
            let record = &entry.current().record;
            self.fail(index, record, cause(record));
        }
        self.next = snapshot.entries.len();
    }

    /// Ends the emission early: drops the listeners that run, and passes over the rest.
    fn cancel(&mut self, ended: Ended) {
        match std::mem::replace(&mut self.active, Active::None) {
            Active::None => {}
            Active::Here(running) => {
                for call in running {
                    let cause = if call.is_blocking() {
                        ended.cause()
                    } else {
                        ended.cause_of_running()
                    };
                    let (index, record) = (call.index, Arc::clone(&call.record));
                    drop(call);
                    self.fail(index, &record, cause);
                }
            }
            Active::Tasks(tasks) => {
                for (index, record) in tasks.cancel() {
                    let blocking = record.kind == crate::listener::Kind::Blocking;
                    let cause = if blocking {
                        ended.cause()
                    } else {
                        ended.cause_of_running()
                    };
                    self.fail(index, &record, cause);
                }
            }
        }
        self.rest(|_| ended.cause());
    }

    /// Gives back what the emission holds, and counts it.
    fn close(&mut self) {
        self.permit = None;
        self.site.core.counters.add(self.tally.counts());
    }
}

impl<E> Drop for Emission<E> {
    fn drop(&mut self) {
        if matches!(self.phase, Phase::New | Phase::Running) {
            if matches!(self.phase, Phase::New) {
                self.site
                    .core
                    .counters
                    .emissions
                    .fetch_add(1, Ordering::Relaxed);
            }
            self.cancel(Ended::Cancelled(self.if_dropped));
            self.close();
        }
    }
}
