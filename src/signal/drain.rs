//! Delivering what is in the buffer.
//!
//! A drain is a task that emits buffered events until there are none. It is started by the push that needs it, so an idle signal has no task. It runs
//! on the builder's runtime, or the one of the first call inside one. When that runtime ends, the drain is dropped with it: what was pending is
//! reported, and the next call starts anew on its own runtime.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::Inner;
use crate::buffer::{Buffer, Drains, DropReason, Due, Keyed, Pushed, Queue, Queued};
use crate::dispatch::Pass;
use crate::event::Event;
use crate::keyed::{Host, Turn};
use crate::sync::{AtomicU32, Handle, Ordering};

impl<E: Event> Inner<E> {
    /// Counts an event that the buffer took, shows what it dropped for it, and starts a drain if one is wanted.
    pub(super) fn accept(self: &Arc<Self>, pushed: Pushed<E>) {
        let newest = matches!(pushed.dropped, Some((_, DropReason::Newest)));
        if !newest {
            self.core.counters.enqueued.fetch_add(1, Ordering::Relaxed);
        }
        // First, since it is counted: what is dropped is the user's code.
        if pushed.start_drain {
            self.start_drain();
        }
        if let Some((event, reason)) = pushed.dropped {
            self.dropped(event, reason);
        }
    }

    /// Sees to it that pending events are being delivered. False if there is no runtime to do it on.
    pub(super) fn deliver_pending(self: &Arc<Self>) -> bool {
        while self.buffer.begin_drain() {
            if !self.start_drain() {
                return false;
            }
        }
        true
    }

    /// Starts a drain that the buffer has counted. False, and the count is taken back, if there is no runtime: the events wait for a call inside one.
    fn start_drain(self: &Arc<Self>) -> bool {
        let mut ended = None;
        while let Some(handle) = self.home(ended.as_ref()) {
            let birth = Arc::new(Birth::default());
            let drain = Drain {
                inner: Arc::clone(self),
                birth: Arc::clone(&birth),
                state: State::Unpolled,
            };
            handle.spawn(drain.run());
            if birth.spawned() {
                return true;
            }
            self.forget_home(&handle);
            ended = Some(handle);
        }
        self.buffer.end_drain(Drains::Looking);
        false
    }

    /// The runtime to deliver on: the one that was settled on, or else the one that this code runs in, unless it is known to have ended.
    fn home(&self, ended: Option<&Handle>) -> Option<Handle> {
        let mut home = self.home.lock();
        if home.is_none() {
            *home = Handle::try_current()
                .ok()
                .filter(|now| ended.is_none_or(|ended| ended.id() != now.id()));
        }
        home.clone()
    }

    /// True if there is none now.
    fn forget_home(&self, ended: &Handle) -> bool {
        let mut home = self.home.lock();
        if home.as_ref().is_some_and(|home| home.id() == ended.id()) {
            *home = None;
        }
        home.is_none()
    }

    /// Takes out what is pending and reports it as dropped.
    pub(super) fn drop_pending(&self, reason: DropReason) -> usize {
        let pending = self.buffer.take_all();
        let events = pending.len();
        for event in pending {
            self.dropped(event, reason);
        }
        if events > 0 {
            self.core.warn_of_dropped(events, reason);
        }
        events
    }
}

/// Whether a runtime took a task. One that has ended drops the task inside `spawn`, before that returns.
#[derive(Default)]
struct Birth(AtomicU32);

const SPAWNING: u32 = 0;
const SPAWNED: u32 = 1;
const REFUSED: u32 = 2;

impl Birth {
    fn spawned(&self) -> bool {
        self.settle(SPAWNED)
    }

    fn refused(&self) -> bool {
        self.settle(REFUSED)
    }

