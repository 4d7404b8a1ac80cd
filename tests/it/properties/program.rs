//! What is generated: signals, listeners with a script each, and what is done to them when.

use std::fmt;

use fanfare::Dispatch;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Listeners that there are in all; the first [`REGISTERED`] are there from the start, the rest are added by scripts and steps.
pub(super) const LISTENERS: usize = 12;
const REGISTERED: usize = 8;

#[derive(Clone)]
pub(super) struct Program {
    pub(super) signals: Vec<SignalPlan>,
    pub(super) pool: Option<PoolPlan>,
    pub(super) listeners: Vec<Plan>,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct SignalPlan {
    pub(super) mode: Dispatch,
    pub(super) newest_first: bool,
    pub(super) stop: bool,
    pub(super) recursion_limit: usize,
    /// Whether it runs on the pool, if there is one.
    pub(super) pooled: bool,
}

#[derive(Clone, Debug)]
pub(super) struct PoolPlan {
    pub(super) size: usize,
    pub(super) reject: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) signal: usize,
    pub(super) registered: bool,
    pub(super) keyed: bool,
    pub(super) priority: i32,
    pub(super) stage: u32,
    pub(super) kind: Kind,
    pub(super) times: Option<u64>,
    pub(super) filter: Wish,
    pub(super) acts: Vec<Act>,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Async,
    Shared,
    Sync,
    Blocking,
    Service,
    Trait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    All,
    Even,
    Panics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Suspends, and is woken at once, this often.
    Yield(u32),
    /// Sleeps for this many slots.
    Sleep(u64),
    Change(Change),
    /// Removes itself.
    Leave,
    /// Emits, and waits for it: `joined` emissions at once, until some slots are over.
    Nest {
        signal: usize,
        joined: u64,
        give_up: Option<u64>,
    },
}

/// A change of the list, by a listener or from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Remove(usize),
    Add(usize),
    Replace(usize, usize),
    Clear(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Fail,
    Break,
    PanicInCall,
    PanicInPoll,
    PanicInDrop,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The slot in which it is done.
    pub(super) slot: u64,
    pub(super) what: Do,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Do {
    Emit {
        signal: usize,
        value: u32,
        fate: Fate,
    },
    Change(Change),
    /// Waits for `removed()`.
    Watch(usize),
    Resize(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Awaited,
    /// Dropped after some slots.
    Dropped(u64),
    Deadline(u64),
    /// The list is changed between the call of `emit` and its first poll.
    Held(Change),
}

/// A line for each part: the derived form takes hundreds.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.pool)?;
        for (no, signal) in self.signals.iter().enumerate() {
            write!(f, "\n  signal {no}: {signal:?}")?;
        }
        for (no, plan) in self.listeners.iter().enumerate() {
            write!(f, "\n  listener {no}: {plan:?}")?;
        }
        for (no, step) in self.steps.iter().enumerate() {
            write!(f, "\n  step {no}: {step:?}")?;
        }
        Ok(())
    }
}

impl Program {
    /// Whether what comes of it does not depend on how a pool delays it, so that the twin, which has none, must agree in everything.
    ///
    /// The same goes for threads: how long they take is theirs to say.
    pub(super) fn is_predictable(&self) -> bool {
        let blocks = |plan: &Plan| plan.kind == Kind::Blocking;
        if self.listeners.iter().any(blocks) {
            return self.commutes();
        }
        if self.pool.is_none() || self.signals.iter().all(|signal| !signal.pooled) {
            return true;
        }
        self.is_one_at_a_time() || self.commutes()
    }

    /// One call at a time in all, apart from those that wait for it.
    fn is_one_at_a_time(&self) -> bool {
        let sequential = |signal: &SignalPlan| signal.mode == Dispatch::Sequential;
        let alone = |act: &Act| !matches!(act, Act::Nest { joined, give_up, .. } if *joined > 1 || give_up.is_some());
        let mut emissions = self
            .steps
            .iter()
            .filter(|step| matches!(step.what, Do::Emit { .. }));
        let first = emissions.next();
        first.is_none_or(|step| {
            matches!(step.what, Do::Emit { fate: Fate::Awaited | Fate::Held(_), .. })
                // What is done from outside is done before the first emission.
                && self.steps.iter().all(|other| other.slot <= step.slot)
        }) && emissions.next().is_none()
            && self.signals.iter().all(sequential)
            && self.listeners.iter().flat_map(|plan| &plan.acts).all(alone)
    }

