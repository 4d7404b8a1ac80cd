//! A stage that remembers and may give something out later: the lock around its state, and the links that lead there.

use std::borrow::Cow;
use std::sync::Arc;

use super::machine::{Machine, Moved};
use super::source::{Consumer, Handed, Links, Sink, Source};
use super::task;
use crate::buffer::DropReason;
use crate::clock::{self, Instant};
use crate::context::is_within;
use crate::dispatch::{Core, Pass};
use crate::event::Event;
use crate::outcome::{Flow, Verdict};
use crate::registry::Later;
use crate::sync::{AtomicU64, Mutex, Notify, Ordering};

/// The stage. Its state is as new as its links: whoever listens first begins with nothing.
pub(super) struct Timed<E: Event, M: Machine, T> {
    pub(super) source: Arc<dyn Source<E>>,
    pub(super) start: Box<dyn Fn() -> M + Send + Sync>,
    pub(super) take: fn(Cow<'_, E>) -> M::Item,
    pub(super) finish: fn(M::Out) -> T,
    pub(super) held_back: Arc<AtomicU64>,
}

impl<E: Event, T: Event, M: Machine> Source<T> for Timed<E, M, T> {
    fn connect(&self, consumer: Consumer<T>, to: Sink<'_>, links: &mut Links, later: &mut Later) {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                machine: (self.start)(),
                passes: Vec::new(),
                task: Task::None,
                ended: false,
            }),
            wake: Notify::new(),
            core: Arc::clone(to.core),
            consumer,
            finish: self.finish,
            held_back: Arc::clone(&self.held_back),
        });
        let (take, pushed) = (self.take, Arc::clone(&shared));
        let consumer: Consumer<E> = Arc::new(move |event: Cow<'_, E>| pushed.push(take(event)));
        self.source.connect(consumer, to, links, later);
        links.ends.push(Box::new(move || shared.end()));
    }

    fn roots(&self, roots: &mut Vec<Arc<Core>>) {
        self.source.roots(roots);
    }
}

/// The state of a stage while it is linked.
pub(super) struct Shared<M: Machine, T: Event> {
    state: Mutex<State<M>>,
    /// The task looks again: the links are gone.
    pub(super) wake: Notify,
    pub(super) core: Arc<Core>,
    consumer: Consumer<T>,
    finish: fn(M::Out) -> T,
    held_back: Arc<AtomicU64>,
}

struct State<M> {
    machine: M,
    /// Held while there are events that were in nothing that came out: a shutdown of their signals waits.
    passes: Vec<Pass>,
    task: Task,
    /// The links are gone.
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    None,
    Runs,
}

impl<M: Machine> State<M> {
    /// What a shutdown waits for until what came out is delivered.
    fn let_out(&mut self, core: &Core, any: bool) -> Vec<Pass> {
        if self.machine.pending() == 0 {
            return std::mem::take(&mut self.passes);
        }
        // The events that are left keep theirs.
        if any && !self.passes.is_empty() {
            return Pass::of_roots(core);
        }
        Vec::new()
    }
}

/// What the task has found.
pub(super) struct Look<O> {
    pub(super) out: Vec<O>,
    /// Dropped when what came out is delivered.
    pub(super) passes: Vec<Pass>,
    pub(super) deadline: Option<Instant>,
}

impl<T: Event, M: Machine> Shared<M, T> {
    /// An event has come. What is complete with it is handed on in its emission.
    fn push(self: &Arc<Self>, item: M::Item) -> Handed {
        let mut moved = Moved::new();
        let now = clock::now();
        let (passes, start) = {
            let mut state = self.state.lock();
            if state.ended {
                drop(state);
                drop(item);
                return Handed::done();
            }
            state.machine.push(item, now, &mut moved);
            let (deadline, pending) = (state.machine.deadline(), state.machine.pending() > 0);
            let passes = state.let_out(&self.core, !moved.out.is_empty());
            if pending && state.passes.is_empty() && !cfg!(fanfare_plant = "window-outside") {
                state.passes = Pass::of_roots(&self.core);
            }
            let wanted = pending || deadline.is_some();
            let start = wanted && state.task == Task::None;
            if start {
                state.task = Task::Runs;
            }
            (passes, start)
        };
        self.let_go(moved.gone, moved.held_back);
        // A task that runs waits for no longer than this one has to: what comes later is due later.
        if start {
            task::start(self);
        }
        self.hand_on(moved.out).with(self.not_of_caller(passes))
    }

