//! What programs run in, with either engine: the virtual clock, and the ledger of all that happened.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use fanfare::Dispatch;
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use super::program::{Change, Kind, LISTENERS, Program, Wish};

/// Milliseconds a slot. All that sleeps is woken in an instant of its own within a slot, so that the order of wakes is no accident.
const SLOT: u64 = 1 << 24;

pub(super) struct Event {
    /// Names the emission, by the way that led to it: the same with both engines.
    pub(super) path: u64,
    pub(super) depth: usize,
    pub(super) value: u32,
    clones: Arc<AtomicUsize>,
}

impl Clone for Event {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self {
            clones: Arc::clone(&self.clones),
            ..*self
        }
    }
}

/// What came of an emission: how many succeeded, and the others in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) delivered: usize,
    pub(super) others: Vec<(usize, String)>,
}

/// What runs emissions: the crate, or the twin.
pub(super) trait Engine: Send + Sync {
    fn emit(
        &self,
        signal: usize,
        event: Event,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, Summary>;
    fn add(&self, world: &Arc<World>, no: usize, place: &Place, replace: bool);
    fn remove(&self, no: usize) -> bool;
    fn clear(&self, signal: usize) -> usize;
    /// The numbers of the listeners, in the order of calls.
    fn members(&self, signal: usize) -> Vec<usize>;
    /// Resolves when the listener is removed and has no call that runs.
    fn removed(&self, no: usize) -> BoxFuture<'_, ()>;
    fn resize(&self, size: usize);
    /// Whether a call of the listener, which runs now, is marked as running, and how many permits are held.
    fn holds(&self, no: usize) -> Option<(bool, usize)>;
}

/// Where a listener was put.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) key: Option<String>,
    pub(super) stage: u32,
    pub(super) priority: i32,
    /// When it was registered, or the one whose place it took.
    pub(super) sequence: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// For an emission of its own.
    Waiting,
    /// It has given up waiting, and has not been polled since.
    Regaining,
    Over,
}

pub(super) struct CallRecord {
    pub(super) no: usize,
    pub(super) path: u64,
    pub(super) state: State,
    /// It has suspended and gone on.
    pub(super) suspended: bool,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) calls: Vec<CallRecord>,
    places: Vec<Option<Place>>,
    /// Who has a key, of those that were ever registered.
    holders: HashMap<String, usize>,
    clock: u64,
    /// When each emission was made, and when the removal of each listener returned.
    made: HashMap<u64, u64>,
    removed: HashMap<usize, u64>,
    /// Who is waited for with `removed()`, and of whom that has said that they are gone.
    watched: HashSet<usize>,
    gone: HashSet<usize>,
    /// The largest number of calls that may run.
    cap: usize,
    size: usize,
    pub(super) starts: BTreeMap<u64, Vec<usize>>,
    pub(super) reports: BTreeMap<u64, Summary>,
    pub(super) told: Vec<(usize, String)>,
    pub(super) changes: Vec<String>,
    pub(super) emissions: Vec<u64>,
    /// How many outcomes there must be, for each signal.
    pub(super) outcomes: Vec<u64>,
    pub(super) calls_of: Vec<u64>,
    pub(super) errors_of: Vec<u64>,
    pub(super) panics_of: Vec<u64>,
    pub(super) keys: Vec<Vec<usize>>,
    asked: HashSet<(u64, usize)>,
    pub(super) violations: Vec<String>,
}

pub(super) struct World {
    pub(super) program: Program,
    pub(super) engine: OnceLock<Arc<dyn Engine>>,
    bounded: bool,
    began: Instant,
    ledger: Mutex<Ledger>,
}

