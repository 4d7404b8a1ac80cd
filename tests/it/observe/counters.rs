//! Every counter, against a slow and obvious model.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::layer::{CircuitBreaker, DeadLetter, DeadLetters, Place, Retry};
use fanfare::{
    Bus, Delivery, Dispatch, Metadata, Outcome, Report, ReportEntry, Signal, Stats, Subscription,
};
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};

use crate::support::{cases, poll_once};

const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);
const NO_WAIT: Duration = Duration::ZERO;

/// What a listener is like.
#[derive(Clone, Copy, Debug)]
enum Temper {
    Succeeds,
    Yields,
    Fails,
    Panics,
    TimesOut,
    /// Its breaker is forced open.
    Rejects,
    Filters,
    IsDisabled,
    IsOnce,
    /// On a thread; every second event fails there.
    Blocks,
    /// Fails with odd events; all are redriven once, when half of the letters succeed.
    IsRedriven,
    /// Fails so many attempts of each call.
    Retries {
        fails: u32,
        place: Where,
    },
}

#[derive(Clone, Copy, Debug)]
enum Where {
    Here,
    InBackground,
    /// Put on through `tower`, beside the one of the builder.
    ByHand,
}

fn tempers() -> impl Strategy<Value = Temper> {
    let place = prop_oneof![
        Just(Where::Here),
        Just(Where::InBackground),
        Just(Where::ByHand)
    ];
    prop_oneof![
        Just(Temper::Succeeds),
        Just(Temper::Yields),
        Just(Temper::Fails),
        Just(Temper::Panics),
        Just(Temper::TimesOut),
        Just(Temper::Rejects),
        Just(Temper::Filters),
        Just(Temper::IsDisabled),
        Just(Temper::IsOnce),
        Just(Temper::Blocks),
        Just(Temper::IsRedriven),
        (0..8_u32, place).prop_map(|(fails, place)| Temper::Retries { fails, place }),
    ]
}

#[derive(Clone, Debug)]
struct Program {
    mode: Dispatch,
    /// They come and go while others emit.
    passing: Vec<Temper>,
    staying: Vec<Temper>,
    emitters: usize,
    events: u32,
    /// Of the second signal, whose emissions are dropped half-way.
    dropped: u32,
}

fn programs() -> impl Strategy<Value = Program> {
    let modes = prop_oneof![
        Just(Dispatch::Concurrent),
        Just(Dispatch::Sequential),
        Just(Dispatch::Parallel)
    ];
    let some = || prop::collection::vec(tempers(), 0..5);
    (modes, some(), some(), 1..4_usize, 1..20_u32, 0..20_u32).prop_map(
        |(mode, passing, staying, emitters, events, dropped)| Program {
            mode,
            passing,
            staying,
            emitters,
            events,
            dropped,
        },
    )
}

/// What has been seen from outside, one thing after another.
#[derive(Default)]
struct Model(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    emissions: u64,
    dead: u64,
    outcomes: [u64; Outcome::ALL.len()],
    registrations: u64,
    removals: u64,
    attempts: u64,
    /// Calls of listeners that count their attempts.
    calls: HashSet<(u64, u64)>,
    letters: u64,
    /// Those to be redriven.
    stores: Vec<DeadLetters>,
    subscriptions: Vec<Subscription>,
}

