//! Throughput while emitters, signals or listeners become many: `cargo bench --bench curves` prints it as Markdown, and with `-- --svg DIR` draws it
//! into that folder as well.
//!
//! The unit is calls of listeners, whatever their number, so that what costs the same a call is a flat line. The times are those of tasks on two
//! workers, starting the tasks included: every run is long enough for that to be about a hundredth.

mod support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Bus, Signal};
use futures::future::BoxFuture;
use support::args::is_test;
use support::cases::{self, forever};
use support::contenders::{self, Emit};
use support::event::{Tick, listen};
use support::plot::Plot;
use support::print::{number, table, times};
use support::rounds::{Effort, rounds};
use tokio::runtime::Runtime;

const DECADES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const EMITTERS: [usize; 5] = [2, 10, 100, 1_000, 10_000];
/// Short, so that ten thousand tasks take turns; and as many as a bus has signals here, so that no round over them is cut off.
const BETWEEN_YIELDS: u64 = 100;

fn main() {
    let effort = if is_test() {
        Effort::TEST
    } else {
        Effort {
            rounds: 5,
            batches: 1,
            batch: Duration::from_millis(250),
        }
    };
    let svg = svg_folder();
    let runtime = cases::runtime();
    for curve in [emitters, signals, listeners] {
        let curve = curve();
        let lines = measure(&runtime, &effort, &curve);
        print(&curve, &lines);
        if let Some(folder) = &svg {
            draw(&curve, &lines, folder);
        }
    }
}

/// What follows `--svg`.
fn svg_folder() -> Option<PathBuf> {
    let mut args = std::env::args().skip_while(|arg| arg != "--svg");
    args.next()?;
    let folder = args.next().expect("a folder follows `--svg`");
    Some(PathBuf::from(folder))
}

/// What grows, and what is measured while it does.
struct Curve {
    grows: &'static str,
    sizes: [usize; 5],
    lines: Vec<Line>,
}

/// Cases at the sizes of the curve, or at the first of them.
struct Line {
    name: &'static str,
    cases: Vec<Case>,
}

struct Case {
    emit: Emit,
    emitters: usize,
    listeners: usize,
}

/// One signal, one listener.
fn emitters() -> Curve {
    let line = |contender: contenders::Contender| Line {
        name: contender.name,
        cases: EMITTERS
            .map(|emitters| Case {
                emit: contender.emit,
                emitters,
                listeners: 1,
            })
            .into(),
    };
    Curve {
        grows: "emitters",
        sizes: EMITTERS,
        lines: vec![line(contenders::concurrent(1)), line(contenders::mutex(1))],
    }
}

/// One emitter that goes round the signals, each with one listener. A bus has one signal an event type, and ten thousand types would take their
/// time to compile: so there are that many signals on their own, and on a bus as many as a large service has. Signals of one type share their code;
/// those of a bus have each their own, which has to fit into the caches too.
fn signals() -> Curve {
    let line = |name, emits: &[Emit]| Line {
        name,
        cases: emits
            .iter()
            .map(|emit| Case {
                emit: *emit,
                emitters: 1,
                listeners: 1,
            })
            .collect(),
    };
    Curve {
        grows: "signals",
        sizes: DECADES,
        lines: vec![
            line("kept handles", &DECADES.map(round)),
            line("`bus.emit`", &on_a_bus()),
        ],
    }
}

/// One signal, one emitter.
fn listeners() -> Curve {
    let case = |listeners| Case {
        emit: contenders::concurrent(listeners).emit,
        emitters: 1,
        listeners,
    };
    Curve {
        grows: "listeners",
        sizes: DECADES,
        lines: vec![Line {
            name: "**`Concurrent`**",
            cases: DECADES.map(case).into(),
        }],
    }
}

/// Goes round so many signals, and on from where the last call ended.
fn round(signals: usize) -> Emit {
    let signal = |n| {
        let signal = Signal::builder().name(format!("signal {n}")).build();
        signal.on(async |tick| listen(tick));
        signal
    };
    let signals: &'static [Signal<Tick>] = (0..signals).map(signal).collect::<Vec<_>>().leak();
    let next = forever(AtomicUsize::new(0));
    forever(move |times| -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut place = next.load(Ordering::Relaxed);
            for _ in 0..times {
                signals[place].emit(Tick::hidden()).await;
                place = (place + 1) % signals.len();
            }
            next.store(place, Ordering::Relaxed);
        })
    })
}

/// An event type a number.
#[derive(Clone, Copy)]
struct Numbered<const TENS: u8, const ONES: u8>(Tick);