    /// Every listener does the same whenever it runs, and nobody changes what another does.
    fn commutes(&self) -> bool {
        let rejects = self.pool.as_ref().is_some_and(|pool| pool.reject);
        !rejects
            && self.signals.iter().all(|signal| !signal.stop)
            && self.listeners.iter().all(|plan| {
                plan.times.is_none()
                    && plan.end != End::Break
                    && plan.acts.iter().all(|act| match act {
                        Act::Yield(_) | Act::Sleep(_) => true,
                        Act::Nest { give_up, .. } => give_up.is_none(),
                        Act::Change(_) | Act::Leave => false,
                    })
            })
            && self.steps.iter().all(|step| match step.what {
                Do::Emit { fate, .. } => matches!(fate, Fate::Awaited),
                Do::Change(_) => false,
                Do::Watch(_) | Do::Resize(_) => true,
            })
    }

    pub(super) fn replaces(&self) -> bool {
        let acts = self.listeners.iter().flat_map(|plan| &plan.acts);
        let in_scripts = acts
            .clone()
            .any(|act| matches!(act, Act::Change(Change::Replace(..))));
        in_scripts
            || self.steps.iter().any(|step| {
                matches!(
                    step.what,
                    Do::Change(Change::Replace(..))
                        | Do::Emit {
                            fate: Fate::Held(Change::Replace(..)),
                            ..
                        }
                )
            })
    }
}

pub(super) fn programs() -> impl Strategy<Value = Program> {
    // A program is wild, or such that a pool cannot change what comes of it.
    let tame = prop_oneof![3 => Just(Taming::Wild), 2 => Just(Taming::Commuting), 1 => Just(Taming::OneAtATime)];
    (
        vec(signal_plan(), 2),
        option::of((1..=3_usize, prop::bool::weighted(0.3))),
        vec(plan(), LISTENERS),
        0..=REGISTERED,
        vec(step(), 1..=5),
        (tame, prop::bool::weighted(0.4)),
    )
        .prop_map(
            |(signals, pool, listeners, registered, steps, (taming, blocking))| {
                let mut program = Program {
                    signals,
                    pool: pool.map(|(size, reject)| PoolPlan { size, reject }),
                    listeners,
                    steps,
                };
                for (no, plan) in program.listeners.iter_mut().enumerate() {
                    plan.registered = no < registered;
                    if plan.kind == Kind::Blocking && !blocking {
                        plan.kind = Kind::Async;
                    }
                }
                taming.apply(&mut program);
                for plan in &mut program.listeners {
                    fit(plan, &program.signals[plan.signal]);
                }
                program
            },
        )
}

#[derive(Clone, Copy, Debug)]
enum Taming {
    Wild,
    Commuting,
    OneAtATime,
}

impl Taming {
    fn apply(self, program: &mut Program) {
        match self {
            Self::Wild => {}
            Self::Commuting => {
                if let Some(pool) = &mut program.pool {
                    pool.reject = false;
                }
                for signal in &mut program.signals {
                    signal.stop = false;
                }
                for plan in &mut program.listeners {
                    plan.times = None;
                    if plan.end == End::Break {
                        plan.end = End::Done;
                    }
                    plan.acts
                        .retain(|act| !matches!(act, Act::Change(_) | Act::Leave));
                    for act in &mut plan.acts {
                        if let Act::Nest { give_up, .. } = act {
                            *give_up = None;
                        }
                    }
                }
                program
                    .steps
                    .retain(|step| !matches!(step.what, Do::Change(_)));
                for step in &mut program.steps {
                    if let Do::Emit { fate, .. } = &mut step.what {
                        *fate = Fate::Awaited;
                    }
                }
            }
            Self::OneAtATime => {
                for signal in &mut program.signals {
                    signal.mode = Dispatch::Sequential;
                }
                for act in program.listeners.iter_mut().flat_map(|plan| &mut plan.acts) {
                    if let Act::Nest {
                        joined, give_up, ..
                    } = act
                    {
                        *joined = 1;
                        *give_up = None;
                    }
                }
                let mut seen = false;
                program.steps.retain_mut(|step| match &mut step.what {
                    Do::Emit { fate, .. } => {
                        if matches!(fate, Fate::Dropped(_) | Fate::Deadline(_)) {
                            *fate = Fate::Awaited;
                        }
                        step.slot = 9;
                        !std::mem::replace(&mut seen, true)
                    }
                    _ => true,
                });
            }
        }
    }
}