impl World {
    /// `bounded` if the pool's bound is to be held.
    pub(super) fn new(program: &Program, bounded: bool) -> Arc<Self> {
        let size = program.pool.as_ref().map_or(usize::MAX, |pool| pool.size);
        let ledger = Ledger {
            places: vec![None; LISTENERS],
            cap: size,
            size,
            emissions: vec![0; 2],
            outcomes: vec![0; 2],
            calls_of: vec![0; LISTENERS],
            errors_of: vec![0; LISTENERS],
            panics_of: vec![0; LISTENERS],
            ..Ledger::default()
        };
        Arc::new(Self {
            program: program.clone(),
            engine: OnceLock::new(),
            bounded: bounded && program.pool.is_some(),
            began: Instant::now(),
            ledger: Mutex::new(ledger),
        })
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        self.engine
            .get()
            .expect("set before the program runs")
            .as_ref()
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self) -> u64 {
        let now = (Instant::now() - self.began).as_millis();
        u64::try_from(now).expect("programs are short") / SLOT
    }

    /// An instant `slots` from now, at a place within the slot that belongs to `owner` alone.
    pub(super) fn instant(&self, slots: u64, owner: u64) -> Instant {
        self.began + Duration::from_millis((self.slot() + slots) * SLOT + owner)
    }

    /// An instant for a step.
    pub(super) fn step_instant(&self, slots: u64, step: usize) -> Instant {
        self.instant(slots, 2 * step as u64)
    }

    /// Looks at the pool half-way between slots, when all that can move has moved.
    pub(super) async fn watch_pool(&self, pool: &fanfare::Pool) {
        loop {
            let half = self.began + Duration::from_millis(self.slot() * SLOT + SLOT / 2 + 1);
            sleep_until(if half > Instant::now() {
                half
            } else {
                half + Duration::from_millis(SLOT)
            })
            .await;
            let mut ledger = self.ledger();
            let running = ledger.running(&self.program, State::Running);
            let (in_use, waiting) = (pool.in_use(), pool.waiting());
            if in_use != running {
                let complaint = format!("{in_use} permits are held, and {running} calls run");
                ledger.violations.push(complaint);
            }
            if waiting > 0 && in_use < pool.size() {
                let complaint = format!("{waiting} wait, and {in_use} of {} run", pool.size());
                ledger.violations.push(complaint);
            }
        }
    }

