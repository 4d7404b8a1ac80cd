//! What a check can be told.

use std::time::Duration;

use fanfare::Bus;
use fanfare::observe::HealthCheckBuilder;

use super::{MINUTE, SECOND, check};

type Set = fn(HealthCheckBuilder) -> HealthCheckBuilder;

const HOUR: Duration = Duration::from_secs(3_600);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn nonsense_is_refused_by_name() {
    let nonsense: [(Set, &str, &str); 22] = [
        (|check| check.window(MILLI), "window", "1ms"),
        (|check| check.window(HOUR * 25), "window", "90000s"),
        (|check| check.min_calls(0), "min_calls", "0"),
        (
            |check| check.min_calls(1_000_000_001),
            "min_calls",
            "1000000001",
        ),
        (|check| check.failure_share(0.0), "failure_share", "0"),
        (|check| check.failure_share(1.1), "failure_share", "1.1"),
        (
            |check| check.failure_share(f64::NAN),
            "failure_share",
            "NaN",
        ),
        (|check| check.slow_p99(Duration::ZERO), "slow_p99", "0ns"),
        (|check| check.slow_p99(MINUTE * 19), "slow_p99", "1140s"),
        (|check| check.pool_wait(Duration::ZERO), "pool_wait", "0ns"),
        (|check| check.pool_wait(HOUR * 2), "pool_wait", "7200s"),
        (|check| check.buffer_share(-0.5), "buffer_share", "-0.5"),
        (|check| check.buffer_share(2.0), "buffer_share", "2"),
        (|check| check.background_share(0.0), "background_share", "0"),
        (|check| check.background_share(2.0), "background_share", "2"),
        (
            |check| check.stalled_after(Duration::ZERO),
            "stalled_after",
            "0ns",
        ),
        (
            |check| check.stalled_after(HOUR * 2),
            "stalled_after",
            "7200s",
        ),
        (
            |check| check.blocked_after(Duration::ZERO),
            "blocked_after",
            "0ns",
        ),
        (
            |check| check.blocked_after(HOUR * 2),
            "blocked_after",
            "7200s",
        ),
        (|check| check.max_tasks(0), "max_tasks", "0"),
        (|check| check.max_memory(0), "max_memory", "0"),
        (|check| check.worst(1_001), "worst", "1001"),
    ];
    let bus = Bus::new();
    for (set, option, value) in nonsense {
        let error = set(check(&bus)).try_build().unwrap_err();
        assert_eq!((error.option(), error.value()), (option, value));
    }
}

#[test]
fn the_limits_themselves_are_taken() {
    let bus = Bus::new();
    let least = check(&bus)
        .window(SECOND)
        .failure_share(1.0)
        .slow_p99(MILLI);
    let least = least.pool_wait(MILLI).stalled_after(MILLI);
    let least = least.blocked_after(MILLI).max_tasks(1).max_memory(1);
    drop(least.worst(0).try_build().unwrap());
    let most = check(&bus).window(HOUR * 24).min_calls(1_000_000_000);
    let most = most.slow_p99(MINUTE * 18).pool_wait(HOUR);
    let most = most.stalled_after(HOUR).blocked_after(HOUR);
    let most = most.max_tasks(1_000_000_000).max_memory(u64::MAX);
    drop(most.worst(1_000).try_build().unwrap());
}

#[test]
#[should_panic(expected = "option `window` cannot be 1ms: it takes 1 second to a day")]
fn building_nonsense_panics() {
    drop(check(&Bus::new()).window(MILLI).build());
}