/// Leaves in a plan what its kind can do.
fn fit(plan: &mut Plan, signal: &SignalPlan) {
    let kind = plan.kind;
    let in_tasks = signal.mode == Dispatch::Parallel;
    if in_tasks && plan.acts.iter().any(|act| !matches!(act, Act::Sleep(_))) {
        // Which of two tasks starts first is not promised: what they do to others they do in an instant of their own.
        plan.acts.insert(0, Act::Sleep(1));
    }
    // After a `Yield`, two listeners go on in the same instant, and which of them does so first is not promised.
    let mut settled = true;
    plan.acts.retain(|act| match act {
        Act::Yield(_) => {
            settled = false;
            !matches!(kind, Kind::Sync | Kind::Blocking)
        }
        Act::Sleep(_) => {
            settled = true;
            !matches!(kind, Kind::Sync | Kind::Blocking)
        }
        Act::Nest { .. } => !matches!(kind, Kind::Sync | Kind::Blocking),
        Act::Change(_) | Act::Leave => {
            settled && kind != Kind::Blocking && !(in_tasks && kind == Kind::Sync)
        }
    });
    if kind == Kind::Service && plan.end == End::Break {
        plan.end = End::Done;
    }
    if kind == Kind::Blocking {
        // A thread claims and ends when it comes to it.
        plan.times = None;
        if signal.stop || plan.end == End::Break {
            plan.end = End::Done;
        }
    }
}

fn signal_plan() -> impl Strategy<Value = SignalPlan> {
    let mode = prop_oneof![
        Just(Dispatch::Concurrent),
        Just(Dispatch::Parallel),
        Just(Dispatch::Sequential)
    ];
    (
        mode,
        any::<bool>(),
        prop::bool::weighted(0.25),
        prop_oneof![1 => 1..=2_usize, 3 => Just(64)],
        prop::bool::weighted(0.8),
    )
        .prop_map(
            |(mode, newest_first, stop, recursion_limit, pooled)| SignalPlan {
                mode,
                newest_first,
                stop,
                recursion_limit,
                pooled,
            },
        )
}

fn plan() -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![
        4 => Just(Kind::Async),
        1 => Just(Kind::Shared),
        2 => Just(Kind::Sync),
        1 => Just(Kind::Blocking),
        1 => Just(Kind::Service),
        1 => Just(Kind::Trait),
    ];
    let filter = prop_oneof![6 => Just(Wish::All), 2 => Just(Wish::Even), 1 => Just(Wish::Panics)];
    let end = prop_oneof![
        6 => Just(End::Done),
        2 => Just(End::Fail),
        1 => Just(End::Break),
        1 => Just(End::PanicInCall),
        1 => Just(End::PanicInPoll),
        1 => Just(End::PanicInDrop),
    ];
    (
        (0..2_usize, any::<bool>(), -1..=1_i32, 0..=2_u32),
        (kind, option::weighted(0.3, 1..=2_u64), filter),
        (vec(act(), 0..=3), end),
    )
        .prop_map(
            |((signal, keyed, priority, stage), (kind, times, filter), (acts, end))| Plan {
                signal,
                registered: false,
                keyed,
                priority,
                // Most are of the first stage.
                stage: stage / 2,
                kind,
                times,
                filter,
                acts,
                end,
            },
        )
}

fn act() -> impl Strategy<Value = Act> {
    let nest = (0..2_usize, 1..=2_u64, option::weighted(0.3, 1..=2_u64)).prop_map(
        |(signal, joined, give_up)| Act::Nest {
            signal,
            joined,
            give_up,
        },
    );
    prop_oneof![
        2 => (1..=3_u32).prop_map(Act::Yield),
        5 => (1..=3_u64).prop_map(Act::Sleep),
        3 => change().prop_map(Act::Change),
        1 => Just(Act::Leave),
        4 => nest,
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..LISTENERS).prop_map(Change::Remove),
        3 => (0..LISTENERS).prop_map(Change::Add),
        3 => (0..LISTENERS, REGISTERED..LISTENERS).prop_map(|(old, new)| Change::Replace(old, new)),
        1 => (0..2_usize).prop_map(Change::Clear),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        4 => Just(Fate::Awaited),
        1 => (1..=4_u64).prop_map(Fate::Dropped),
        1 => (1..=4_u64).prop_map(Fate::Deadline),
        1 => change().prop_map(Fate::Held),
    ];
    let emit = (0..2_usize, 0..2_u32, fate).prop_map(|(signal, value, fate)| Do::Emit {
        signal,
        value,
        fate,
    });
    let what = prop_oneof![
        8 => emit,
        2 => change().prop_map(Do::Change),
        2 => (0..LISTENERS).prop_map(Do::Watch),
        1 => (1..=3_usize).prop_map(Do::Resize),
    ];
    (1..=4_u64, what).prop_map(|(slot, what)| Step { slot, what })
}
