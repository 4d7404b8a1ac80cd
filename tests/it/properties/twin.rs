//! The slow, obvious twin: a list behind a mutex, and a loop over a copy of it. It has no pool.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use fanfare::Dispatch;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::call::{Call, Verdict};
use super::program::{Kind, Plan, Program, SignalPlan};
use super::world::{Engine, Event, Place, Summary, World};

pub(super) struct Twin {
    signals: Vec<Arc<TwinSignal>>,
    all: Mutex<HashMap<usize, Arc<Member>>>,
}

struct TwinSignal {
    plan: SignalPlan,
    list: Mutex<Vec<Arc<Member>>>,
}

struct Member {
    world: Arc<World>,
    no: usize,
    place: Place,
    removed: AtomicBool,
    left: Mutex<Option<u64>>,
    successor: Mutex<Option<Arc<Member>>>,
}

impl Twin {
    pub(super) fn new(program: &Program) -> Self {
        let signals = program.signals.iter().map(|plan| {
            Arc::new(TwinSignal {
                plan: plan.clone(),
                list: Mutex::default(),
            })
        });
        Self {
            signals: signals.collect(),
            all: Mutex::default(),
        }
    }

    /// The members refer to the world, and the world to them.
    pub(super) fn take_apart(&self) {
        for signal in &self.signals {
            signal.list.lock().unwrap().clear();
        }
        for (_, member) in self.all.lock().unwrap().drain() {
            member.successor.lock().unwrap().take();
        }
    }
}

impl Member {
    fn plan(&self) -> &Plan {
        &self.world.program.listeners[self.no]
    }

    fn current(self: &Arc<Self>) -> Arc<Self> {
        match &*self.successor.lock().unwrap() {
            Some(next) => next.current(),
            None => Arc::clone(self),
        }
    }

    fn why_not(&self) -> Option<&'static str> {
        if *self.left.lock().unwrap() == Some(0) {
            Some("skipped: Spent")
        } else if self.removed.load(Ordering::SeqCst) {
            Some("skipped: Removed")
        } else {
            None
        }
    }

    fn refuses(&self, event: &Event) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(|| self.world.wants(self.no, event))) {
            Ok(true) => None,
            Ok(false) => Some("skipped: Filtered".to_owned()),
            Err(payload) => Some(message(&*payload)),
        }
    }

    /// Calls the listener, or the one that took its place, and says which.
    async fn call(self: Arc<Self>, event: Event) -> Ended {
        let current = self.current();
        if current.no != self.no {
            if let Some(why) = current.refuses(&event) {
                return (current.no, why);
            }
        }
        (current.no, current.outcome(event).await)
    }

    /// Calls the listener; a panic becomes its outcome.
    async fn outcome(&self, event: Event) -> String {
        if let Some(why) = self.why_not() {
            return why.to_owned();
        }
        let mut spent = false;
        if let Some(left) = &mut *self.left.lock().unwrap() {
            *left -= 1;
            spent = *left == 0;
        }
        if spent {
            self.world.engine().remove(self.no);
        }
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let call = Call::begin(&self.world, self.no, &event);
            match self.plan().kind {
                Kind::Sync | Kind::Blocking => async { call.run_in_place() }.boxed(),
                _ => call.run().boxed(),
            }
        }));
        let mut future = match begun {
            Ok(future) => Contained(Some(future)),
            Err(payload) => return message(&*payload),
        };
        let ended = poll_fn(|cx| {
            let call = future.0.as_mut().expect("it is dropped after this");
            match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(verdict)) => Poll::Ready(Ok(verdict)),
                Err(payload) => Poll::Ready(Err(message(&*payload))),
            }
        })
        .await;
        let future = future.0.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        match (dropped, ended) {
            (Err(payload), _) => message(&*payload),
            (Ok(()), Err(panicked)) => panicked,
            (Ok(()), Ok(Ok(flow))) if flow.is_break() => "break".to_owned(),
            (Ok(()), Ok(Ok(_))) => "done".to_owned(),
            (Ok(()), Ok(Err(error))) => format!("failed: {error}"),
        }
    }
}

