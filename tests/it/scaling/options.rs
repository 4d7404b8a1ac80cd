//! Each option is refused by name where it makes no sense, and does what it says where it does.

use std::time::Duration;

use fanfare::scaling::{ScaleReason, Simulation, Traffic};
use fanfare::{Balance, OptionError, Pool, Scaling};

use super::{MS, Scripted, scripted, sleepy, tick};

fn refused(scaling: Scaling) -> (&'static str, String) {
    of(&Pool::builder(8).scaling(scaling).try_build().unwrap_err())
}

fn of(error: &OptionError) -> (&'static str, String) {
    (error.option(), error.value().to_owned())
}

#[test]
fn a_scaling_outside_its_limits_is_refused_by_name() {
    let it = Scaling::conservative;
    let custom = || Scaling::custom(Scripted::default());
    let hour = Duration::from_secs(3_601);
    let cases = [
        (it().min(0), "min", "0"),
        (it().min(9), "min", "9"),
        (it().max(7), "max", "7"),
        (it().max((1 << 20) + 1), "max", "1048577"),
        (it().tick(Duration::from_micros(999)), "tick", "999µs"),
        (it().tick(hour), "tick", "3601s"),
        (it().target_wait(Duration::ZERO), "target_wait", "0ns"),
        (it().target_wait(hour), "target_wait", "3601s"),
        (it().hysteresis(0.0, 0.5), "hysteresis", "0, 0.5"),
        (it().hysteresis(0.5, 0.5), "hysteresis", "0.5, 0.5"),
        (it().hysteresis(0.5, 1.1), "hysteresis", "0.5, 1.1"),
        (it().hysteresis(f64::NAN, 0.8), "hysteresis", "NaN, 0.8"),
        (it().step_up(0.0), "step_up", "0"),
        (it().step_up(4.1), "step_up", "4.1"),
        (it().step_down(0.0), "step_down", "0"),
        (it().step_down(0.6), "step_down", "0.6"),
        (it().step_down(f64::NAN), "step_down", "NaN"),
        (it().saturation(0.0), "saturation", "0"),
        (it().saturation(1.5), "saturation", "1.5"),
        (it().cool_down(100_001), "cool_down", "100001"),
        (custom().target_wait(MS), "target_wait", "1ms"),
        (custom().hysteresis(0.1, 0.2), "hysteresis", "(0.1, 0.2)"),
    ];
    for (scaling, option, value) in cases {
        assert_eq!(refused(scaling), (option, value.to_owned()));
    }
    assert_eq!(
        of(&Pool::builder(8).name("").try_build().unwrap_err()),
        ("name", "\"\"".into())
    );
    for size in [1, 1 << 20] {
        let scaling = Scaling::aggressive()
            .tick(MS)
            .cool_down(100_000)
            .saturation(1.0);
        let pool = Pool::builder(size).scaling(scaling).build();
        assert_eq!(pool.scaling().unwrap().max(), (16 * size).min(1 << 20));
    }
}

#[tokio::test(start_paused = true)]
async fn a_balance_outside_its_limits_is_refused_by_name() {
    let (one, other) = (Pool::new(1), Pool::new(1));
    let two = |total| Balance::new(total).pool(&one, 2).pool(&other, 3);
    let refused = |balance: Balance| of(&balance.try_start().unwrap_err());
    assert_eq!(refused(Balance::new(4)), ("pools", "0".into()));
    assert_eq!(refused(two(4)), ("total", "4".into()));
    assert_eq!(refused(two(65_537)), ("total", "65537".into()));
    assert_eq!(refused(two(8).step(0.0)), ("step", "0".into()));
    assert_eq!(refused(two(8).step(1.1)), ("step", "1.1".into()));
    assert_eq!(
        refused(two(8).hysteresis(0.9)),
        ("hysteresis", "0.9".into())
    );
    assert_eq!(refused(two(8).tick(Duration::ZERO)), ("tick", "0ns".into()));
    assert_eq!(refused(Balance::new(8).pool(&one, 0)), ("min", "0".into()));
    assert_eq!(refused(two(8).pool(&one, 1)).0, "pool");
    let scaling = Pool::builder(2).scaling(Scaling::conservative()).build();
    assert_eq!(refused(two(8).pool(&scaling, 1)).0, "pool");
    assert_eq!((one.size(), other.size()), (1, 1), "they stay as they are");
    assert_eq!(two(5).start().sizes(), [2, 3]);
}

