//! What seeing costs: `cargo bench --features prometheus,metrics-facade --bench metrics` prints it as Markdown.
//!
//! Emissions at each level beside one that is measured not at all, a reference load, memory by a counting allocator, and what a snapshot and a scrape take. Ratios in one run can be trusted.

mod support;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use fanfare::layer::Trace;
use fanfare::observe::prometheus::{Endpoint, EndpointBuilder, Format};
use fanfare::{Bus, BusBuilder, Derived, Metrics, Signal, SignalBuilder};
use metrics_util::debugging::DebuggingRecorder;
use support::args::is_test;
use support::cases::{self, Case, forever};
use support::event::{Tick, listen, work};
use support::print::{number, table, times};
use support::rounds::{Effort, rounds};
use tokio::runtime::Runtime;

const SIZES: [usize; 3] = [1, 10, 100];
/// The reference load: so many emissions a second, of ten listeners of two microseconds each.
const LOAD: f64 = 10_000.0;
/// What it may take of one core.
const MOST_LOAD: f64 = 0.01;
const SIGNALS: usize = 1_000;
const LISTENERS: usize = 10;
const SAMPLED: Metrics = Metrics::Sampled(64);
const LEVELS: [(&str, Metrics); 4] = [
    ("off", Metrics::Off),
    ("counting", Metrics::Counting),
    ("timing 1 in 64", SAMPLED),
    ("timing all", Metrics::Timed),
];
const MEBI: f64 = 1_048_576.0;

fn main() {
    let test = is_test();
    let effort = if test { Effort::TEST } else { Effort::FULL };
    let runtime = cases::runtime();
    let ready = emissions(&effort, &runtime);
    reference_load(&effort, &runtime, &ready, test);
    memory(test);
    reading(&effort);
    with_a_subscriber(&effort, &runtime);
}

