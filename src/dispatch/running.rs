//! One call of a listener while it runs, and the place where it does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::Core;
use super::start::{Start, Started};
use crate::clock::{self, Instant};
use crate::context::{Calls, Frame, Lease, Outer, within};
use crate::event::Event;
use crate::listener::{Kind, Slot, Step};
use crate::metrics::Stopwatch;
use crate::outcome::{Cause, catch};
use crate::pool::Acquire;
use crate::registry::{Entry, Nth, Record};

/// That a listener is being called beyond the poll that it began in: its in-flight mark, and the permit that it runs on. Dropping it gives both back, in that order:
/// whoever sees the permit free sees the mark gone.
pub(super) struct Occupancy<E> {
    pub(super) entry: Arc<dyn Entry<E>>,
    pub(super) lease: Option<Arc<Lease>>,
}

impl<E> Occupancy<E> {
    /// Called while the version is in hand that the poll has in which the call began.
    pub(super) fn of(entry: &Arc<dyn Entry<E>>, lease: Option<Arc<Lease>>) -> Self {
        entry.record().enter();
        Self {
            entry: Arc::clone(entry),
            lease,
        }
    }
}

impl<E> Drop for Occupancy<E> {
    fn drop(&mut self) {
        self.entry.record().leave();
        if let Some(lease) = &self.lease {
            drop(lease.end());
        }
    }
}

/// What came of one call.
pub(super) enum Finished<E> {
    /// It succeeded.
    Done {
        /// No listener that has not started is to be called.
        stop: bool,
    },
    NotDone(Box<NotDone<E>>),
}

/// What came of a call that did not succeed, apart from what is moved for each that does.
pub(super) struct NotDone<E> {
    pub(super) index: usize,
    pub(super) entry: Arc<dyn Entry<E>>,
    pub(super) cause: Cause,
    pub(super) duration: Option<Duration>,
    /// The listener was called.
    pub(super) called: bool,
}

impl<E> Finished<E> {
    /// What came of the call of the listener at `index`, which began at `started` if that is known.
    pub(super) fn called(
        index: usize,
        entry: &Arc<dyn Entry<E>>,
        step: Step,
        started: Option<Instant>,
    ) -> Self {
        match step {
            Step::Done => Self::Done { stop: false },
            Step::Break => Self::Done { stop: true },
            Step::Pending | Step::NotPlain | Step::Refused(_) => {
                unreachable!("the call has not finished")
            }
            Step::Not(cause) => Self::NotDone(Box::new(NotDone {
                index,
                entry: Arc::clone(entry),
                cause: *cause,
                duration: started.map(clock::since),
                called: true,
            })),
        }
    }

    /// The listener was not called.
    pub(super) fn not_called(index: usize, entry: &Arc<dyn Entry<E>>, cause: Cause) -> Self {
        Self::NotDone(Box::new(NotDone {
            index,
            entry: Arc::clone(entry),
            cause,
            duration: None,
            called: false,
        }))
    }
}

/// A call that has been started and has not finished; its future is in the slot beside it.
pub(super) struct Running<E> {
    pub(super) index: usize,
    pub(super) whose: Whose<E>,
    pub(super) started: Option<Instant>,
    /// Runs if the call is timed.
    pub(super) watch: Stopwatch,
    pub(super) taking: Option<Acquire>,
}

/// The listener of a call that runs.
pub(super) enum Whose<E> {
    Marked(Occupancy<E>),
    /// A blocking one: its thread has the mark and the permit until it returns.
    OnThread(Arc<dyn Entry<E>>),
}

impl<E> Running<E> {
    fn entry(&self) -> &Arc<dyn Entry<E>> {
        match &self.whose {
            Whose::Marked(occupancy) => &occupancy.entry,
            Whose::OnThread(entry) => entry,
        }
    }

    fn lease(&self) -> Option<&Arc<Lease>> {
        match &self.whose {
            Whose::Marked(occupancy) => occupancy.lease.as_ref(),
            Whose::OnThread(_) => None,
        }
    }

    /// The call is over, or cut short: if it is timed, says how long it took.
    fn note_time(&self) {
        if let (Some(began), Some(polled)) = (self.started, self.watch.polled()) {
            self.entry().record().timed(clock::since(began), polled);
        }
    }

    /// The frame of this call, in place of the emission's own.
    fn frame<'a>(&'a self, base: &Frame<'a>) -> Frame<'a> {
        Frame {
            marked: matches!(self.whose, Whose::Marked(_)),
            ..frame(self.entry().record(), self.lease(), base)
        }
    }
}

/// The frame of one call that begins, in place of that of its emission.
pub(super) fn frame<'a>(
    record: &'a Record,
    lease: Option<&'a Arc<Lease>>,
    base: &Frame<'a>,
) -> Frame<'a> {
    Frame {
        calls: record,
        place: 0.into(),
        lease,
        version: base.version,
        marked: false,
        inside: base.inside,
        turn: base.turn,
        depth: base.depth,
        outer: base.outer,
    }
}

impl Calls for Record {
    fn listener(&self, _: usize) -> u64 {
        self.id
    }

    fn signal(&self) -> u64 {
        self.home.id
    }

    fn name(&self) -> &Arc<str> {
        &self.home.name
    }
}