    /// The passes but for that of the source whose emission this is: it is inside itself, and a listener that shuts its own signal down does not wait for itself.
    fn not_of_caller(&self, mut passes: Vec<Pass>) -> Vec<Pass> {
        if passes.is_empty() {
            return passes;
        }
        let mut caller = None;
        is_within(|seen| {
            let mut roots = self.core.roots().iter();
            caller = roots
                .find(|root| root.id == seen.signal)
                .map(|root| root.id);
            caller.is_some()
        });
        passes.retain(|pass| Some(pass.signal()) != caller);
        passes
    }

    /// What is due; all there is, if `closing`. `None` if the task is to end.
    pub(super) fn look(&self, closing: bool) -> Option<Look<M::Out>> {
        let mut moved = Moved::new();
        let now = clock::now();
        let look = {
            let mut state = self.state.lock();
            if closing {
                state.machine.flush(now, &mut moved);
            } else {
                state.machine.tick(now, &mut moved);
            }
            let passes = state.let_out(&self.core, !moved.out.is_empty());
            let deadline = state.machine.deadline();
            let idle = deadline.is_none() && state.machine.pending() == 0;
            if state.ended || (idle && moved.out.is_empty()) {
                state.task = Task::None;
                None
            } else {
                let out = std::mem::take(&mut moved.out);
                Some(Look {
                    out,
                    passes,
                    deadline,
                })
            }
        };
        self.let_go(moved.gone, moved.held_back);
        look
    }

    /// No task runs: there is no runtime, or it has ended. Nobody waits for what is there then; it comes out with a later event.
    pub(super) fn without_task(&self) {
        let passes = {
            let mut state = self.state.lock();
            state.task = Task::None;
            std::mem::take(&mut state.passes)
        };
        drop(passes);
    }

    /// Nobody listens any more: what is there is dropped.
    fn end(&self) {
        let mut moved = Moved::new();
        let now = clock::now();
        let (passes, lost) = {
            let mut state = self.state.lock();
            state.ended = true;
            let lost = state.machine.pending();
            state.machine.flush(now, &mut moved);
            (std::mem::take(&mut state.passes), lost)
        };
        self.wake.notify_waiters();
        let dropped = &self.core.counters.dropped[DropReason::Released as usize];
        dropped.fetch_add(lost as u64, Ordering::Relaxed);
        drop((moved.out, moved.gone, passes));
    }

    fn let_go(&self, gone: Vec<M::Item>, held_back: u64) {
        if held_back > 0 {
            self.held_back.fetch_add(held_back, Ordering::Relaxed);
        }
        drop(gone);
    }

    /// Hands on what came out, one after another.
    pub(super) fn hand_on(&self, out: Vec<M::Out>) -> Handed {
        let mut out = out.into_iter();
        let Some(first) = out.next() else {
            return Handed::done();
        };
        let handed = self.hand_on_one(first);
        if out.len() == 0 {
            return handed;
        }
        let (consumer, finish) = (Arc::clone(&self.consumer), self.finish);
        Handed::Later(Box::pin(async move {
            let mut came_of_it = handed.wait().await;
            for one in out {
                let next = consumer(Cow::Owned(finish(one))).wait().await;
                if matches!(came_of_it.0, Flow::Done) {
                    came_of_it = next;
                }
            }
            came_of_it
        }))
    }

    fn hand_on_one(&self, out: M::Out) -> Handed {
        (self.consumer)(Cow::Owned((self.finish)(out)))
    }
}

impl Handed {
    /// Holds these until it is done.
    fn with(self, passes: Vec<Pass>) -> Self {
        match self {
            Self::Later(future) if !passes.is_empty() => Self::Later(Box::pin(async move {
                // Dropped after the future, whoever drops it when.
                let _passes = passes;
                future.await
            })),
            handed => handed,
        }
    }

    pub(super) async fn wait(self) -> Verdict {
        match self {
            Self::Now(verdict) => verdict,
            Self::Later(future) => future.await,
        }
    }
}