#[test]
fn a_balance_is_started_inside_a_runtime() {
    let pool = Pool::new(3);
    let error = Balance::new(4).pool(&pool, 2).try_start().unwrap_err();
    assert_eq!((error.option(), pool.size()), ("runtime", 3));
}

#[test]
fn a_simulation_outside_its_limits_is_refused_by_name() {
    let steady = Traffic::Step {
        before: 10.0,
        after: 10.0,
        at: Duration::ZERO,
    };
    let it = || Simulation::new(steady);
    let cases = [
        (it().ticks(0), "ticks", "0"),
        (it().cores(0), "cores", "0"),
        (it().service(Duration::ZERO), "service", "0ns"),
        (it().jitter(1.5), "jitter", "1.5"),
    ];
    for (simulation, option, value) in cases {
        let error = simulation.run_fixed(1).unwrap_err();
        assert_eq!(of(&error), (option, value.to_owned()));
        assert!(simulation.run(1, Scaling::conservative()).is_err());
        assert!(simulation.compare(1, Scaling::conservative()).is_err());
    }
    assert_eq!(it().run_fixed(0).unwrap_err().option(), "pool");
    assert_eq!(
        it().run(2, Scaling::conservative().min(3))
            .unwrap_err()
            .option(),
        "min"
    );
}

#[tokio::test(start_paused = true)]
async fn the_tick_the_steps_and_the_cool_down_are_what_they_are_set_to() {
    let policy = Scripted::default();
    let scaling = Scaling::custom(policy.clone()).tick(300 * MS).max(100);
    let scaling = scaling.step_up(0.25).step_down(0.5).cool_down(2);
    let pool = Pool::builder(8).scaling(scaling).build();
    let _busy = sleepy(&pool, MS);
    policy.say(100);
    let mut sizes = Vec::new();
    for n in 0..21 {
        if n == 6 {
            policy.say(1);
        }
        tick().await;
        sizes.push(pool.size());
    }
    let each: Vec<_> = sizes.chunks(3).map(|three| three[2]).collect();
    assert_eq!(sizes[..3], [8, 8, 10], "no tick before its time");
    // Two ticks after each change it does not shrink.
    assert_eq!(each, [10, 13, 13, 13, 7, 7, 7]);
}

/// A load that is steady.
fn steady(rate: f64) -> Simulation {
    Simulation::new(Traffic::Step {
        before: rate,
        after: rate,
        at: Duration::ZERO,
    })
}

#[test]
fn a_larger_target_wait_and_a_higher_band_take_fewer_permits() {
    // Four servers are in use for 85% of the time, and jobs wait for some tens of milliseconds.
    let last = |scaling: Scaling| {
        let run = steady(68.0).run(4, scaling.min(4)).unwrap();
        run.ticks().last().unwrap().size
    };
    let small = last(Scaling::conservative().target_wait(MS));
    let large = last(Scaling::conservative().target_wait(400 * MS));
    assert!(small > 4 && large == 4, "{small} {large}");
    let begin_large = |scaling: Scaling| {
        let run = steady(400.0).run(200, scaling.max(200)).unwrap();
        run.ticks().last().unwrap().size
    };
    let roomy = begin_large(Scaling::conservative().hysteresis(0.2, 0.8));
    let tight = begin_large(Scaling::conservative().hysteresis(0.7, 0.95));
    assert!(roomy > 2 * tight, "{roomy} {tight}");
}

#[tokio::test(start_paused = true)]
async fn the_aggressive_policy_doubles_and_the_conservative_adds_a_half() {
    for (scaling, first) in [(Scaling::conservative(), 12), (Scaling::aggressive(), 16)] {
        let pool = Pool::builder(8).scaling(scaling).build();
        let signal = sleepy(&pool, Duration::from_secs(1));
        for n in 0..200 {
            signal.emit_detached(n).unwrap();
        }
        tick().await;
        assert_eq!(pool.size(), first);
    }
    let (_, builder, _) = scripted(1, 2);
    assert!(builder.build().scaling().is_some());
    assert_eq!(ScaleReason::Idle.to_string(), "few permits were in use");
}