impl Model {
    fn with(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.0.lock().unwrap());
    }

    /// Failures are told, those of the background too; of the rest the report knows.
    fn report(&self, report: &Report) {
        self.with(|seen| {
            seen.emissions += 1;
            seen.dead += u64::from(report.is_empty());
            for outcome in Outcome::ALL.into_iter().filter(|it| !it.is_failure()) {
                seen.outcomes[outcome as usize] += report.count(outcome) as u64;
            }
        });
    }

    fn failure(&self, entry: &ReportEntry) {
        self.with(|seen| seen.outcomes[entry.outcome() as usize] += 1);
    }

    fn attempt(&self, delivery: &Delivery) {
        let call = (delivery.listener_id(), delivery.emission_id());
        self.with(|seen| {
            seen.attempts += 1;
            seen.calls.insert(call);
        });
    }

    fn check(&self, stats: &Stats) {
        let seen = self.0.lock().unwrap();
        let counted = Outcome::ALL.map(|outcome| stats.count(outcome));
        assert_eq!(counted, seen.outcomes, "outcomes");
        assert_eq!(stats.emissions(), seen.emissions, "emissions");
        assert_eq!(stats.dead(), seen.dead, "dead");
        assert_eq!(
            (stats.registrations(), stats.removals()),
            (seen.registrations, seen.removals),
            "registrations and removals"
        );
        let retries = seen.attempts - seen.calls.len() as u64;
        assert_eq!(
            (stats.retries(), stats.dead_letters()),
            (retries, seen.letters),
            "retries and dead letters"
        );
        // What the listeners count is what their signal counts, and those that are gone have counted too.
        let listeners: Vec<Metadata> = seen
            .subscriptions
            .iter()
            .map(Subscription::metadata)
            .collect();
        let sum = |count: fn(&Metadata) -> u64| listeners.iter().map(count).sum::<u64>();
        let of_listeners = [
            (sum(Metadata::errors), Outcome::Failed),
            (sum(Metadata::panics), Outcome::Panicked),
            (sum(Metadata::timeouts), Outcome::TimedOut),
            (sum(Metadata::rejections), Outcome::Rejected),
            (sum(Metadata::cancellations), Outcome::Cancelled),
            (sum(Metadata::deferrals), Outcome::Deferred),
        ];
        for (sum, outcome) in of_listeners {
            assert_eq!(sum, stats.count(outcome), "{outcome:?} of listeners");
        }
        // An emission may skip a listener that is gone already, of which its signal alone knows.
        let skips = sum(Metadata::skips);
        let skipped = stats.count(Outcome::Skipped);
        assert!(
            skips <= skipped && (stats.removals() > 0 || skips == skipped),
            "{skips}"
        );
        assert_eq!(sum(Metadata::retries), retries, "retries of listeners");
        assert_eq!(sum(Metadata::dead_letters), seen.letters);
    }
}

/// Registers a listener that notes what it does.
fn register(signal: &Signal<u32>, temper: Temper, model: &Arc<Model>) -> Subscription {
    let noted = Arc::clone(model);
    let letters = DeadLetter::to(async move |_| noted.with(|seen| seen.letters += 1));
    let listen = signal.listen();
    let registered = match temper {
        Temper::Succeeds => listen.on(async |_| {}),
        Temper::Yields => listen.on(async |_| yield_now().await),
        Temper::Fails => listen
            .dead_letter(letters)
            .on(async |_| Err::<(), _>("down")),
        Temper::Panics => listen.on(async |n| assert!(n > 1_000, "on purpose")),
        Temper::TimesOut => listen
            .timeout(MS)
            .on(async |_| std::future::pending::<()>().await),
        Temper::Rejects => {
            let breaker = CircuitBreaker::new();
            breaker.handle().force_open();
            listen.circuit_breaker(breaker).on(async |_| {})
        }
        Temper::Filters => listen.filter(|n| n % 2 == 0).on(async |_| {}),
        Temper::IsDisabled | Temper::IsOnce => {
            let once = matches!(temper, Temper::IsOnce);
            let listen = if once { listen.once() } else { listen };
            listen.on(async |_| {})
        }
        Temper::Blocks => listen.on_blocking(|n| if n % 2 == 0 { Ok(()) } else { Err("down") }),
        Temper::IsRedriven => {
            let store = DeadLetters::new(1_000);
            model.with(|seen| seen.stores.push(store.clone()));
            listen
                .dead_letter(DeadLetter::keep(&store))
                .with_delivery()
                .try_on(async |n: u32, delivery: Delivery| {
                    if n % 2 == 0 || (n % 4 == 1 && delivery.redrives() > 0) {
                        return Ok(());
                    }
                    Err("down".into())
                })
        }
        Temper::Retries { fails, place } => {
            let noted = Arc::clone(model);
            let tries = Arc::new(Mutex::new(std::collections::HashMap::new()));
            let listener = async move |_, delivery: Delivery| {
                noted.attempt(&delivery);
                let mut tries = tries.lock().unwrap();
                let tries: &mut u32 = tries.entry(delivery.emission_id()).or_default();
                *tries += 1;
                if *tries <= fails {
                    return Err("down".into());
                }
                Ok(())
            };
            let three = |wait| Retry::constant(wait).max_attempts(3);
            let listen = listen.dead_letter(letters);
            let listen = match place {
                Where::Here => listen.retry(three(NO_WAIT)),
                Where::InBackground => listen.retry(three(MS).in_background()),
                Where::ByHand => listen
                    .retry(three(NO_WAIT))
                    .layer_at(Place::RateLimit, Retry::constant(NO_WAIT).max_attempts(2)),
            };
            listen.with_delivery().try_on(listener)
        }
    };
    let sub = registered.unwrap();
    if matches!(temper, Temper::IsDisabled) {
        sub.disable();
    }
    model.with(|seen| {
        seen.registrations += 1;
        seen.subscriptions.push(sub.clone());
    });
    sub
}

