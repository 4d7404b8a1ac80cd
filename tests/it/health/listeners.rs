//! Reasons that are found in listeners, and the worst of them.

use std::time::Duration;

use fanfare::layer::{BreakerState, CircuitBreaker};
use fanfare::observe::{Blame, HealthCheck, Reason, RuntimeMonitor, Severity, WorstListeners};
use fanfare::{Bus, BusBuilder, Metrics, Pause, Skip};
use tokio::runtime::Handle;
use tokio::time::advance;

use super::{MINUTE, SECOND, a_window_later, check, green, red};
use crate::support::settle;

fn bus(builder: BusBuilder) -> Bus {
    let builder = builder.signal::<u32>(|signal| signal.name("numbers"));
    builder.on_failure(|_| {}).build()
}

fn names() -> (String, String) {
    ("numbers".to_owned(), "audit".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_not_ready_keeps_its_bus_from_being_ready() {
    let bus = bus(Bus::builder());
    let listen = bus.listen::<u32>().key("audit").hold_until_ready(10);
    listen.on(async |_| {}).unwrap();
    let _ = bus.emit(1_u32).await;
    let reason = red(&bus.health(), "awaits_ready", Severity::NotReady);
    let (signal, listener) = names();
    let expected = Reason::AwaitsReady {
        signal,
        listener,
        held: 1,
    };
    assert_eq!(reason, expected);
    // One that takes its place is not ready either.
    let listen = bus.listen::<u32>().key("audit").replace();
    let next = listen.on(async |_| {}).unwrap();
    red(&bus.health(), "awaits_ready", Severity::NotReady);
    next.resume();
    settle().await;
    green(&bus.health());
    // Ready once, it is paused like any other.
    next.pause(Pause::until_resumed().buffer(10)).unwrap();
    red(&bus.health(), "switched_off", Severity::Degraded);
    next.resume();
    green(&bus.health());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_takes_the_place_of_one_that_was_enabled_is_ready() {
    let bus = bus(Bus::builder());
    let listen = bus.listen::<u32>().key("audit").hold_until_ready(10);
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let mine = std::sync::Arc::clone(&gate);
    let sub = listen
        .on(async move |_| mine.acquire().await.unwrap().forget())
        .unwrap();
    let _ = bus.emit(1_u32).await;
    let _ = bus.emit(1_u32).await;
    // What it holds is still to be delivered.
    sub.disable();
    let listen = bus.listen::<u32>().key("audit").replace();
    let next = listen.on(async |_| {}).unwrap();
    next.pause(Pause::until_resumed().buffer(10)).unwrap();
    red(&bus.health(), "switched_off", Severity::Degraded);
    next.resume();
    gate.add_permits(10);
    settle().await;
    green(&bus.health());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_switched_off_degrades() {
    let bus = bus(Bus::builder());
    let listen = bus.listen::<u32>().key("audit");
    let sub = listen.on(async |_| {}).unwrap();
    let off = |why, held| {
        let (signal, listener) = names();
        Reason::SwitchedOff {
            signal,
            listener,
            why,
            held,
        }
    };
    sub.disable();
    let reason = red(&bus.health(), "switched_off", Severity::Degraded);
    assert_eq!(reason, off(Skip::Disabled, 0));
    sub.enable();
    green(&bus.health());
    sub.pause(Pause::for_time(MINUTE).buffer(10)).unwrap();
    let _ = bus.emit(1_u32).await;
    let reason = red(&bus.health(), "switched_off", Severity::Degraded);
    assert_eq!(reason, off(Skip::Paused, 1));
    tokio::time::sleep(MINUTE).await;
    settle().await;
    green(&bus.health());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_fails_more_than_its_share_of_calls_degrades_until_the_window_is_over() {
    let bus = bus(Bus::builder());
    let listen = bus.listen::<u32>().key("audit");
    let fails = async |n| match n {
        0 => Err("no".into()),
        1 => panic!("on purpose"),
        _ => Ok(()),
    };
    listen.try_on(fails).unwrap();
    let strict = HealthCheck::builder(&bus).min_calls(10).build();
    let lenient = check(&bus).failure_share(0.2).build();
    for n in 0..10_u32 {
        let _ = bus.emit(if n == 5 { 1_u32 } else { 9 }).await;
    }
    // A tenth may fail.
    green(&strict.health());
    let _ = bus.emit(0_u32).await;
    let failing = |failed, calls| {
        let (signal, listener) = names();
        Reason::Failing {
            signal,
            listener,
            failed,
            calls,
        }
    };
    // Ten calls are enough for one, not for the other.
    let reason = red(&strict.health(), "failing", Severity::Degraded);
    assert_eq!(reason, failing(2, 11));
    for _ in 0..9_u32 {
        green(&bus.health());
        let _ = bus.emit(9_u32).await;
    }
    green(&bus.health());
    let _ = bus.emit(0_u32).await;
    let reason = red(&bus.health(), "failing", Severity::Degraded);
    assert_eq!(reason, failing(3, 21));
    green(&lenient.health());
    green(&a_window_later(|| bus.health()).await);
    for _ in 0..100 {
        let _ = bus.emit(9_u32).await;
    }
    green(&bus.health());
}

#[tokio::test(start_paused = true)]
async fn all_calls_may_fail_if_the_share_is_all_of_them() {
    let bus = bus(Bus::builder());
    let never = check(&bus).failure_share(1.0).build();
    let always = check(&bus).failure_share(0.99).build();
    let listen = bus.listen::<u32>();
    listen.try_on(async |_| Err("no".into())).unwrap();
    let _ = bus.emit(1_u32).await;
    green(&never.health());
    red(&always.health(), "failing", Severity::Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_listener_whose_99th_percentile_is_too_long_degrades() {
    let bus = bus(Bus::builder().metrics(Metrics::Timed));
    let sleeps = async |tenths| tokio::time::sleep(SECOND * tenths / 10).await;
    let listen = bus.listen::<u32>().key("audit");
    listen.on(sleeps).unwrap();
    let patient = check(&bus).slow_p99(SECOND * 3).build();
    green(&bus.health());
    for n in 1..=200_u32 {
        // Two of 200 may be longer.
        let _ = bus.emit(if n > 198 { 20_u32 } else { 0 }).await;
    }
    green(&bus.health());
    let _ = bus.emit(20_u32).await;
    let _ = bus.emit(20_u32).await;
    let reason = red(&bus.health(), "slow", Severity::Degraded);
    let (signal, listener) = names();
    let expected = Reason::Slow {
        signal,
        listener,
        slow: 4,
        timed: 202,
        limit: SECOND,
        blame: None,
    };
    assert_eq!(reason, expected);
    green(&patient.health());
    green(&a_window_later(|| bus.health()).await);
}

#[tokio::test]
async fn a_slow_listener_is_blamed_if_it_blocks_its_thread() {
    let long = Duration::from_millis(100);
    let builder = Bus::builder().metrics(Metrics::Timed);
    let bus = bus(builder.slow_after(long / 2));
    let monitor = RuntimeMonitor::builder(Handle::current());
    let monitor = monitor.interval(Duration::from_millis(2)).build();
    let blocks = {
        let monitor = monitor.clone();
        move |_: &u32| {
            crate::monitor::stall(&monitor, long);
        }
    };
    let listen = bus.listen::<u32>().key("audit");
    listen.on_sync(blocks).unwrap();
    let _ = bus.emit(1_u32).await;
    let strict = || check(&bus).slow_p99(long / 2);
    for check in [strict().build(), strict().monitor(&monitor).build()] {
        let health = check.health();
        let slow = health.reasons.iter().find(|reason| reason.name() == "slow");
        let blame = slow.map(|reason| match reason {
            Reason::Slow { blame, .. } => *blame,
            _ => None,
        });
        let blocks =
            |polled| matches!(polled, Some(Some(Blame::Blocks { polled })) if polled >= long / 2);
        assert!(blocks(blame), "{health}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_worst_listeners_are_named_the_worst_first_and_no_more_than_asked_for() {
    let bus = bus(Bus::builder().metrics(Metrics::Timed));
    let signal = bus.signal::<u32>();
    for n in 0..5_u32 {
        let key = |what: &str| format!("{what}{n}");
        // Of ten calls, as many fail, and last as many seconds.
        let fails = async move |event| {
            if event < n { Err("no".into()) } else { Ok(()) }
        };
        let listen = signal.listen().key(key("fails"));
        listen.try_on(fails).unwrap();
        let sleeps = async move |_| tokio::time::sleep(SECOND * n).await;
        signal.listen().key(key("slow")).on(sleeps).unwrap();
        let held = signal.listen().key(key("holds")).on(async |_| {});
        held.unwrap();
    }
    for event in 0..10_u32 {
        for n in 0..5 {
            if event == 9 - n {
                let pause = Pause::until_resumed().buffer(100);
                signal.pause(&format!("holds{n}"), pause).unwrap();
            }
        }
        let _ = signal.emit(event).await;
    }
    let worst = |most| check(&bus).worst(most).build().health().worst;
    let label = |listeners: &[fanfare::observe::ListenerHealth]| -> Vec<String> {
        listeners.iter().map(|l| l.listener.clone()).collect()
    };
    let three = bus.health().worst;
    assert_eq!(label(&three.failing), ["fails4", "fails3", "fails2"]);
    assert_eq!(label(&three.slow), ["slow4", "slow3", "slow2"]);
    assert_eq!(label(&three.holding), ["holds4", "holds3", "holds2"]);
    let first = &three.failing[0];
    assert_eq!(
        (first.calls, first.failed, first.failure_share()),
        (10, 4, 0.4)
    );
    assert_eq!(first.signal, "numbers");
    assert!(three.slow[0].p99.unwrap() >= SECOND * 4);
    assert_eq!(three.holding[0].held, 5);
    // One that has not failed is not among the worst.
    assert_eq!(label(&worst(100).failing).len(), 4);
    assert_eq!(worst(0), WorstListeners::default());
}

#[tokio::test(start_paused = true)]
async fn calls_that_run_into_their_deadline_have_failed() {
    let bus = bus(Bus::builder());
    let listen = bus.listen::<u32>().key("audit").timeout(SECOND);
    listen
        .on(async |n| {
            if n == 0 {
                std::future::pending::<()>().await;
            }
        })
        .unwrap();
    for n in 0..20_u32 {
        let _ = bus.emit((n + 1) % 10).await;
        green(&bus.health());
    }
    let _ = bus.emit(0_u32).await;
    let reason = red(&bus.health(), "failing", Severity::Degraded);
    let (signal, listener) = names();
    let expected = Reason::Failing {
        signal,
        listener,
        failed: 3,
        calls: 21,
    };
    assert_eq!(reason, expected);
    green(&a_window_later(|| bus.health()).await);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_degrades_and_its_listener_is_named() {
    let bus = bus(Bus::builder());
    let breaker = CircuitBreaker::new().min_calls(1).probe_successes(1);
    let breaker = breaker.open_for(MINUTE);
    let handle = breaker.handle();
    bus.listen::<u32>()
        .key("audit")
        .circuit_breaker(breaker)
        .try_on(async |n| if n == 0 { Err("no".into()) } else { Ok(()) })
        .unwrap();
    let _ = bus.emit(1_u32).await;
    green(&bus.health());
    let _ = bus.emit(0_u32).await;
    let reason = red(&bus.health(), "breaker_open", Severity::Degraded);
    let (signal, listener) = names();
    let open = Reason::BreakerOpen {
        signal,
        listener,
        open: 1,
        breakers: 1,
    };
    assert_eq!(reason, open);
    advance(SECOND * 59).await;
    red(&bus.health(), "breaker_open", Severity::Degraded);
    // Its time is over, and nobody has called it since.
    advance(SECOND).await;
    green(&bus.health());
    let breakers = bus.snapshot().signals[0].listeners[0].breakers.unwrap();
    assert_eq!((breakers.open, breakers.half_open), (0, 1));
    let _ = bus.emit(1_u32).await;
    assert_eq!(handle.breakers()[0].state(), BreakerState::Closed);
    green(&bus.health());
    handle.force_open();
    red(&bus.health(), "breaker_open", Severity::Degraded);
    handle.reset();
    green(&bus.health());
}
