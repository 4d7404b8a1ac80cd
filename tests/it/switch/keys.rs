//! Switching by key.

use fanfare::{Bus, Pause, Signal, Skip, SwitchError};

use super::{SECOND, holding, is_skipped};

#[tokio::test(start_paused = true)]
async fn a_listener_is_switched_off_and_on_by_its_key() {
    let signal = Signal::<u32>::new();
    signal.listen().key("audit").on(async |_| {}).unwrap();

    assert_eq!(signal.disable("audit"), Ok(true));
    assert_eq!(signal.disable("audit"), Ok(false));
    assert!(is_skipped(&signal.emit(1).await, Skip::Disabled));
    assert_eq!(signal.resume("audit"), Ok(false), "it is not paused");
    assert_eq!(
        signal.pause("audit", SECOND),
        Ok(false),
        "it is off for longer"
    );
    assert!(is_skipped(&signal.emit(2).await, Skip::Disabled));
    assert_eq!(signal.enable("audit"), Ok(true));
    assert_eq!(signal.enable("audit"), Ok(false));
    assert_eq!(signal.emit(3).await.delivered(), 1);

    assert_eq!(signal.pause("audit", SECOND), Ok(true));
    assert!(is_skipped(&signal.emit(4).await, Skip::Paused));
    assert_eq!(signal.resume("audit"), Ok(true));
    assert_eq!(signal.resume("audit"), Ok(false));
    assert_eq!(signal.emit(5).await.delivered(), 1);

    assert_eq!(signal.pause("audit", Pause::until_resumed()), Ok(true));
    tokio::time::advance(1_000 * SECOND).await;
    assert!(is_skipped(&signal.emit(6).await, Skip::Paused));
    assert_eq!(signal.enable("audit"), Ok(true));
    assert_eq!(signal.metadata("audit").unwrap().calls(), 2);
}

#[tokio::test]
async fn who_switches_a_key_that_nobody_has_is_told() {
    let signal = Signal::<u32>::builder().name("orders").build();
    let sub = signal.listen().key("audit").on(async |_| {}).unwrap();
    let said =
        "signal `orders` has no listener with the key `billing`: `keys()` lists those that it has";
    for result in [
        signal.disable("billing"),
        signal.enable("billing"),
        signal.pause("billing", SECOND),
        signal.resume("billing"),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(&error, SwitchError::NoSuchKey { key, .. } if key == "billing"));
        assert_eq!(error.to_string(), said);
    }
    assert!(signal.subscription("billing").is_none());
    assert_eq!(signal.subscription("audit").unwrap().id(), sub.id());
    assert!(signal.remove("audit"));
    assert!(signal.disable("audit").is_err());
}

#[tokio::test]
async fn a_buffer_that_makes_no_sense_is_refused_by_name_and_changes_nothing() {
    let signal = Signal::<u32>::new();
    let sub = signal.listen().key("audit").on(async |_| {}).unwrap();
    for (events, value) in [(0, "0"), ((1 << 24) + 1, "16777217")] {
        let error = sub.pause(holding(events)).unwrap_err();
        assert_eq!((error.option(), error.value()), ("buffer", value));
        assert_eq!(signal.pause("audit", holding(events)), Err(error.into()));
    }
    assert!(sub.is_enabled());
    for events in [1, 1 << 24] {
        assert_eq!(sub.pause(holding(events)), Ok(true));
    }
}

#[tokio::test]
async fn a_bus_finds_the_listeners_of_a_key_in_all_signals() {
    let bus = Bus::new();
    bus.listen::<u32>().key("audit").on(async |_| {}).unwrap();
    bus.listen::<String>()
        .key("audit")
        .on(async |_| {})
        .unwrap();
    bus.listen::<String>().key("mail").on(async |_| {}).unwrap();
    assert!(bus.subscriptions("nobody").is_empty());
    for audit in bus.subscriptions("audit") {
        assert!(audit.disable());
    }
    assert_eq!(bus.emit(1_u32).await.skipped(), 1);
    let report = bus.emit(String::new()).await;
    assert_eq!((report.delivered(), report.skipped()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_longer_of_two_pauses_counts_and_one_that_holds_goes_on_holding() {
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| {});
    let paused_for = async |pauses: &[Pause]| {
        sub.enable();
        for pause in pauses {
            let _ = sub.pause(*pause).unwrap();
        }
        for second in 0.. {
            if sub.is_enabled() {
                return second;
            }
            tokio::time::advance(SECOND).await;
        }
        unreachable!()
    };
    let (short, long) = (Pause::for_time(SECOND), Pause::for_time(3 * SECOND));
    assert_eq!(paused_for(&[short]).await, 1);
    assert_eq!(paused_for(&[short, long]).await, 3);
    assert_eq!(paused_for(&[long, short]).await, 3);
    assert_eq!(paused_for(&[long, short.buffer(1)]).await, 3);
    let held = async |pauses: &[Pause]| {
        sub.enable();
        for pause in pauses {
            let _ = sub.pause(*pause).unwrap();
        }
        for n in 0..5 {
            let _ = signal.emit(n).await;
        }
        let held = sub.metadata().held();
        sub.enable();
        crate::support::settle().await;
        held
    };
    assert_eq!(held(&[short, long]).await, 0);
    assert_eq!(held(&[short.buffer(1), long]).await, 1);
    assert_eq!(held(&[long, short.buffer(2)]).await, 2);
    assert_eq!(held(&[long.buffer(1), short.buffer(3)]).await, 3);
}