async fn come_and_go(signal: Signal<u32>, tempers: Vec<Temper>, model: Arc<Model>) {
    for temper in tempers {
        let sub = register(&signal, temper, &model);
        yield_now().await;
        if sub.remove() {
            model.with(|seen| seen.removals += 1);
        }
    }
}

async fn run(program: Program) {
    let model = Arc::new(Model::default());
    let told = Arc::clone(&model);
    let bus = Bus::builder()
        .on_failure(move |entry| told.failure(entry))
        .signal::<u32>(move |signal| signal.name("numbers").dispatch(program.mode))
        .build();
    let numbers = bus.signal::<u32>();
    for temper in &program.staying {
        register(&numbers, *temper, &model);
    }
    // A signal of another type, whose emissions end half-way.
    let halves = bus.signal::<u64>();
    let mut subs = vec![
        halves.on(async |_| {}),
        halves.on(async |_| std::future::pending::<()>().await),
    ];
    model.with(|seen| {
        seen.registrations += 2;
        seen.subscriptions.append(&mut subs);
    });

    let mut tasks = JoinSet::new();
    tasks.spawn(come_and_go(
        numbers.clone(),
        program.passing.clone(),
        Arc::clone(&model),
    ));
    for _ in 0..program.emitters {
        let (numbers, model) = (numbers.clone(), Arc::clone(&model));
        tasks.spawn(async move {
            for n in 0..program.events {
                model.report(&numbers.emit(n).await);
            }
        });
    }
    let (bus_of_halves, noted) = (bus.clone(), Arc::clone(&model));
    tasks.spawn(async move {
        for n in 0..program.dropped {
            let mut emission = Box::pin(bus_of_halves.emit(u64::from(n)));
            assert!(poll_once(&mut emission).is_none());
            drop(emission);
            // The first listener has succeeded; the second was cancelled, which is told.
            noted.with(|seen| {
                seen.emissions += 1;
                seen.outcomes[Outcome::Done as usize] += 1;
            });
            yield_now().await;
        }
    });
    // Nobody listens to these.
    let (unheard, noted) = (bus.clone(), Arc::clone(&model));
    tasks.spawn(async move {
        for _ in 0..program.dropped {
            noted.report(&unheard.emit("nobody").await);
        }
    });
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let stores = model.0.lock().unwrap().stores.clone();
    for store in stores {
        let letters = store.len();
        let redriven = store.redrive().await;
        let (delivered, failed) = (redriven.delivered(), redriven.failed());
        assert_eq!(delivered + failed + redriven.left(), letters);
        model.with(|seen| {
            seen.letters += (letters + failed) as u64;
            seen.outcomes[Outcome::Done as usize] += delivered as u64;
        });
    }
    assert!(bus.shutdown(MINUTE).await.is_clean());
    model.with(|seen| {
        let spent = seen.subscriptions.iter().filter(|sub| {
            let metadata = sub.metadata();
            metadata.is_once() && metadata.calls() == 1
        });
        seen.removals += spent.count() as u64;
    });
    let stats = bus.stats();
    model.check(&stats);
    let sum = numbers.stats().plus(&halves.stats());
    assert_eq!(stats.emissions() - bus.unknown_events(), sum.emissions());
    assert_eq!(stats.retries(), sum.retries());
    let cancelled = halves.stats().count(Outcome::Cancelled);
    assert_eq!(
        halves.stats().deliveries(),
        2 * halves.stats().emissions(),
        "each emission has an outcome of each listener"
    );
    assert_eq!(cancelled, u64::from(program.dropped));
    // The listeners have the model, which would keep itself by them.
    let seen = std::mem::take(&mut *model.0.lock().unwrap());
    drop(seen);
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn every_counter_is_what_was_seen_from_outside(program in programs()) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(program));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_redriven_is_counted_again_in_the_background() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let sub = signal
        .listen()
        .retry(Retry::constant(MS).max_attempts(3))
        .dead_letter(DeadLetter::keep(&letters))
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    let counted = || {
        let (stats, listener) = (signal.stats(), sub.metadata());
        assert_eq!(
            (stats.retries(), stats.dead_letters()),
            (listener.retries(), listener.dead_letters())
        );
        assert_eq!(stats.count(Outcome::Failed), listener.errors());
        (stats.retries(), stats.dead_letters(), listener.errors())
    };
    let _ = signal.emit(1).await;
    assert_eq!(counted(), (2, 1, 1));
    assert_eq!(letters.redrive().await.failed(), 1);
    assert_eq!(counted(), (4, 2, 2));

    // A letter that nobody takes is none.
    let full = DeadLetters::new(1);
    let other = Signal::<u32>::new();
    other
        .listen()
        .dead_letter(DeadLetter::keep(&full))
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    for n in 0..3 {
        let _ = other.emit(n).await;
    }
    assert_eq!(other.stats().dead_letters(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_never_began_is_none_and_one_that_was_cut_off_is_one() {
    let signal = Signal::<u32>::new();
    signal
        .listen()
        .retry(Retry::constant(MINUTE).max_attempts(3))
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    for (given_up_after, retries) in [(MINUTE / 2, 0), (MINUTE + MINUTE / 2, 1)] {
        let emission = tokio::time::timeout(given_up_after, signal.emit(1)).await;
        assert!(emission.is_err());
        assert_eq!(signal.stats().retries(), retries);
    }
    assert_eq!(signal.stats().count(Outcome::Cancelled), 2);
}

#[tokio::test(start_paused = true)]
async fn a_listener_says_in_which_state_its_breakers_are() {
    let signal = Signal::<u32>::new();
    let breaker = CircuitBreaker::new()
        .min_calls(1)
        .open_for(MINUTE)
        .per_key(|n: &u32| n % 4);
    let handle = breaker.handle();
    let fails = async |n| if n % 2 == 0 { Err("down") } else { Ok(()) };
    let sub = signal.listen().circuit_breaker(breaker).on(fails).unwrap();
    let states = || {
        let snapshot = signal.snapshot();
        assert_eq!(snapshot.listeners[0].breakers, sub.metadata().breakers());
        let counts = sub.metadata().breakers().unwrap();
        (counts.closed, counts.open, counts.half_open)
    };
    assert_eq!(states(), (0, 0, 0));
    for n in 0..4 {
        let _ = signal.emit(n).await;
    }
    assert_eq!(states(), (2, 2, 0));
    handle.force_open();
    assert_eq!(states(), (0, 4, 0));
    handle.reset();
    assert_eq!(states(), (4, 0, 0));
    assert_eq!(
        sub.metadata().breakers().unwrap().to_string(),
        "4 closed, 0 open, 0 half-open"
    );
    assert!(signal.on(async |_| {}).metadata().breakers().is_none());
}