/// Goes round 1, 10 and 100 signals of a bus that has as many.
fn on_a_bus() -> [Emit; 3] {
    macro_rules! round {
        ($signals:literal, $register:expr, $emit:expr) => {{
            let bus = forever(Bus::new());
            $register(bus);
            forever(move |times: u64| -> BoxFuture<'static, ()> {
                Box::pin(async move {
                    for _ in 0..times.div_ceil($signals) {
                        $emit(bus).await;
                    }
                })
            })
        }};
    }
    [
        round!(1, register::<0, 0>, emit::<0, 0>),
        round!(10, register_ten::<0>, emit_ten::<0>),
        round!(100, register_hundred, emit_hundred),
    ]
}

fn register<const TENS: u8, const ONES: u8>(bus: &Bus) {
    bus.on(async |event: Numbered<TENS, ONES>| listen(event.0));
}

async fn emit<const TENS: u8, const ONES: u8>(bus: &Bus) {
    bus.emit(Numbered::<TENS, ONES>(Tick::hidden())).await;
}

macro_rules! digits {
    ($($digit:literal)*) => {
        fn register_ten<const TENS: u8>(bus: &Bus) {
            $(register::<TENS, $digit>(bus);)*
        }

        async fn emit_ten<const TENS: u8>(bus: &Bus) {
            $(emit::<TENS, $digit>(bus).await;)*
        }

        fn register_hundred(bus: &Bus) {
            $(register_ten::<$digit>(bus);)*
        }

        async fn emit_hundred(bus: &Bus) {
            $(emit_ten::<$digit>(bus).await;)*
        }
    };
}
digits!(0 1 2 3 4 5 6 7 8 9);

/// Million calls of listeners a second, for each line at its sizes.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn measure(runtime: &Runtime, effort: &Effort, curve: &Curve) -> Vec<Vec<f64>> {
    let cases: Vec<&Case> = curve.lines.iter().flat_map(|line| &line.cases).collect();
    let nanos = rounds(effort, &cases, |case, times| {
        let emitters = case.emitters as u64;
        contenders::run(runtime, case.emit, emitters, times, BETWEEN_YIELDS)
    });
    let rates = cases.iter().zip(nanos);
    let mut rates = rates.map(|(case, nanos)| case.listeners as f64 * 1_000.0 / nanos);
    let lines = curve.lines.iter();
    lines
        .map(|line| rates.by_ref().take(line.cases.len()).collect())
        .collect()
}

fn print(curve: &Curve, lines: &[Vec<f64>]) {
    println!(
        "Million calls of listeners a second, by number of {}\n",
        curve.grows
    );
    let sizes = curve.sizes.map(|size| size.to_string());
    let row = |name: String, cells: Vec<String>| {
        let cells = cells.into_iter().chain(std::iter::repeat("-".to_owned()));
        [name]
            .into_iter()
            .chain(cells.take(curve.sizes.len()))
            .collect()
    };
    let mut rows = vec![row(String::new(), sizes.to_vec())];
    for (line, rates) in curve.lines.iter().zip(lines) {
        let figures = rates.iter().map(|rate| number(*rate)).collect();
        rows.push(row(line.name.to_owned(), figures));
        let ratios = rates.iter().map(|rate| times(rate / rates[0])).collect();
        let name = format!("{}, to {}", line.name, curve.sizes[0]);
        rows.push(row(name, ratios));
    }
    if let ([ours, theirs], [first, second]) = (lines, curve.lines.as_slice()) {
        let pairs = ours.iter().zip(theirs);
        let ratios = pairs.map(|(ours, theirs)| times(ours / theirs)).collect();
        rows.push(row(format!("{} to {}", first.name, second.name), ratios));
    }
    table(&rows);
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn draw(curve: &Curve, lines: &[Vec<f64>], folder: &std::path::Path) {
    let title = format!("Throughput by number of {}", curve.grows);
    let named: Vec<String> = curve
        .lines
        .iter()
        .map(|line| line.name.replace(['*', '`'], ""))
        .collect();
    let points = |rates: &Vec<f64>| {
        let points = curve.sizes.iter().zip(rates);
        points.map(|(size, rate)| (*size as f64, *rate)).collect()
    };
    let plot = Plot {
        title: &title,
        x: curve.grows,
        y: "million calls of listeners a second",
        lines: named
            .iter()
            .map(String::as_str)
            .zip(lines.iter().map(points))
            .collect(),
    };
    std::fs::create_dir_all(folder).expect("the folder of `--svg` can be made");
    let file = folder.join(format!("{}.svg", curve.grows));
    plot.write(&file).expect("the plot can be written");
}
