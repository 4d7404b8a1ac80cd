//! A pool that chooses its own size: every shape of load in the simulator, with both policies, and then a bus under a step of load.
//!
//! `cargo run --example scaling` prints a table and the decisions; with `-- --svg DIR` it draws each shape into that folder as well.

#[path = "../benches/support/chart.rs"]
mod chart;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use chart::Chart;
use fanfare::scaling::{Comparison, Simulation, Tick, Traffic};
use fanfare::{Bus, Pool, Scaled, Scaling};
use tokio::runtime::Builder;

const MIN: usize = 4;
const MAX: usize = 64;

#[derive(Clone)]
struct OrderPlaced;

/// The name of a shape, the load, and the tick in which that jumps.
type Shape = (&'static str, Traffic, usize);

fn shapes() -> [Shape; 5] {
    let seconds = Duration::from_secs;
    let step = Traffic::Step {
        before: 60.0,
        after: 1_000.0,
        at: seconds(10),
    };
    let burst = Traffic::Burst {
        base: 60.0,
        peak: 600.0,
        every: seconds(15),
        length: seconds(6),
    };
    let sawtooth = Traffic::Sawtooth {
        low: 40.0,
        high: 800.0,
        period: seconds(20),
    };
    let diurnal = Traffic::Diurnal {
        low: 40.0,
        high: 800.0,
        period: seconds(40),
    };
    let leak = Traffic::SlowLeak {
        rate: 200.0,
        growth: 0.05,
    };
    [
        ("step", step, 100),
        ("burst", burst, 150),
        ("sawtooth", sawtooth, 0),
        ("diurnal", diurnal, 0),
        ("slow-leak", leak, 0),
    ]
}

fn policies() -> [(&'static str, Scaling); 2] {
    [
        ("conservative", Scaling::conservative()),
        ("aggressive", Scaling::aggressive()),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let svg = svg_folder();
    println!(
        "| load | policy | best fixed size | of its throughput | ticks to 90% of it | moves | turns | overshoot |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for (name, traffic, jump) in shapes() {
        let mut compared = Vec::new();
        for (policy, scaling) in policies() {
            let simulation = Simulation::new(traffic).ticks(400);
            let one = simulation.compare(MIN, scaling.min(MIN).max(MAX))?;
            println!("{}", row(name, policy, jump, &one));
            compared.push(one);
        }
        if let Some(folder) = &svg {
            draw(name, &compared, folder)?;
        }
    }
    // The clock is that of the runtime, which goes on to the next thing to do.
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build()?;
    runtime.block_on(live());
    Ok(())
}

/// What follows `--svg`.
fn svg_folder() -> Option<PathBuf> {
    let mut args = std::env::args().skip_while(|arg| arg != "--svg");
    args.next()?;
    args.next().map(PathBuf::from)
}

fn row(name: &str, policy: &str, jump: usize, compared: &Comparison) -> String {
    let run = compared.run();
    let ticks = compared.ticks_to_best(jump);
    let ticks = ticks.map_or_else(|| "never".to_owned(), |ticks| ticks.to_string());
    format!(
        "| {name} | {policy} | {} | {:.1}% | {ticks} | {} | {} | {:.0}% |",
        compared.best_size(),
        100.0 * compared.share_of_best(),
        run.moves(),
        run.reversals(),
        100.0 * compared.overshoot(),
    )
}

fn draw(
    name: &str,
    compared: &[Comparison],
    folder: &std::path::Path,
) -> Result<(), Box<dyn Error>> {
    let line = |compared: &Comparison, value: fn(&Tick) -> usize| {
        let ticks = compared.run().ticks().iter().map(value);
        ticks
            .map(|value| u32::try_from(value).unwrap_or(u32::MAX).into())
            .collect::<Vec<f64>>()
    };
    let conservative = &compared[0];
    Chart {
        title: name,
        lines: vec![
            (
                "jobs that came in the tick",
                line(conservative, |tick| usize::try_from(tick.load).unwrap_or(0)),
            ),
            ("size, conservative", line(conservative, |tick| tick.size)),
            ("size, aggressive", line(&compared[1], |tick| tick.size)),
            (
                "waiting, conservative",
                line(conservative, |tick| tick.waiting),
            ),
        ],
    }
    .write(&folder.join(format!("scaling-{name}.svg")))
}

/// A bus whose pool scales: four orders a tick, then fifty, then four again.
async fn live() {
    let scaling = Scaling::conservative().min(MIN).max(MAX);
    let pool = Pool::builder(MIN).name("orders").scaling(scaling).build();
    let bus = Bus::builder().pool(pool.clone()).build();
    bus.on_sync(|scaled: &Scaled| println!("{scaled}"));
    bus.on(async |_: OrderPlaced| tokio::time::sleep(Duration::from_millis(50)).await);
    for (ticks, orders) in [(5, 4), (20, 50), (40, 4)] {
        println!("{} orders a second:", orders * 10);
        for _ in 0..ticks * orders {
            if bus.signal().emit_detached(OrderPlaced).is_err() {
                println!("an order was refused");
            }
            tokio::time::sleep(Duration::from_millis(100) / orders).await;
        }
    }
    let left = bus.shutdown(Duration::from_secs(10)).await;
    let status = pool.scaling().expect("it scales");
    println!("{status}; shutdown was clean: {}", left.is_clean());
}
