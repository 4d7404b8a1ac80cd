//! Over what time counts are, and that callers leave each other's alone.

use fanfare::Bus;
use fanfare::observe::{Health, Reason};
use tokio::time::advance;

use super::{MINUTE, SECOND, check};

fn failed(health: &Health) -> u64 {
    let failed = health.reasons.iter().map(|reason| match reason {
        Reason::Failing { failed, .. } => *failed,
        other => panic!("{other}"),
    });
    failed.sum()
}

fn failing_bus() -> Bus {
    let bus = Bus::builder().on_failure(|_| {}).build();
    bus.on(async |_: u32| Err::<(), _>("no"));
    bus
}

#[tokio::test(start_paused = true)]
async fn before_a_window_has_passed_counts_are_over_all_time() {
    let bus = failing_bus();
    let _ = bus.emit(1_u32).await;
    advance(MINUTE * 10).await;
    let check = check(&bus).build();
    let health = check.health();
    assert_eq!((health.window, failed(&health)), (None, 1));
    advance(MINUTE).await;
    let health = check.health();
    assert_eq!((health.window, failed(&health)), (Some(MINUTE), 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_asks_often_makes_the_window_of_another_no_shorter() {
    let bus = failing_bus();
    let check = check(&bus).build();
    check.health();
    advance(MINUTE * 5).await;
    let _ = bus.emit(1_u32).await;
    // One asks each second, and the other, with a clone, every 20.
    let (often, seldom) = (check.clone(), check);
    for second in 0..200_u32 {
        let health = often.health();
        let window = health.window.unwrap();
        assert!(window >= MINUTE, "{second}: {window:?}");
        let expected = match second {
            ..60 => Some(1),
            60..75 => None,
            _ => Some(0),
        };
        assert!(
            expected.is_none_or(|expected| failed(&health) == expected),
            "{second}"
        );
        if second % 20 == 0 {
            let health = seldom.health();
            assert!(
                expected.is_none_or(|expected| failed(&health) == expected),
                "{second}"
            );
        }
        advance(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_is_as_long_as_it_was_asked_to_be_or_longer_if_nobody_looked() {
    let bus = failing_bus();
    let check = check(&bus).window(SECOND * 10).build();
    check.health();
    let _ = bus.emit(1_u32).await;
    advance(SECOND * 9).await;
    assert_eq!(check.health().window, None);
    advance(SECOND).await;
    let health = check.health();
    assert_eq!((health.window, failed(&health)), (Some(SECOND * 10), 1));
    advance(MINUTE).await;
    // The check before is too near the one before it to be kept.
    assert_eq!(check.health().window, Some(MINUTE + SECOND));
}