    /// Makes an emission, now, and does what there is to do when it is awaited.
    pub(super) fn emit(
        &self,
        signal: usize,
        event: Event,
        deadline: Option<Duration>,
    ) -> impl Future<Output = ()> + Send + '_ {
        let members = self.engine().members(signal);
        let (path, clones) = (event.path, Arc::clone(&event.clones));
        {
            let mut ledger = self.ledger();
            ledger.emissions[signal] += 1;
            ledger.outcomes[signal] += members.len() as u64;
            ledger.clock += 1;
            let now = ledger.clock;
            ledger.made.insert(path, now);
        }
        let emission = self.engine().emit(signal, event, deadline);
        async move {
            let summary = emission.await;
            self.check_clones(&members, &summary, clones.load(Ordering::Relaxed));
            let mut ledger = self.ledger();
            let outcomes = summary.delivered + summary.others.len();
            let full = summary
                .others
                .iter()
                .any(|(_, cause)| cause == "rejected: full");
            if outcomes != members.len() || (full && ledger.starts.contains_key(&path)) {
                let complaint = format!("{path}: {members:?} were to be called, {summary:?}");
                ledger.violations.push(complaint);
            }
            ledger.reports.insert(path, summary);
        }
    }

    fn check_clones(&self, members: &[usize], summary: &Summary, clones: usize) {
        if self.program.replaces() || members.is_empty() {
            return;
        }
        let kinds = || members.iter().map(|no| self.program.listeners[*no].kind);
        let all_own =
            kinds().all(|kind| matches!(kind, Kind::Async | Kind::Trait | Kind::Blocking));
        let all_called = summary.others.iter().all(|(_, cause)| {
            let panicked = cause.starts_with("panicked") && !cause.contains("filter");
            panicked || cause.starts_with("failed")
        });
        let most = members.len() - 1;
        if clones > most || (all_own && all_called && clones < most) {
            let complaint = format!("{clones} clones for {members:?}: {summary:?}");
            self.ledger().violations.push(complaint);
        }
    }

    pub(super) fn event(path: u64, depth: usize, value: u32) -> Event {
        Event {
            path,
            depth,
            value,
            clones: Arc::default(),
        }
    }

    /// Registers those that are there from the start.
    pub(super) fn register(self: &Arc<Self>) {
        for no in 0..LISTENERS {
            if self.program.listeners[no].registered {
                self.add(no);
            }
        }
    }

    fn add(self: &Arc<Self>, no: usize) {
        let plan = &self.program.listeners[no];
        let place = {
            let mut ledger = self.ledger();
            if ledger.places[no].is_some() {
                return;
            }
            ledger.clock += 1;
            let place = Place {
                key: plan.keyed.then(|| format!("key {no}")),
                stage: plan.stage,
                priority: plan.priority,
                sequence: i64::try_from(ledger.clock).expect("a small number"),
            };
            ledger.places[no] = Some(place.clone());
            if let Some(key) = &place.key {
                ledger.holders.insert(key.clone(), no);
            }
            place
        };
        self.engine().add(self, no, &place, false);
    }

    fn replace(self: &Arc<Self>, old: usize, new: usize) {
        let (signal, before) = (self.program.listeners[old].signal, old);
        if signal != self.program.listeners[new].signal {
            return;
        }
        let Some(place) = self.ledger().places[before].clone() else {
            return;
        };
        let Some(key) = &place.key else { return };
        let holder = self.ledger().holders[key];
        if self.ledger().places[new].is_some() || !self.engine().members(signal).contains(&holder) {
            return;
        }
        self.ledger().places[new] = Some(place.clone());
        self.engine().add(self, new, &place, true);
        let mut ledger = self.ledger();
        ledger.holders.insert(key.clone(), new);
        ledger.mark_removed(holder);
    }

    pub(super) fn change(self: &Arc<Self>, change: Change) {
        let what = match change {
            Change::Remove(no) => {
                if self.ledger().places[no].is_none() {
                    return;
                }
                let was_there = self.engine().remove(no);
                self.ledger().mark_removed(no);
                format!("removed {no}: {was_there}")
            }
            Change::Add(no) => {
                self.add(no);
                format!("added {no}")
            }
            Change::Replace(old, new) => {
                self.replace(old, new);
                format!("replaced {old} by {new}")
            }
            Change::Clear(signal) => {
                let members = self.engine().members(signal);
                let cleared = self.engine().clear(signal);
                let mut ledger = self.ledger();
                for no in members {
                    ledger.mark_removed(no);
                }
                format!("cleared {signal}: {cleared}")
            }
        };
        self.ledger().changes.push(what);
    }

    pub(super) fn resize(&self, size: usize) {
        if self.program.pool.is_some() {
            self.engine().resize(size);
            let mut ledger = self.ledger();
            ledger.size = size;
            ledger.cap = ledger.cap.max(size);
            ledger.shrink_cap(&self.program);
        }
    }

    /// Waits for `removed()`, and holds the engine to it.
    pub(super) async fn watch(&self, no: usize) {
        if self.ledger().places[no].is_none() {
            return;
        }
        self.ledger().watched.insert(no);
        self.engine().removed(no).await;
        let mut ledger = self.ledger();
        let runs = |call: &CallRecord| call.no == no && call.state != State::Over;
        if ledger.calls.iter().any(runs) {
            let complaint = format!("{no} is removed, and a call of it runs");
            ledger.violations.push(complaint);
        }
        ledger.gone.insert(no);
    }

    /// The answer of a listener's filter.
    pub(super) fn wants(&self, no: usize, event: &Event) -> bool {
        let mut ledger = self.ledger();
        if !ledger.asked.insert((event.path, no)) {
            let complaint = format!("the filter of {no} was asked twice in {}", event.path);
            ledger.violations.push(complaint);
        }
        match self.program.listeners[no].filter {
            Wish::All => true,
            Wish::Even => event.value % 2 == 0,
            Wish::Panics => {
                ledger.panics_of[no] += 1;
                drop(ledger);
                panic!("scripted: filter {no}");
            }
        }
    }
}

