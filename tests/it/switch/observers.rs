//! Who is told of a switch.

use std::sync::{Arc, OnceLock};

use fanfare::{Pause, Setting, Signal, WeakSignal};
use tokio::time::{advance, sleep};

use super::{SECOND, holding};
use crate::support::{Log, settle};

#[tokio::test(start_paused = true)]
async fn each_switch_is_told_once_and_a_panicking_observer_stops_nobody() {
    let (log, settings) = (Log::default(), Log::default());
    let (sink, kinds) = (log.clone(), settings.clone());
    let signal = Signal::<u32>::builder()
        .name("orders")
        .on_change(|_| panic!("an observer"))
        .on_change(move |change| {
            kinds.push((change.setting(), change.key().map(str::to_owned)));
            sink.push(format!("{} -> {}", change.before(), change.after()));
        })
        .build();
    signal.listen().key("audit").on(async |_| {}).unwrap();
    let said = |changes: &[&str]| assert_eq!(log.take(), changes);

    signal.disable("audit").unwrap();
    signal.disable("audit").unwrap();
    signal.pause("audit", SECOND).unwrap();
    signal.resume("audit").unwrap();
    said(&["enabled -> disabled"]);
    signal.enable("audit").unwrap();
    signal.enable("audit").unwrap();
    said(&["disabled -> enabled"]);
    signal.pause("audit", SECOND).unwrap();
    signal.pause("audit", 2 * SECOND).unwrap();
    said(&["enabled -> paused"]);
    signal.pause("audit", holding(1_000)).unwrap();
    signal.pause("audit", holding(2_000_000)).unwrap();
    said(&[
        "paused -> paused, holding up to 1,000",
        "paused, holding up to 1,000 -> paused, holding up to 2,000,000",
    ]);
    signal.disable("audit").unwrap();
    signal.enable("audit").unwrap();
    said(&[
        "paused, holding up to 2,000,000 -> disabled",
        "disabled -> enabled",
    ]);
    // A pause that is over is told when somebody looks.
    signal.pause("audit", SECOND).unwrap();
    advance(2 * SECOND).await;
    said(&["enabled -> paused"]);
    let _ = signal.emit(1).await;
    said(&["paused -> enabled"]);
    signal.pause("audit", SECOND).unwrap();
    advance(2 * SECOND).await;
    signal.disable("audit").unwrap();
    said(&[
        "enabled -> paused",
        "paused -> enabled",
        "enabled -> disabled",
    ]);
    signal.enable("audit").unwrap();
    said(&["disabled -> enabled"]);
    // One that holds ends by itself.
    signal
        .pause("audit", Pause::for_time(SECOND).buffer(1))
        .unwrap();
    let _ = signal.emit(2).await;
    settle().await;
    sleep(2 * SECOND).await;
    said(&[
        "enabled -> paused, holding up to 1",
        "paused, holding up to 1 -> enabled",
    ]);
    let key = Some("audit".to_owned());
    assert!(
        settings
            .take()
            .iter()
            .all(|told| *told == (Setting::Calls, key.clone()))
    );
}

#[tokio::test]
async fn an_observer_may_switch_and_ask() {
    let log = Log::default();
    let sink = log.clone();
    let cell = Arc::new(OnceLock::<WeakSignal<u32>>::new());
    let weak = Arc::clone(&cell);
    let signal = Signal::<u32>::builder()
        .on_change(move |change| {
            let signal = weak.get().unwrap().upgrade().unwrap();
            sink.push(signal.metadata("audit").unwrap().switched_off().is_some());
            if change.after() == "disabled" {
                signal.enable("audit").unwrap();
            }
        })
        .build();
    cell.set(signal.downgrade()).unwrap();
    signal.listen().key("audit").on(async |_| {}).unwrap();
    signal.disable("audit").unwrap();
    assert_eq!(log.take(), [true, false]);
    assert_eq!(signal.emit(1).await.delivered(), 1);
}
