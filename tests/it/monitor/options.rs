//! What a monitor can be told.

use std::time::Duration;

use fanfare::observe::RuntimeMonitor;
use tokio::runtime::Handle;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    let builder = || RuntimeMonitor::builder(Handle::current());
    let nanosecond = Duration::from_nanos(1);
    for (builder, option, value) in [
        (builder().name(""), "name", "\"\""),
        (builder().interval(Duration::ZERO), "interval", "0ns"),
        (builder().interval(nanosecond), "interval", "1ns"),
        (builder().interval(HOUR), "interval", "3600s"),
        (builder().stall_after(Duration::ZERO), "stall_after", "0ns"),
        (builder().stall_after(HOUR * 2), "stall_after", "7200s"),
    ] {
        let error = builder.try_build().unwrap_err();
        assert_eq!((error.option(), error.value()), (option, value));
    }
    let least = Duration::from_millis(1);
    for (interval, stall_after) in [(least, least), (HOUR / 60, HOUR)] {
        let builder = builder().interval(interval).stall_after(stall_after);
        drop(builder.try_build().unwrap());
    }
}

#[tokio::test]
#[should_panic(expected = "option `interval` cannot be 0ns: it takes 1 millisecond to a minute")]
async fn building_nonsense_panics() {
    let builder = RuntimeMonitor::builder(Handle::current());
    builder.interval(Duration::ZERO).build();
}

#[tokio::test]
async fn a_reading_has_the_name_of_its_runtime() {
    let builder = RuntimeMonitor::builder(Handle::current());
    assert_eq!(builder.clone().build().reading().runtime, "runtime");
    assert_eq!(builder.name("io").build().reading().runtime, "io");
}
