//! Each shape of load, with both policies, beside the best fixed size.

use std::time::Duration;

use fanfare::Scaling;
use fanfare::scaling::{Comparison, HeldBack, Run, Simulation, Traffic};

const MIN: usize = 4;
const MAX: usize = 64;
const TICKS: usize = 400;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A shape, and in which ticks its load jumps up.
fn shapes() -> [(Traffic, Vec<usize>); 5] {
    [
        (
            Traffic::Step {
                before: 60.0,
                after: 1_000.0,
                at: seconds(10),
            },
            vec![100],
        ),
        (
            Traffic::Burst {
                base: 60.0,
                peak: 600.0,
                every: seconds(15),
                length: seconds(6),
            },
            vec![150, 300],
        ),
        (
            Traffic::Sawtooth {
                low: 40.0,
                high: 800.0,
                period: seconds(20),
            },
            vec![0],
        ),
        (
            Traffic::Diurnal {
                low: 40.0,
                high: 800.0,
                period: seconds(40),
            },
            vec![0],
        ),
        (
            Traffic::SlowLeak {
                rate: 200.0,
                growth: 0.05,
            },
            vec![0],
        ),
    ]
}

fn policies() -> [(&'static str, Scaling); 2] {
    [
        ("conservative", Scaling::conservative().min(MIN).max(MAX)),
        ("aggressive", Scaling::aggressive().min(MIN).max(MAX)),
    ]
}

/// How many jobs the run is behind the other at the end of each tick.
fn behind(run: &Run, best: &Run) -> Vec<u64> {
    let pairs = run.ticks().iter().zip(best.ticks());
    let sums = pairs.scan((0, 0), |(ours, theirs), (run, best)| {
        *ours += run.completed;
        *theirs += best.completed;
        Some(theirs.saturating_sub(*ours))
    });
    sums.collect()
}

/// The throughput has come to 90% of the best fixed size's ten ticks after each jump, and it never falls behind by more than what that does in ten ticks of it.
fn keeps_up(name: &str, compared: &Comparison, jumps: &[usize]) {
    for jump in jumps {
        let ticks = compared.ticks_to_best(*jump);
        assert!(ticks.is_some_and(|ticks| ticks <= 10), "{name}: {ticks:?}");
        let share = compared.share_of_best_at(jump + 10);
        assert!(share >= 0.9, "{name}: {share} at {jump}");
    }
    let best = compared.best();
    let most: u64 = best
        .ticks()
        .windows(10)
        .map(|ten| ten.iter().map(|it| it.completed).sum())
        .max()
        .unwrap();
    let worst = behind(compared.run(), best).into_iter().max().unwrap();
    assert!(worst <= most, "{name}: {worst} jobs behind");
    assert!(
        compared.share_of_best() > 0.99,
        "{name}: {}",
        compared.share_of_best()
    );
}

#[test]
fn every_shape_is_followed_within_ten_ticks() {
    for (traffic, jumps) in shapes() {
        for (policy, scaling) in policies() {
            let name = format!("{traffic}, {policy}");
            let simulation = Simulation::new(traffic).ticks(TICKS);
            let compared = simulation.compare(MIN, scaling).unwrap();
            keeps_up(&name, &compared, &jumps);
            assert!(compared.run().moves() > 0, "{name}");
            assert!(
                compared.overshoot() <= 1.1,
                "{name}: {}",
                compared.overshoot()
            );
            assert!((MIN..=MAX).contains(&compared.best_size()));
            let sizes = compared.run().ticks().iter().map(|tick| tick.size);
            assert!(sizes.clone().min() >= Some(MIN) && sizes.max() <= Some(MAX));
        }
    }
}

#[test]
fn a_steady_load_is_not_flapped_at() {
    let mut steady_ones = 0;
    for rate in [30.0, 60.0, 150.0, 300.0, 600.0] {
        let steady = Traffic::Step {
            before: rate,
            after: rate,
            at: Duration::ZERO,
        };
        for seed in 0..20 {
            for (policy, scaling) in policies() {
                let simulation = Simulation::new(steady).ticks(900).seed(seed);
                let run = simulation.run(MIN, scaling).unwrap();
                let flaps = run.reversals_from(300);
                steady_ones += usize::from(flaps == 0);
                assert!(
                    flaps <= 2,
                    "{policy}, {rate} a second, seed {seed}: {flaps}"
                );
                assert!(run.moves() > 0 || rate < 61.0, "{policy}, {rate}");
            }
        }
    }
    // Jobs come by chance: in a minute after the first half of one, nine of ten never go back.
    assert!(steady_ones >= 180, "{steady_ones} of 200");
}

#[test]
fn steps_of_any_height_are_followed_whatever_the_seed() {
    for seed in 0..10 {
        for (times, (policy, scaling)) in [2.0, 4.0, 8.0, 16.0]
            .into_iter()
            .zip([policies(), policies()].into_iter().flatten())
        {
            let step = Traffic::Step {
                before: 60.0,
                after: 60.0 * times,
                at: seconds(5),
            };
            let simulation = Simulation::new(step).ticks(150).seed(seed);
            let compared = simulation.compare(MIN, scaling).unwrap();
            keeps_up(
                &format!("{policy}, {times} times, seed {seed}"),
                &compared,
                &[50],
            );
        }
    }
}

#[test]
fn saturated_cores_are_not_fed_more() {
    let flood = Traffic::Step {
        before: 60.0,
        after: 600.0,
        at: seconds(5),
    };
    for (policy, scaling) in policies() {
        let simulation = Simulation::new(flood).cores(8).ticks(200);
        let compared = simulation.compare(MIN, scaling).unwrap();
        // Eight cores do 160 jobs a second of 50 ms.
        let run = compared.run();
        assert!(run.peak() <= 16, "{policy}: {}", run.peak());
        let held = run
            .ticks()
            .iter()
            .filter(|tick| tick.held_back == Some(HeldBack::RuntimeBusy));
        assert!(held.count() > 100, "{policy}");
        assert!(
            compared.share_of_best() > 0.9,
            "{policy}: {}",
            compared.share_of_best()
        );
        // With as many permits as there may be it would do less.
        let most = simulation.run_fixed(MAX).unwrap();
        assert!(run.completed() * 9 > most.completed() * 10, "{policy}");
    }
}

#[test]
fn a_simulation_is_the_same_again_and_another_with_another_seed() {
    let run = |seed| {
        let simulation = Simulation::new(shapes()[1].0).ticks(100).seed(seed);
        simulation.run(MIN, Scaling::aggressive().max(MAX)).unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_simulation_loses_no_job_and_serves_as_many_as_it_has_servers() {
    for (traffic, _) in shapes() {
        let run = Simulation::new(traffic).ticks(TICKS).run_fixed(10).unwrap();
        let load: u64 = run.ticks().iter().map(|tick| tick.load).sum();
        let last = run.ticks().last().unwrap();
        let left = u64::try_from(last.in_use + last.waiting).unwrap();
        assert_eq!(load, run.completed() + left, "{traffic}");
        for tick in run.ticks() {
            assert!(tick.in_use <= 10 && (tick.waiting == 0 || tick.in_use == 10));
        }
        assert_eq!((run.moves(), run.reversals(), run.peak()), (0, 0, 10));
    }
    // Ten servers do two hundred jobs a second of 50 ms.
    let flood = Traffic::Step {
        before: 1_000.0,
        after: 1_000.0,
        at: Duration::ZERO,
    };
    let done = Simulation::new(flood)
        .jitter(0.0)
        .ticks(100)
        .run_fixed(10)
        .unwrap();
    assert!(
        (1_980..=2_000).contains(&done.completed()),
        "{}",
        done.completed()
    );
    let slow = Simulation::new(flood)
        .service(seconds(1))
        .jitter(0.0)
        .ticks(100);
    assert!((90..=100).contains(&slow.run_fixed(10).unwrap().completed()));
}

#[test]
fn the_shapes_are_what_they_are_called() {
    let [step, burst, sawtooth, diurnal, leak] = shapes().map(|(traffic, _)| traffic);
    let rates = |traffic: Traffic, at: &[f64]| -> Vec<f64> {
        at.iter()
            .map(|at| traffic.rate(Duration::from_secs_f64(*at)).round())
            .collect()
    };
    assert_eq!(
        rates(step, &[0.0, 9.9, 10.0, 39.0]),
        [60.0, 60.0, 1_000.0, 1_000.0]
    );
    assert_eq!(
        rates(burst, &[0.0, 14.9, 15.0, 20.9, 21.0, 30.0]),
        [60.0, 60.0, 600.0, 600.0, 60.0, 600.0]
    );
    assert_eq!(
        rates(sawtooth, &[0.0, 10.0, 19.999, 20.0]),
        [40.0, 420.0, 800.0, 40.0]
    );
    assert_eq!(
        rates(diurnal, &[0.0, 10.0, 20.0, 40.0]),
        [40.0, 420.0, 800.0, 40.0]
    );
    assert_eq!(rates(leak, &[0.0, 20.0]), [200.0, 200.0]);
    assert!((leak.slowdown(seconds(20)) - 2.0).abs() < 1e-9);
    assert!((step.slowdown(seconds(20)) - 1.0).abs() < 1e-9);
}