pin_project! {
    /// A place for one call at a time: its future, and what is known about it while it runs.
    pub(super) struct Place<E> {
        #[pin]
        slot: Slot,
        running: Option<Running<E>>,
    }

    impl<E> PinnedDrop for Place<E> {
        fn drop(this: Pin<&mut Self>) {
            let _ = this.cancel();
        }
    }
}

impl<E> Place<E> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            slot: Slot::new(),
            running: None,
        }
    }

    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.running.is_none()
    }

    #[inline]
    pub(super) fn slot(self: Pin<&mut Self>) -> Pin<&mut Slot> {
        self.project().slot
    }

    /// Keeps the call whose future has suspended in the slot.
    pub(super) fn keep(self: Pin<&mut Self>, running: Running<E>) {
        *self.project().running = Some(running);
    }

    /// Ends the call that runs here, if one does: drops its future, then gives back what it holds. Says whose it was.
    pub(super) fn cancel(self: Pin<&mut Self>) -> Option<(usize, Arc<dyn Entry<E>>)> {
        let this = self.project();
        let running = this.running.take()?;
        running.note_time();
        let dropped = within(|outer| {
            let base = Frame {
                calls: running.entry().record(),
                place: 0.into(),
                lease: None,
                version: 0,
                marked: true,
                inside: true,
                turn: 0,
                depth: outer.depth() + 1,
                outer,
            };
            running.frame(&base).enter(|| clear(this.slot))
        });
        if let Some(message) = dropped {
            // A call that is dropped has been reported as cancelled already, so a panic in the drop of its future can only be counted.
            let cause = Cause::Panicked(message);
            running.entry().record().not_done(&cause);
            let listener = running.entry().record().identity();
            tracing::error!(%listener, %cause, "a cancelled listener panicked while it was dropped");
        }
        Some((running.index, Arc::clone(running.entry())))
    }
}

impl<E: Event> Place<E> {
    /// Begins a call here. What came of it, or `None` if it has suspended and stays.
    pub(super) fn start(
        mut self: Pin<&mut Self>,
        start: Start<'_, E>,
        base: &Frame<'_>,
        cx: &mut Context<'_>,
    ) -> Option<Finished<E>> {
        match start.run(self.as_mut().slot(), base, cx) {
            Started::Finished(finished) => Some(finished),
            Started::Suspended(running) => {
                self.keep(running);
                None
            }
        }
    }

    /// Polls the call that runs here, in the frame of its emission, which the poller has entered. A panic ends the call.
    /// With a `probe`, the poll is timed.
    pub(super) fn poll_call(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        probe: Option<&Core>,
    ) -> Poll<Finished<E>> {
        let this = self.project();
        let running = this.running.as_mut();
        let running = running.expect("a call is not polled after it finished");
        let looked_at = probe.is_some() || running.watch.is_running();
        let begun = looked_at.then(clock::now);
        let mut taking = running.taking.take();
        if let Some(lease) = running.lease() {
            if lease.poll_may_run(cx, &mut taking).is_pending() {
                running.taking = taking;
                return Poll::Pending;
            }
        }
        let step = within(|outer| {
            let Outer::Frame(base) = outer else {
                unreachable!("a call is polled by its emission");
            };
            running.frame(base).enter(|| poll_slot(this.slot, cx))
        });
        let pending = matches!(step, Step::Pending);
        if let Some(begun) = begun {
            if running.watch.is_running() {
                running.watch.add(clock::since(begun));
            }
            if let Some(core) = probe {
                core.notice_poll(running.entry().record(), begun, Nth::Later);
            }
        }
        if pending {
            if let Some(lease) = running.lease() {
                lease.suspend();
            }
            return Poll::Pending;
        }
        let running = this.running.take().expect("looked at above");
        running.note_time();
        let (index, started) = (running.index, running.started);
        Poll::Ready(Finished::called(index, running.entry(), step, started))
    }
}

/// Polls the future of a call; a panic ends the call.
pub(super) fn poll_slot(mut slot: Pin<&mut Slot>, cx: &mut Context<'_>) -> Step {
    match catch(|| slot.as_mut().poll(cx)) {
        Ok(step) => step,
        Err(message) => end_panicked(slot, message),
    }
}

/// Empties the slot of a call that has panicked.
#[cold]
pub(super) fn end_panicked(slot: Pin<&mut Slot>, message: Arc<str>) -> Step {
    // What its drop may have to say in a second panic is less than what the first said.
    let _ = clear(slot);
    Step::panicked(message)
}

/// Drops what is in the slot. The message of the panic, if that panics.
fn clear(slot: Pin<&mut Slot>) -> Option<Arc<str>> {
    catch(|| slot.clear()).err()
}

/// What a call that ends early is to its emission.
pub(super) fn is_blocking<E>(entry: &Arc<dyn Entry<E>>) -> bool
where
    E: Event,
{
    entry.kind() == Kind::Blocking
}

/// A call that has a place of its own.
pub(super) struct Parked<E: Event>(pub(super) Pin<Box<Place<E>>>);

impl<E: Event> Future for Parked<E> {
    type Output = Finished<E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finished<E>> {
        self.0.as_mut().poll_call(cx, None)
    }
}