/// A call that may be dropped before its end, and panic then.
struct Contained(Option<BoxFuture<'static, Verdict>>);

impl Drop for Contained {
    fn drop(&mut self) {
        let call = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(call)));
    }
}

/// Which listener ended, and how.
type Ended = (usize, String);

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>();
    format!("panicked: {}", text.expect("scripts panic with a `String`"))
}

/// How far an emission is. What has not finished when it is dropped was cancelled.
struct Progress {
    members: Vec<Arc<Member>>,
    /// Who was called in each place.
    called: Vec<Option<usize>>,
    outcomes: Vec<Option<Ended>>,
    /// How many have been started or passed over.
    next: usize,
    stopped: bool,
    stop_on_error: bool,
    world: Arc<World>,
}

impl Progress {
    fn settle(&mut self, index: usize, (no, outcome): Ended) {
        let fails = !outcome.starts_with("skipped") && outcome != "done" && outcome != "break";
        if fails {
            self.world.ledger().told.push((no, outcome.clone()));
        }
        self.stopped |= outcome == "break" || (fails && self.stop_on_error);
        self.outcomes[index] = Some((no, outcome));
    }

    fn cancel(&mut self, started: &str, waiting: &str) {
        for index in 0..self.members.len() {
            if self.outcomes[index].is_none() {
                let ended = match self.called[index] {
                    Some(no) => (no, started.to_owned()),
                    None => (self.members[index].current().no, waiting.to_owned()),
                };
                self.settle(index, ended);
            }
        }
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for ended in &self.outcomes {
            let (no, outcome) = ended.as_ref().expect("every listener has an outcome");
            match outcome.as_str() {
                "done" | "break" => summary.delivered += 1,
                other => summary.others.push((*no, other.to_owned())),
            }
        }
        summary
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.cancel("cancelled: Dropped", "cancelled: Dropped");
    }
}

/// The calls that run: each is polled once whenever one may have moved, in the order of starts.
#[derive(Default)]
struct Active {
    calls: Vec<BoxFuture<'static, (usize, Ended)>>,
    /// How many have been polled since the task was last woken.
    polled: usize,
}

impl Active {
    /// Adds a call, polled by this waking of the task or not.
    fn push(&mut self, call: BoxFuture<'static, (usize, Ended)>, polled: bool) {
        if polled && self.polled == self.calls.len() {
            self.polled += 1;
        }
        self.calls.push(call);
    }

