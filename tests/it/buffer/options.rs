//! Options of the buffer: what makes no sense is refused by name.

use std::time::Duration;

use fanfare::{Bus, BusBuilder, OptionError, Overflow, Signal, SignalBuilder};

type OfSignal = fn(SignalBuilder<u32>) -> SignalBuilder<u32>;

fn refused(option: OfSignal) -> (&'static str, String) {
    let error = option(Signal::builder()).try_build().unwrap_err();
    let text = error.to_string();
    assert!(text.contains(": it takes "), "{text}");
    (error.option(), error.value().to_owned())
}

#[test]
fn each_option_refuses_nonsense_with_its_name_and_the_value() {
    let table: &[(&str, &str, OfSignal)] = &[
        ("watermarks", "0", |s| s.watermarks(0, 5)),
        ("watermarks", "(6, 5) with a buffer of 10", |s| {
            s.watermarks(6, 5).buffer(10)
        }),
        ("watermarks", "(5, 11) with a buffer of 10", |s| {
            s.watermarks(5, 11).buffer(10)
        }),
        ("overflow", "WaitUpTo(0ns)", |s| {
            s.overflow(Overflow::WaitUpTo(Duration::ZERO))
        }),
        ("priorities", "1", |s| s.priorities(1, |_| 0)),
        ("priorities", "17", |s| s.priorities(17, |_| 0)),
        ("aging", "0", |s| s.priorities(2, |_| 0).aging(0)),
        ("aging", "16777217", |s| {
            s.aging((1 << 24) + 1).priorities(2, |_| 0)
        }),
        ("aging", "7", |s| s.aging(7)),
        ("priorities", "set with `keyed_by`", |s| {
            s.priorities(2, |_| 0).keyed_by(|n| *n)
        }),
        ("latest_by", "set with `keyed_by`", |s| {
            s.latest_by(|n| *n).keyed_by(|n| *n)
        }),
    ];
    for (name, value, option) in table {
        assert_eq!(refused(*option), (*name, (*value).to_owned()));
    }
}

#[test]
fn a_bus_refuses_the_same_and_its_signals_start_from_it() {
    let refused = |builder: BusBuilder| -> OptionError { builder.try_build().unwrap_err() };
    assert_eq!(
        refused(Bus::builder().watermarks(3, 2)).option(),
        "watermarks"
    );
    let none = Overflow::WaitUpTo(Duration::ZERO);
    assert_eq!(refused(Bus::builder().overflow(none)).option(), "overflow");
    let too_small = Bus::builder()
        .watermarks(500, 800)
        .signal::<u32>(|s| s.buffer(10));
    assert_eq!(refused(too_small).value(), "(500, 800) with a buffer of 10");

    let bus = Bus::builder().watermarks(1, 2).build();
    for n in 0..2_u32 {
        assert!(!bus.signal::<u32>().is_under_pressure());
        bus.try_enqueue(n).unwrap();
    }
    assert!(bus.signal::<u32>().is_under_pressure());
}

#[test]
fn the_limits_of_each_option_are_taken() {
    let all: &[OfSignal] = &[
        |s| s.watermarks(1, 1).buffer(1),
        |s| s.watermarks(10, 10).buffer(10),
        |s| s.overflow(Overflow::WaitUpTo(Duration::from_nanos(1))),
        |s| s.priorities(2, |_| 0).aging(1),
        |s| s.priorities(16, |_| 0).aging(1 << 24),
        |s| s.watermarks(5, 9).keyed_by(|n| *n),
        |s| {
            s.overflow(Overflow::WaitUpTo(Duration::MAX))
                .keyed_by(|n| *n)
        },
    ];
    for option in all {
        option(Signal::builder()).try_build().unwrap();
    }
}

#[test]
fn the_default_marks_are_half_and_four_fifths() {
    for (capacity, low, high) in [
        (1, 1, 1),
        (2, 1, 2),
        (3, 1, 3),
        (5, 2, 4),
        (1_000, 500, 800),
    ] {
        let signal = Signal::<u32>::builder().buffer(capacity).build();
        let text = signal.describe().to_string();
        let marks =
            format!("watermarks: under pressure from {high} events on, until there are {low}");
        assert!(text.contains(&marks), "{capacity}: {text}");
    }
}

#[test]
fn the_description_says_how_the_buffer_is_made() {
    let plain = Signal::<u32>::new().describe().to_string();
    assert!(!plain.contains("priorities") && !plain.contains("latest"));
    let signal = Signal::<u32>::builder()
        .buffer(100)
        .overflow(Overflow::WaitUpTo(Duration::from_secs(1)))
        .watermarks(7, 9)
        .priorities(3, |_| 0)
        .aging(12)
        .latest_by(|n| *n)
        .build();
    let text = signal.describe().to_string();
    for line in [
        "buffer: 100 events, WaitUpTo(1s) when full, 1 at once",
        "watermarks: under pressure from 9 events on, until there are 7",
        "priorities: 3 lanes of the buffer's size, aged when passed over 12 times",
        "latest: one event of each key in the buffer",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let keyed = Signal::<u32>::builder()
        .watermarks(7, 9)
        .keyed_by(|n| *n)
        .build();
    let text = keyed.describe().to_string();
    assert!(
        text.contains("from 9 events on, until there are 7"),
        "{text}"
    );
}