    /// True for the one that comes first. `AcqRel`: the loser sees what the winner did before.
    fn settle(&self, state: u32) -> bool {
        self.0
            .compare_exchange(SPAWNING, state, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

enum State {
    Unpolled,
    Running(Drains),
    Finished,
}

struct Drain<E: Event> {
    inner: Arc<Inner<E>>,
    birth: Arc<Birth>,
    state: State,
}

impl<E: Event> Drain<E> {
    async fn run(mut self) {
        let inner = Arc::clone(&self.inner);
        match &inner.buffer {
            Buffer::Queue(queue) => self.run_queue(queue).await,
            Buffer::Keyed(keyed) => self.run_keyed(keyed).await,
        }
        self.state = State::Finished;
    }

    async fn run_queue(&mut self, queue: &Queue<E>) {
        self.state = State::Running(Drains::Emitting);
        while let Some(event) = queue.pop_or_end_drain() {
            let pass = Pass::of_begun(&self.inner.core);
            // Whatever did not succeed has been told when it happened.
            self.inner.detached(event, pass).run().await;
            // Listeners that are always ready must not keep the thread for ever.
            tokio::task::coop::consume_budget().await;
        }
    }

    async fn run_keyed(&mut self, keyed: &Arc<Keyed<E>>) {
        loop {
            self.state = State::Running(Drains::Looking);
            let permit = match keyed.lanes().try_acquire() {
                Some(permit) => permit,
                None => keyed
                    .lanes()
                    .acquire()
                    .await
                    .expect("it waits for as long as it takes"),
            };
            // Whoever is counted out has nothing to count out any more, wherever it is dropped.
            self.state = State::Finished;
            let found = keyed.pop_or_end_drain();
            if found.start_drain {
                self.inner.start_drain();
            }
            let Some(Due { turn, queued }) = found.due else {
                return;
            };
            self.state = State::Running(Drains::Emitting);
            let Queued { event, place, .. } = queued;
            let pass = Pass::of_begun(&self.inner.core);
            let emission = self.inner.detached(event, pass).in_turn(turn, permit);
            let mut emission = pin!(emission.run());
            // Whatever did not succeed has been told when it happened.
            let first = poll_fn(|cx| Poll::Ready(emission.as_mut().poll(cx)));
            if first.await.is_pending() {
                self.state = State::Running(Drains::Suspended);
                if keyed.suspended() {
                    self.inner.start_drain();
                }
                emission.await;
                keyed.resumed();
                self.state = State::Running(Drains::Emitting);
            }
            drop(place);
            tokio::task::coop::consume_budget().await;
            self.state = State::Finished;
            if !keyed.look_again_or_end_drain() {
                return;
            }
        }
    }
}

impl<E: Event> Host<Queued<E>> for Inner<E> {
    fn ready(self: Arc<Self>, turn: Turn<Queued<E>>, queued: Queued<E>) {
        if let Buffer::Keyed(keyed) = &self.buffer {
            keyed.make_due(Due { turn, queued });
        }
        self.deliver_pending();
    }
}

impl<E: Event> Drop for Drain<E> {
    fn drop(&mut self) {
        match self.state {
            State::Finished => {
                // Shutdown waits for the last drain.
                if self.inner.core.gate.is_closed() && !cfg!(fanfare_plant = "drain-ends-quietly") {
                    self.inner.core.home.quiet.notify_waiters();
                }
            }
            State::Unpolled if self.birth.refused() => {}
            State::Running(what) if std::thread::panicking() => {
                // An event panicked while it was dropped, and the rest is not lost with it; or a runtime ends in the middle of a panic.
                self.inner.buffer.end_drain(what);
                if !self.inner.deliver_pending() {
                    self.inner.drop_pending(DropReason::RuntimeEnded);
                }
                self.inner.core.home.quiet.notify_waiters();
            }
            State::Unpolled | State::Running(_) => {
                let what = match self.state {
                    State::Running(what) => what,
                    _ => Drains::Looking,
                };
                self.inner.buffer.end_drain(what);
                let ended = Handle::try_current();
                let nobody_delivers = ended.map_or(true, |ended| self.inner.forget_home(&ended));
                // Another runtime may have taken over: what is pending is its.
                if nobody_delivers || !self.inner.deliver_pending() {
                    self.inner.drop_pending(DropReason::RuntimeEnded);
                }
                self.inner.core.home.quiet.notify_waiters();
            }
        }
    }
}
