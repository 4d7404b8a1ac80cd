//! What becomes of events that follow when there is nobody left to emit them, or nothing to emit them on.

use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters, Retry};
use fanfare::{Bus, FollowUpError, One, Outcome};
use tokio::time::sleep;

use crate::support::{Captured, Log, MODES, poll_once, settle};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Placed;

#[derive(Clone)]
struct Slow;

#[derive(Clone)]
struct Mail;

/// What was logged of events that were dropped.
fn lost(captured: &Captured) -> String {
    let lines = captured.lines();
    let lost = lines
        .iter()
        .find(|line| line.contains("follow-up events were dropped"));
    lost.unwrap_or_else(|| panic!("nothing in {lines:?}"))
        .clone()
}

#[tokio::test(start_paused = true)]
async fn events_whose_signal_is_shut_down_are_named_and_the_others_are_emitted() {
    let (captured, _guard) = Captured::start();
    let told = Log::default();
    let t = told.clone();
    let bus = Bus::builder()
        .on_failure(move |failure| t.push(failure.to_string()))
        .build();
    let letters = DeadLetters::new(10);
    let listen = bus
        .listen::<Placed>()
        .key("orders")
        .retry(Retry::constant(SECOND));
    let listen = listen.dead_letter(DeadLetter::keep(&letters));
    listen.follow(async |_| (Mail, Slow, Mail)).unwrap();
    bus.on(async |_: Mail| {});
    bus.on(async |_: Slow| {});
    assert!(bus.signal::<Mail>().shutdown(SECOND).await.is_clean());
    let report = bus.emit(Placed).await;
    assert_eq!(report.count(Outcome::Cancelled), 1);
    assert_eq!(told.take(), ["`orders` cancelled: shut down"]);
    let lost = lost(&captured);
    assert!(
        lost.contains("key=\"orders\"") && lost.contains("count=2"),
        "{lost}"
    );
    assert!(
        lost.contains("::Mail, ") && lost.contains("their signal is shut down"),
        "{lost}"
    );
    assert_eq!(bus.signal::<Placed>().stats().follow_ups_lost(), 2);
    assert_eq!(bus.signal::<Slow>().stats().count(Outcome::Done), 1);
    // For the layers the call has succeeded.
    assert!(letters.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_type_without_a_signal_is_refused_by_a_closed_bus() {
    let bus = Bus::new();
    bus.follow(async |_: Placed| {
        sleep(SECOND).await;
        One(Mail)
    });
    let mut emission = Box::pin(bus.emit(Placed));
    assert!(poll_once(&mut emission).is_none());
    let shutdown = bus.shutdown(10 * SECOND);
    let (report, left) = futures::join!(emission, shutdown);
    assert!(left.is_clean(), "{left}");
    assert_eq!(
        report.entries()[0].cause().to_string(),
        "cancelled: shut down"
    );
    assert_eq!(bus.unknown_events(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_listener_keeps_no_bus_and_says_when_it_is_gone() {
    let bus = Bus::new();
    let signal = bus.signal::<Placed>();
    signal.follow(async |_| One(Mail));
    let weak = bus.downgrade();
    drop(bus);
    assert!(weak.upgrade().is_none());
    let report = signal.emit(Placed).await;
    let error = report.entries()[0].cause().error().unwrap();
    let error = error.downcast_ref::<FollowUpError>().unwrap();
    assert!(error.event_types()[0].ends_with("ending::Mail"));
    assert!(
        error.to_string().contains("since its bus is gone: "),
        "{error}"
    );
    assert_eq!(signal.stats().follow_ups_lost(), 1);
}

/// A bus whose listener has three events follow, the second of which takes long.
fn slow(builder: fanfare::BusBuilder) -> (Bus, Log<&'static str>) {
    let (bus, log) = (builder.build(), Log::default());
    let (l, s) = (log.clone(), log.clone());
    bus.on(async move |_: Mail| l.push("mail"));
    bus.on(async move |_: Slow| {
        s.push("slow");
        sleep(10 * SECOND).await;
    });
    bus.follow(async |_: Placed| (Mail, Slow, Mail, Mail));
    (bus, log)
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_dropped_or_timed_out_drops_the_rest_counts_it_and_says_which() {
    for mode in MODES {
        let (captured, _guard) = Captured::start();
        let (bus, log) = slow(Bus::builder().dispatch(mode));
        let report = bus.emit(Placed).timeout(SECOND).await;
        assert_eq!(report.count(Outcome::TimedOut), 1, "{mode}");
        settle().await;
        assert_eq!(log.take(), ["mail", "slow"], "{mode}");
        let stats = bus.signal::<Placed>().stats();
        assert_eq!(stats.follow_ups_lost(), 2, "{mode}");
        assert_eq!(
            bus.signal::<Slow>().stats().count(Outcome::Cancelled),
            1,
            "{mode}"
        );
        let lost = lost(&captured);
        assert!(
            lost.starts_with("WARN") && lost.contains("count=2"),
            "{lost}"
        );
        assert!(
            lost.contains("ending::Mail, ") && !lost.contains("Slow"),
            "{lost}"
        );

        let (bus, _) = slow(Bus::builder().dispatch(mode));
        let mut emission = Box::pin(bus.emit(Placed));
        let polled = futures::poll!(&mut emission).is_pending();
        assert!(polled, "{mode}");
        settle().await;
        drop(emission);
        settle().await;
        assert_eq!(
            bus.signal::<Placed>().stats().follow_ups_lost(),
            2,
            "{mode}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_what_is_emitted_and_cuts_it_off_at_its_limit() {
    let told = Log::default();
    let t = told.clone();
    let (bus, log) = slow(Bus::builder().on_failure(move |failure| t.push(failure.outcome())));
    bus.emit_detached(Placed).unwrap();
    sleep(SECOND).await;
    let left = bus.shutdown(SECOND).await;
    assert!(!left.is_clean());
    settle().await;
    assert_eq!(log.take(), ["mail", "slow"]);
    assert_eq!(bus.signal::<Placed>().stats().follow_ups_lost(), 2);
    assert_eq!(told.take(), [Outcome::Cancelled; 2]);
}