    async fn next(&mut self) -> Option<(usize, Ended)> {
        poll_fn(|cx| {
            while let Some(call) = self.calls.get_mut(self.polled) {
                if let Poll::Ready(ended) = call.as_mut().poll(cx) {
                    drop(self.calls.remove(self.polled));
                    return Poll::Ready(Some(ended));
                }
                self.polled += 1;
            }
            self.polled = 0;
            if self.calls.is_empty() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}

async fn run(plan: &SignalPlan, progress: &mut Progress, event: &Event) {
    if event.depth >= plan.recursion_limit {
        progress.cancel("", "rejected: recursion");
        return;
    }
    let mut active = Active::default();
    let mut stage = 0;
    while progress.next < progress.members.len() {
        let index = progress.next;
        let here = progress.members[index].place.stage;
        while (plan.mode == Dispatch::Sequential || here != stage) && !progress.stopped {
            let Some((ended, outcome)) = active.next().await else {
                break;
            };
            progress.settle(ended, outcome);
        }
        stage = here;
        let member = progress.members[index].current();
        let no = member.no;
        progress.next += 1;
        if progress.stopped {
            let why = member.why_not().unwrap_or("skipped: Stopped");
            progress.settle(index, (no, why.to_owned()));
        } else if let Some(why) = member.why_not() {
            progress.settle(index, (no, why.to_owned()));
        } else if let Some(why) = member.refuses(event) {
            progress.settle(index, (no, why));
        } else if plan.mode == Dispatch::Parallel {
            progress.called[index] = Some(no);
            let mut task = tokio::task::JoinSet::new();
            task.spawn(member.call(event.clone()));
            let call = async move {
                let joined = task.join_next().await.expect("it was spawned");
                (index, joined.expect("a panic is an outcome"))
            };
            active.push(call.boxed(), false);
        } else {
            progress.called[index] = Some(no);
            let mut call = member.call(event.clone()).boxed();
            match poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
                Poll::Ready(outcome) => progress.settle(index, outcome),
                Poll::Pending => {
                    active.push(call.map(move |outcome| (index, outcome)).boxed(), true);
                }
            }
        }
    }
    while let Some((ended, outcome)) = active.next().await {
        progress.settle(ended, outcome);
    }
}

impl Engine for Twin {
    fn emit(
        &self,
        signal: usize,
        event: Event,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, Summary> {
        let signal = &self.signals[signal];
        let members = signal.list.lock().unwrap().clone();
        let Some(first) = members.first() else {
            return async { Summary::default() }.boxed();
        };
        let mut progress = Progress {
            world: Arc::clone(&first.world),
            called: vec![None; members.len()],
            outcomes: vec![None; members.len()],
            members,
            next: 0,
            stopped: false,
            stop_on_error: signal.plan.stop,
        };
        async move {
            let running = run(&signal.plan, &mut progress, &event);
            match deadline {
                None => running.await,
                Some(limit) => {
                    if tokio::time::timeout(limit, running).await.is_err() {
                        progress.cancel("timed out", "cancelled: Deadline");
                    }
                }
            }
            progress.summary()
        }
        .boxed()
    }

    fn add(&self, world: &Arc<World>, no: usize, place: &Place, replace: bool) {
        let plan = &world.program.listeners[no];
        let member = Arc::new(Member {
            world: Arc::clone(world),
            no,
            place: place.clone(),
            removed: AtomicBool::new(false),
            left: Mutex::new(plan.times),
            successor: Mutex::default(),
        });
        self.all.lock().unwrap().insert(no, Arc::clone(&member));
        let signal = &self.signals[plan.signal];
        let mut list = signal.list.lock().unwrap();
        if replace {
            let same_key = |other: &Arc<Member>| other.place.key == place.key;
            let old = list.iter().position(same_key).expect("the key is held");
            let old = std::mem::replace(&mut list[old], Arc::clone(&member));
            *old.successor.lock().unwrap() = Some(member);
            old.removed.store(true, Ordering::SeqCst);
        } else {
            list.push(member);
        }
        let newest_first = signal.plan.newest_first;
        list.sort_by_key(|member| {
            let Place {
                stage,
                priority,
                sequence,
                ..
            } = member.place;
            let sequence = if newest_first { -sequence } else { sequence };
            (stage, Reverse(priority), sequence)
        });
    }

    fn remove(&self, no: usize) -> bool {
        let member = Arc::clone(&self.all.lock().unwrap()[&no]);
        member.removed.store(true, Ordering::SeqCst);
        let mut list = self.signals[member.plan().signal].list.lock().unwrap();
        let before = list.len();
        list.retain(|other| other.no != no);
        list.len() < before
    }

    fn clear(&self, signal: usize) -> usize {
        let old = std::mem::take(&mut *self.signals[signal].list.lock().unwrap());
        for member in &old {
            member.removed.store(true, Ordering::SeqCst);
        }
        old.len()
    }

    fn members(&self, signal: usize) -> Vec<usize> {
        let list = self.signals[signal].list.lock().unwrap();
        list.iter().map(|member| member.no).collect()
    }

    fn removed(&self, _no: usize) -> BoxFuture<'_, ()> {
        // What it promises is checked of the crate alone.
        std::future::pending().boxed()
    }

    fn resize(&self, _size: usize) {}

    fn holds(&self, _no: usize) -> Option<(bool, usize)> {
        None
    }
}