impl Ledger {
    fn mark_removed(&mut self, no: usize) {
        self.clock += 1;
        let now = self.clock;
        self.removed.entry(no).or_insert(now);
    }

    /// When nothing runs any more, nobody waits for one that was removed.
    pub(super) fn check_watches(&mut self) {
        let removed = |no: &&usize| self.removed.contains_key(no);
        let late = self.watched.difference(&self.gone).filter(removed);
        let late: Vec<String> = late
            .map(|no| format!("{no} is gone, and still waited for"))
            .collect();
        self.violations.extend(late);
    }

    fn running(&self, program: &Program, state: State) -> usize {
        let pooled = |call: &&CallRecord| {
            let signal = program.listeners[call.no].signal;
            program.signals[signal].pooled && call.state == state
        };
        self.calls.iter().filter(pooled).count()
    }

    pub(super) fn shrink_cap(&mut self, program: &Program) {
        let unfinished = [State::Running, State::Waiting, State::Regaining]
            .map(|state| self.running(program, state))
            .iter()
            .sum();
        self.cap = self.cap.min(unfinished).max(self.size);
    }

    /// A call starts: everything that must hold then does.
    pub(super) fn check_start(&mut self, program: &Program, no: usize, path: u64) {
        let plan = &program.listeners[no];
        let signal = &program.signals[plan.signal];
        let rank = |no: usize| {
            let place = self.places[no].as_ref().expect("it was registered");
            let sequence = if signal.newest_first {
                -place.sequence
            } else {
                place.sequence
            };
            (place.stage, -place.priority, sequence)
        };
        let mut complaints = Vec::new();
        let started = self.starts.get(&path).map_or(&[][..], Vec::as_slice);
        if started.contains(&no) {
            complaints.push("is called twice");
        }
        let in_order = signal.mode != Dispatch::Parallel && plan.kind != Kind::Blocking;
        for other in started {
            let blocks = program.listeners[*other].kind == Kind::Blocking;
            if in_order && !blocks && rank(*other) >= rank(no) {
                complaints.push("is called out of order");
            }
            if rank(*other).0 > rank(no).0 {
                complaints.push("is called after a later stage");
            }
        }
        for call in self.calls.iter().filter(|call| call.path == path) {
            let runs = call.state != State::Over;
            if runs && rank(call.no).0 < rank(no).0 {
                complaints.push("starts before the stage before it has finished");
            }
            if runs && signal.mode == Dispatch::Sequential {
                complaints.push("starts before the one before it has finished");
            }
        }
        if let Some(removed) = self.removed.get(&no) {
            if plan.kind != Kind::Blocking || self.made[&path] > *removed {
                complaints.push("is called after it was removed");
            }
        }
        if self.gone.contains(&no) {
            complaints.push("is called after `removed()`");
        }
        let complaints = complaints
            .iter()
            .map(|what| format!("{no} {what} in {path}"));
        self.violations.extend(complaints);
    }

    /// Looked at whenever a call starts, goes on, or ends.
    pub(super) fn check_bound(&mut self, world: &World, no: usize, permits: Option<usize>) {
        let running = self.running(&world.program, State::Running);
        if let Some(permits) = permits.filter(|permits| world.bounded && *permits < running) {
            let complaint =
                format!("{running} run, {no} among them, and {permits} permits are held");
            self.violations.push(complaint);
        }
        if world.bounded && running > self.cap {
            let complaint = format!("{running} run on a pool of {}", self.cap);
            self.violations.push(complaint);
        }
    }
}