/// Cases, one column a size: prints nanoseconds and multiples of the first row, and gives the column of ten listeners.
fn compare(effort: &Effort, runtime: &Runtime, cases_of: fn(usize) -> Vec<Case>) -> Vec<f64> {
    let columns = SIZES.map(cases_of);
    let time = |case: &Case, times| case.time(runtime, times);
    let nanos: Vec<_> = columns
        .iter()
        .map(|cases| rounds(effort, cases, time))
        .collect();
    let head = ["", "1 listener", "10", "100", "1 listener", "10", "100"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (row, case) in columns[0].iter().enumerate() {
        let figures = nanos.iter().map(|column| number(column[row]));
        let ratios = nanos.iter().map(|column| times(column[row] / column[0]));
        let name = [case.name.to_owned()].into_iter();
        rows.push(name.chain(figures).chain(ratios).collect());
    }
    table(&rows);
    nanos.into_iter().nth(1).expect("the second of three")
}

fn emissions(effort: &Effort, runtime: &Runtime) -> Vec<f64> {
    println!(
        "Nanoseconds an emission to listeners that are ready at once, and multiples of one at the level off\n"
    );
    let recorder = DebuggingRecorder::new();
    recorder.install().expect("it is the first");
    compare(effort, runtime, |n| {
        let mut all: Vec<Case> = LEVELS
            .into_iter()
            .map(|(name, level)| emitting(name, n, |signal| signal.metrics(level)))
            .collect();
        all.push(emitting("`Trace`, and no subscriber", n, |signal| {
            signal.trace(Trace::info())
        }));
        all.push(by_name(n));
        all.push(by_handle(n));
        all
    })
}

fn emitting(
    name: &'static str,
    n: usize,
    with: impl Fn(SignalBuilder<Tick>) -> SignalBuilder<Tick>,
) -> Case {
    let signal = forever(with(Signal::builder().max_listeners(n)).build());
    for _ in 0..n {
        signal.on(async |tick| listen(tick));
    }
    Case::new(name, move || async {
        drop(signal.emit(Tick::hidden()).await);
    })
}

/// What one writes who counts in the listeners.
fn by_name(n: usize) -> Case {
    let signal = forever(Signal::<Tick>::builder().max_listeners(n).build());
    for _ in 0..n {
        signal.on(async |tick| {
            listen(tick);
            metrics::counter!("calls", "listener" => "audit").increment(1);
        });
    }
    Case::new("`metrics::counter!` by hand, by name", move || async {
        drop(signal.emit(Tick::hidden()).await);
        metrics::counter!("emissions").increment(1);
    })
}

fn by_handle(n: usize) -> Case {
    static CALLS: LazyLock<metrics::Counter> =
        LazyLock::new(|| metrics::counter!("calls", "listener" => "audit"));
    static EMISSIONS: LazyLock<metrics::Counter> = LazyLock::new(|| metrics::counter!("emissions"));
    let signal = forever(Signal::<Tick>::builder().max_listeners(n).build());
    for _ in 0..n {
        signal.on(async |tick| {
            listen(tick);
            CALLS.increment(1);
        });
    }
    Case::new("`metrics::counter!` by hand, handles kept", move || async {
        drop(signal.emit(Tick::hidden()).await);
        EMISSIONS.increment(1);
    })
}

/// What the levels take of one core, by what an emission takes more than at the level off: of listeners that are ready, which is exact, and of listeners that work, which is what is asked for.
fn reference_load(effort: &Effort, runtime: &Runtime, ready: &[f64], test: bool) {
    println!(
        "The reference load, 10 listeners of 2 microseconds at 10,000 emissions a second: what an emission takes, and what the level takes of one core\n"
    );
    let cases: Vec<Case> = LEVELS
        .iter()
        .map(|(name, level)| {
            let signal = forever(Signal::<Tick>::builder().metrics(*level).build());
            for _ in 0..10 {
                signal.on(async |tick| {
                    work(tick);
                    work(tick);
                });
            }
            Case::new(name, move || async {
                drop(signal.emit(Tick::hidden()).await);
            })
        })
        .collect();
    let working = rounds(effort, &cases, |case, times| case.time(runtime, times));
    let percent = |share: f64| format!("{:.3}%", share * 100.0);
    let head = ["", "microseconds", "of one core", "by ready listeners"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (row, (name, _)) in LEVELS.iter().enumerate() {
        let share = |nanos: &[f64]| (nanos[row] - nanos[0]) * LOAD / 1e9;
        let exact = share(ready);
        assert!(test || exact < MOST_LOAD, "{name} takes {exact} of a core");
        rows.push(vec![
            (*name).to_owned(),
            number(working[row] / 1_000.0),
            percent(share(&working)),
            percent(exact),
        ]);
    }
    table(&rows);
}

/// A bus with a thousand signals of ten listeners each: one that is emitted to, and what is derived from it.
fn thousand(builder: BusBuilder) -> (Bus, Vec<Derived<Tick>>) {
    let bus = builder.max_listeners(SIGNALS + LISTENERS).build();
    let root = bus.signal::<Tick>();
    let derived: Vec<_> = (1..SIGNALS).map(|_| root.map(|tick| *tick)).collect();
    for _ in 0..LISTENERS {
        root.on(async |tick| listen(tick));
        for signal in &derived {
            signal.on(async |tick| listen(tick));
        }
    }
    (bus, derived)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn memory(test: bool) {
    println!(
        "Memory of a bus with 1,000 signals and 10,000 listeners, after emissions that reached all of them\n"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    // As many as it takes for one in 64 to be some.
    let emissions = if test { 1 } else { 200 };
    let held = |level, series: usize| {
        let mut kept = None;
        let memory = measure(|| {
            let (bus, derived) = thousand(Bus::builder().metrics(level).max_series(series));
            runtime.block_on(async {
                for _ in 0..emissions {
                    drop(bus.emit(Tick::hidden()).await);
                }
            });
            kept = Some((bus, derived));
        });
        let (bus, _) = kept.expect("it was made");
        assert_eq!(bus.stats().emissions(), emissions);
        memory.bytes_current
    };
    let off = held(Metrics::Off, 256);
    let columns = ["", "MiB", "more than off, MiB"];
    let mut rows = vec![columns.map(str::to_owned).to_vec()];
    let mut add = |name: &str, bytes: i64| {
        let mebi = |bytes: i64| format!("{:.2}", bytes as f64 / MEBI);
        rows.push(vec![name.to_owned(), mebi(bytes), mebi(bytes - off)]);
    };
    for (name, level) in LEVELS {
        let bytes = held(level, 256);
        add(name, bytes);
    }
    let unlimited = held(Metrics::Timed, usize::MAX);
    add("timing all, `max_series` without a limit", unlimited);
    table(&rows);
}

/// An event type a number.
#[derive(Clone, Copy)]
struct Numbered<const NUMBER: u8>(Tick);

async fn populate<const NUMBER: u8>(bus: &Bus) {
    for n in 0..LISTENERS {
        let listener = bus.listen::<Numbered<NUMBER>>();
        let listener = listener.key(format!("listener-{n}"));
        let listener = listener.on(async |event| listen(event.0));
        drop(listener.expect("the keys differ"));
    }
    drop(bus.emit(Numbered::<NUMBER>(Tick::hidden())).await);
}

macro_rules! populate_all {
    ($bus:expr, $($number:literal)*) => {
        $(Box::pin(populate::<$number>($bus)).await;)*
    };
}

/// A hundred buses, each of ten event types with ten listeners, and with room for two histograms: a bus of a thousand types would take minutes to compile.
fn hundred_buses(level: Metrics) -> Vec<Bus> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let bus = |n| {
        let builder = Bus::builder().name(format!("bus-{n}"));
        let bus = builder.metrics(level).max_series(2).build();
        runtime.block_on(async {
            populate_all!(&bus, 0 1 2 3 4 5 6 7 8 9);
        });
        bus
    };
    (0..100).map(bus).collect()
}

fn endpoint(buses: &[Bus], listeners: usize) -> Endpoint {
    let (first, rest) = buses.split_first().expect("there are a hundred");
    let builder = Endpoint::builder(first).max_listeners(listeners);
    rest.iter().fold(builder, EndpointBuilder::bus).build()
}

struct Reader {
    name: &'static str,
    read: Box<dyn Fn()>,
}

fn readers() -> Vec<Reader> {
    let (counting, timed) = (
        hundred_buses(Metrics::Counting),
        hundred_buses(Metrics::Timed),
    );
    let snapshots = |buses: &[Bus]| -> Box<dyn Fn()> {
        let buses = buses.to_vec();
        Box::new(move || drop(buses.iter().map(Bus::snapshot).collect::<Vec<_>>()))
    };
    let scrape = |buses: &[Bus], listeners| -> Box<dyn Fn()> {
        let endpoint = endpoint(buses, listeners);
        Box::new(move || drop(endpoint.text(Format::Prometheus)))
    };
    let health = counting.clone();
    let all = SIGNALS * LISTENERS;
    [
        ("snapshots, counting", snapshots(&counting)),
        ("snapshots, timing all", snapshots(&timed)),
        (
            "health",
            Box::new(move || health.iter().for_each(|bus| drop(bus.health()))),
        ),
        ("a scrape, counting", scrape(&counting, 1_000)),
        ("a scrape, timing all", scrape(&timed, 1_000)),
        (
            "a scrape, timing all, series for all listeners",
            scrape(&timed, all),
        ),
    ]
    .into_iter()
    .map(|(name, read)| Reader { name, read })
    .collect()
}

/// What those pay who ask. Between two questions it costs nothing.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn reading(effort: &Effort) {
    println!(
        "Reading 1,000 signals and 10,000 listeners: how long it takes, what that is of one core every 15 seconds, and the most memory meanwhile\n"
    );
    let readers = readers();
    let nanos = rounds(effort, &readers, |reader, times| -> Duration {
        let began = Instant::now();
        (0..times).for_each(|_| (reader.read)());
        began.elapsed()
    });
    let head = [
        "",
        "milliseconds",
        "of one core",
        "MiB at most",
        "to the first",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (reader, took) in readers.iter().zip(&nanos) {
        let most = measure(|| (reader.read)()).bytes_max as f64 / MEBI;
        rows.push(vec![
            reader.name.to_owned(),
            number(took / 1e6),
            format!("{:.3}%", took / 15e9 * 100.0),
            number(most),
            times(took / nanos[0]),
        ]);
    }
    table(&rows);
}

/// Last, since there is a subscriber from here on.
fn with_a_subscriber(effort: &Effort, runtime: &Runtime) {
    println!(
        "Nanoseconds an emission where a subscriber takes all spans and writes none, and multiples of one without `Trace`\n"
    );
    let subscriber = tracing_subscriber::registry();
    tracing::subscriber::set_global_default(subscriber).expect("it is the first");
    compare(effort, runtime, |n| {
        vec![
            emitting("no `Trace`", n, |signal| signal),
            emitting("`Trace`, 1 in a million", n, |signal| {
                signal.trace(Trace::info().sample(1_000_000))
            }),
            emitting("`Trace`, 1 in 64", n, |signal| {
                signal.trace(Trace::info().sample(64))
            }),
            emitting("`Trace`, all", n, |signal| signal.trace(Trace::info())),
        ]
    });
}
