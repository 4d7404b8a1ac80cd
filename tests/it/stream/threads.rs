//! The books of a stream: whatever races, taken and missed and unread are what was offered, and the order of each emitter is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare::{Dispatch, DropReason, EventStream, Outcome, Overflow, Pool, Signal};
use futures::StreamExt as _;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};

/// Who emitted it, and its place among those of the same emitter.
type Event = (usize, u32);

#[derive(Clone, Debug)]
struct Race {
    policy: Overflow,
    mode: Dispatch,
    pool: Option<usize>,
    capacity: usize,
    emitters: usize,
    events: u32,
    /// After so many events a reader leaves, and then another comes; the last one stays to the end.
    readers: Vec<usize>,
    /// Who leaves reads what is left.
    closes: bool,
    /// Every so many emissions one is given up at its first wait.
    gives_up: Option<u32>,
}

impl Race {
    /// A call in a task may still run when its emission has been given up, and then the next one of its emitter overtakes it.
    fn may_overtake(&self) -> bool {
        self.mode == Dispatch::Parallel && self.gives_up.is_some()
    }
}

fn races() -> impl Strategy<Value = Race> {
    let policies = [
        Overflow::DropOldest,
        Overflow::DropNewest,
        Overflow::Reject,
        Overflow::Wait,
        Overflow::WaitUpTo(Duration::from_micros(50)),
    ];
    let modes = [
        Dispatch::Concurrent,
        Dispatch::Parallel,
        Dispatch::Sequential,
    ];
    (
        prop::sample::select(policies.to_vec()),
        prop::sample::select(modes.to_vec()),
        prop::option::of(1..=3_usize),
        1..=8_usize,
        1..=4_usize,
        1..=60_u32,
        prop::collection::vec(1..=40_usize, 0..4),
        any::<bool>(),
        prop::option::of(2..9_u32),
    )
        .prop_map(
            |(policy, mode, pool, capacity, emitters, events, readers, closes, gives_up)| Race {
                policy,
                mode,
                pool,
                capacity,
                emitters,
                events,
                readers,
                closes,
                gives_up,
            },
        )
}

#[derive(Default)]
struct Books {
    taken: AtomicU64,
    missed: AtomicU64,
    gaps: AtomicU64,
    overflowed: AtomicU64,
    unread: AtomicU64,
}

fn stream(signal: &Signal<Event>, race: &Race, books: &Arc<Books>) -> EventStream<Event> {
    let shown = Arc::clone(books);
    let builder = signal.listen().stream().buffer(race.capacity);
    let builder = builder.overflow(race.policy).on_dropped(move |_, why| {
        let count = match why {
            DropReason::StreamDropped => &shown.unread,
            _ => &shown.overflowed,
        };
        count.fetch_add(1, Ordering::SeqCst);
    });
    builder.build().unwrap()
}

/// Reads so many events, or to the end, and looks at their order. Notes what was read, and what was missed by then. One that leaves closes its stream and reads what is left, or drops it.
async fn read(stream: EventStream<Event>, most: usize, race: &Race, books: &Books) {
    let mut stream = stream.with_lag();
    let mut last = vec![None; race.emitters];
    let mut left = most;
    while left > 0 || race.closes {
        match stream.next().await {
            Some(Ok((emitter, n))) => {
                let in_order = last[emitter].is_none_or(|before| before < n);
                assert!(in_order || race.may_overtake(), "order");
                last[emitter] = Some(n);
                books.taken.fetch_add(1, Ordering::SeqCst);
                left = left.saturating_sub(1);
            }
            Some(Err(gap)) => {
                assert!(gap.missed() > 0);
                books.gaps.fetch_add(gap.missed(), Ordering::SeqCst);
            }
            None => break,
        }
        if left == 0 {
            stream.stream().close();
        }
    }
    let missed = stream.stream().lagged();
    books.missed.fetch_add(missed, Ordering::SeqCst);
}

async fn emit(signal: Signal<Event>, emitter: usize, race: Race) {
    for n in 0..race.events {
        let given_up = race.gives_up.is_some_and(|every| n % every == 0);
        let emission = signal.emit((emitter, n));
        if given_up {
            let _ = tokio::time::timeout(Duration::ZERO, emission).await;
        } else {
            let _ = emission.await;
        }
        if n % 7 == 0 {
            yield_now().await;
        }
    }
}

/// One reader after the other, the last one to the end.
async fn readers(signal: Signal<Event>, race: Race, books: Arc<Books>) {
    let mut next = stream(&signal, &race, &books);
    for most in race.readers.clone() {
        read(next, most, &race, &books).await;
        next = stream(&signal, &race, &books);
    }
    read(next, usize::MAX, &race, &books).await;
}

async fn run(race: Race) {
    let mut builder = Signal::<Event>::builder().dispatch(race.mode);
    if let Some(size) = race.pool {
        builder = builder.pool(Pool::new(size));
    }
    let signal = builder.on_failure(|_| ()).build();
    let books = Arc::new(Books::default());
    let reading = tokio::spawn(readers(signal.clone(), race.clone(), Arc::clone(&books)));
    let mut emitters = JoinSet::new();
    for emitter in 0..race.emitters {
        emitters.spawn(emit(signal.clone(), emitter, race.clone()));
    }
    emitters.join_all().await;
    assert!(signal.shutdown(Duration::from_secs(60)).await.is_clean());
    reading.await.unwrap();

    let count = |books: &AtomicU64| books.load(Ordering::SeqCst);
    let (taken, missed, gaps) = (
        count(&books.taken),
        count(&books.missed),
        count(&books.gaps),
    );
    let (overflowed, unread) = (count(&books.overflowed), count(&books.unread));
    let stats = signal.stats();
    let of = |outcome| stats.count(outcome);
    let (done, rejected, cancelled) = (
        of(Outcome::Done),
        of(Outcome::Rejected),
        of(Outcome::Cancelled),
    );
    assert_eq!(stats.dropped(), overflowed + unread, "{race:?}");
    assert!(gaps <= missed, "{race:?}");
    // What a stream misses between the last look at it and its drop, nobody can know.
    let exact = race.closes || race.readers.is_empty();
    if exact {
        assert_eq!((gaps, unread), (missed, 0), "{race:?}");
    }
    let agrees = |missed: u64, all: u64| if exact { missed == all } else { missed <= all };
    let waits = matches!(race.policy, Overflow::Wait | Overflow::WaitUpTo(_));
    let held = taken + overflowed + unread;
    if race.may_overtake() || waits && (race.pool.is_some() || race.mode == Dispatch::Parallel) {
        // A call that is cancelled may not have come as far as the stream, or beyond.
        assert!(missed <= overflowed + rejected + cancelled, "{race:?}");
        assert!((done..=done + cancelled).contains(&held), "{race:?}");
    } else if waits {
        let offered = done + rejected + cancelled;
        assert!(
            agrees(held + missed, offered),
            "{held} {missed} {offered} {race:?}"
        );
    } else {
        assert_eq!((done, overflowed * rejected), (held, 0), "{race:?}");
        assert!(agrees(missed, overflowed + rejected), "{missed} {race:?}");
    }
}

proptest! {
    #![proptest_config(crate::support::cases(128))]

    #[test]
    fn taken_and_missed_are_what_was_offered(race in races()) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        runtime.block_on(run(race));
    }
}
