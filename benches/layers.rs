//! What layers cost: `cargo bench --bench layers` prints it as Markdown.
//!
//! Nothing fails in these: it is the price of having a layer. Ratios in one run can be trusted, nanoseconds of two runs cannot.

mod support;

use std::future::Future;
use std::time::Duration;

use fanfare::layer::{CircuitBreaker, Concurrency, DeadLetter, Dedup, RateLimit, Retry, Trace};
use fanfare::{BoxError, EventOnly, ListenBuilder, Signal};
use support::args::is_test;
use support::cases::{self, Case, forever};
use support::event::{Tick, listen};
use support::print::{number, table, times};
use support::rounds::{Effort, rounds};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt};

const SIZES: [usize; 2] = [1, 10];
const PLAIN: &str = "no layer";
const SECOND: Duration = Duration::from_secs(1);

type Listen<'a> = ListenBuilder<'a, Tick, EventOnly>;
/// A row: its name, and the layers that it puts around each listener.
type Stack = (&'static str, fn(Listen<'_>) -> Listen<'_>);

const STACKS: &[Stack] = &[
    (PLAIN, |l| l),
    ("timeout", |l| l.timeout(SECOND)),
    ("deadline", |l| l.deadline(SECOND)),
    ("retry", |l| l.retry(Retry::exponential())),
    ("dead letter", |l| {
        l.dead_letter(DeadLetter::to(async |_| {}))
    }),
    ("rate limit", |l| {
        l.rate_limit(RateLimit::per_second(1_000_000).burst(u32::MAX))
    }),
    ("concurrency", |l| l.concurrency(Concurrency::new(64))),
    ("circuit breaker", |l| {
        l.circuit_breaker(CircuitBreaker::new())
    }),
    ("dedup", |l| {
        l.dedup(Dedup::by(|_: &Tick| std::time::Instant::now()).capacity(1_000))
    }),
    ("trace, disabled", |l| l.trace(Trace::debug())),
    (TWO, |l| l.timeout(SECOND).retry(Retry::exponential())),
    (THREE, usual),
];
const TWO: &str = "timeout + retry";
const THREE: &str = "timeout + retry + concurrency";
const BY_HAND: &str = "the same three of tower, by hand and boxed";

fn usual(l: Listen<'_>) -> Listen<'_> {
    l.timeout(SECOND)
        .retry(Retry::exponential())
        .concurrency(Concurrency::new(64))
}

fn main() {
    let effort = if is_test() {
        Effort::TEST
    } else {
        Effort::FULL
    };
    let runtime = cases::runtime();
    let all: Vec<Vec<Case>> = SIZES.into_iter().map(cases_of).collect();
    let nanos: Vec<Vec<f64>> = all
        .iter()
        .map(|cases| rounds(&effort, cases, |case, times| case.time(&runtime, times)))
        .collect();
    println!(
        "Listeners that are ready at once: nanoseconds a listener, and multiples of one without a layer\n"
    );
    let plain = all[0].iter().position(|case| case.name == PLAIN);
    let plain = plain.expect("it is one of the rows");
    let head = ["", "1 listener", "10", "1 listener", "10"].map(str::to_owned);
    let rows = all[0].iter().enumerate().map(|(row, case)| {
        let cell = |size: usize| nanos[size][row];
        let each = |size: usize| number(cell(size) / as_float(SIZES[size]));
        let ratio = |size: usize| times(cell(size) / nanos[size][plain]);
        vec![case.name.to_owned(), each(0), each(1), ratio(0), ratio(1)]
    });
    table(&[head.to_vec()].into_iter().chain(rows).collect::<Vec<_>>());
}

#[expect(clippy::cast_precision_loss, reason = "one or ten")]
fn as_float(n: usize) -> f64 {
    n as f64
}

fn cases_of(n: usize) -> Vec<Case> {
    let mut all: Vec<Case> = STACKS
        .iter()
        .map(|(name, stack)| layered(name, n, *stack))
        .collect();
    all.push(with_delivery(n));
    all.push(as_a_service(n));
    all.push(by_hand(n));
    all
}

fn layered(name: &'static str, n: usize, stack: fn(Listen<'_>) -> Listen<'_>) -> Case {
    // Before the first listener: some layers need a runtime when they are made.
    let signal = forever(Signal::<Tick>::new());
    for _ in 0..n {
        let listener = stack(signal.listen());
        listener
            .on(async |tick| listen(tick))
            .expect("it makes sense");
    }
    Case::new(name, move || async {
        drop(signal.emit(Tick::hidden()).await);
    })
}

fn with_delivery(n: usize) -> Case {
    let signal = forever(Signal::<Tick>::new());
    for _ in 0..n {
        let listener = signal.listen().with_delivery();
        listener
            .on(async |tick, _| listen(tick))
            .expect("it makes sense");
    }
    Case::new("no layer, with its delivery", move || async {
        drop(signal.emit(Tick::hidden()).await);
    })
}

#[derive(Clone)]
struct Never;

impl<R: Clone> tower::retry::Policy<R, (), BoxError> for Never {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut R, _: &mut Result<(), BoxError>) -> Option<Self::Future> {
        None
    }

    fn clone_request(&mut self, request: &R) -> Option<R> {
        Some(request.clone())
    }
}

/// The usual stack of tower's own layers.
fn of_tower<R, S>(
    service: S,
) -> impl Service<R, Response = (), Error = BoxError, Future: Send> + Clone + Send + Sync + 'static
where
    R: Clone + Send + Sync + 'static,
    S: Service<R, Response = (), Error = BoxError, Future: Send> + Clone + Send + Sync + 'static,
{
    ServiceBuilder::new()
        .retry(Never)
        .concurrency_limit(64)
        .timeout(SECOND)
        .service(service)
}

fn as_a_service(n: usize) -> Case {
    let signal = forever(Signal::<Tick>::new());
    for _ in 0..n {
        signal.service(of_tower(tower::service_fn(|d: fanfare::Delivery| {
            let tick = d.event::<Tick>().copied();
            listening(async move { listen(tick.expect("a tick")) })
        })));
    }
    Case::new("the same three of tower, as `service`", move || async {
        drop(signal.emit(Tick::hidden()).await);
    })
}

fn by_hand(n: usize) -> Case {
    let one = || {
        BoxCloneSyncService::new(of_tower(tower::service_fn(|tick: Tick| {
            listening(async move { listen(tick) })
        })))
    };
    let services: &'static Vec<_> = forever((0..n).map(|_| one()).collect());
    Case::new(BY_HAND, move || async move {
        let tick = Tick::hidden();
        for service in services {
            drop(service.clone().oneshot(tick).await);
        }
    })
}

async fn listening(work: impl Future<Output = ()>) -> Result<(), BoxError> {
    work.await;
    Ok(())
}
