//! Events that are emitted if the work that they belong to succeeds.

use std::time::Duration;

use fanfare::{BoxError, Bus, Delivery, Scope};
use futures::FutureExt as _;
use tokio::time::sleep;

use crate::support::{Captured, Log, poll_once};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Mail(u32);

#[derive(Clone)]
struct Slow;

/// A bus that notes what is emitted.
fn noting() -> (Bus, Log<u32>) {
    let (bus, log) = (Bus::new(), Log::default());
    let (l, s) = (log.clone(), log.clone());
    bus.on(async move |Mail(n)| l.push(n));
    bus.on(async move |_: Slow| {
        s.push(0);
        sleep(SECOND).await;
    });
    (bus, log)
}

#[tokio::test(start_paused = true)]
async fn work_that_succeeds_has_its_events_emitted_after_it_in_their_order() {
    let (bus, log) = noting();
    let l = log.clone();
    let emitted = bus.defer(async |scope: Scope| {
        scope.push(Mail(1));
        scope.push(Slow);
        scope.clone().add(vec![Mail(2), Mail(3)]);
        assert_eq!((scope.len(), scope.is_empty()), (4, false));
        sleep(SECOND).await;
        l.push(99);
        Ok::<_, BoxError>("value")
    });
    let emitted = emitted.await.unwrap();
    assert_eq!(log.take(), [99, 1, 0, 2, 3]);
    assert!(emitted.is_ok());
    assert_eq!((*emitted.value(), emitted.reports().len()), ("value", 4));
    assert!(
        emitted
            .reports()
            .iter()
            .all(|report| report.delivered() == 1)
    );
    assert_eq!(emitted.into_result().unwrap(), "value");
}

#[tokio::test(start_paused = true)]
async fn work_that_fails_panics_or_is_dropped_emits_nothing() {
    let (bus, log) = noting();
    let failed = bus.defer(async |scope| {
        scope.push(Mail(1));
        Err::<(), _>("rolled back")
    });
    assert_eq!(failed.await.unwrap_err(), "rolled back");
    let failed = bus.try_defer(async |scope| {
        scope.push(Mail(2));
        let n: u32 = "seven".parse()?;
        Ok(n)
    });
    assert!(failed.await.is_err());
    let panicked = bus.defer(async |scope| -> Result<(), ()> {
        scope.push(Mail(3));
        panic!("on purpose")
    });
    let panic = std::panic::AssertUnwindSafe(panicked).catch_unwind().await;
    assert_eq!(
        *panic.unwrap_err().downcast::<&str>().unwrap(),
        "on purpose"
    );
    let mut dropped = Box::pin(bus.defer(async |scope| {
        scope.push(Mail(4));
        std::future::pending::<()>().await;
        Ok::<_, ()>(())
    }));
    assert!(poll_once(&mut dropped).is_none());
    drop(dropped);
    assert_eq!(log.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_listeners_fail_with_is_in_the_reports_and_can_be_made_an_error() {
    let (bus, _) = noting();
    let failing = bus.listen::<Mail>().key("post");
    failing
        .on(async |Mail(n)| if n == 2 { Err("no stamp") } else { Ok(()) })
        .unwrap();
    let work = async |scope: Scope| {
        scope.add([Mail(1), Mail(2), Mail(3)]);
        Ok::<_, ()>(7)
    };
    let emitted = bus.defer(work).await.unwrap();
    assert!(!emitted.is_ok());
    let failed: Vec<_> = emitted
        .reports()
        .iter()
        .map(fanfare::Report::failed)
        .collect();
    assert_eq!(failed, [0, 1, 0]);
    let error = emitted.into_result().unwrap_err();
    assert!(
        error.to_string().contains("`post` failed: no stamp"),
        "{error}"
    );
    assert_eq!(bus.defer(work).await.unwrap().into_value(), 7);
    let (value, reports) = bus.defer(work).await.unwrap().into_parts();
    assert_eq!((value, reports.len()), (7, 3));
    let _ = bus.shutdown(SECOND).await;
    let emitted = bus.defer(work).await.unwrap();
    assert!(emitted.reports().iter().all(fanfare::Report::is_closed));
    assert!(emitted.into_result().unwrap_err().report().is_closed());
}

#[tokio::test(start_paused = true)]
async fn dropped_while_it_emits_it_drops_the_rest_and_says_which() {
    let (captured, _guard) = Captured::start();
    let (bus, log) = noting();
    let work = async |scope: Scope| {
        scope.add((Mail(1), Slow, Mail(2)));
        Ok::<_, ()>(())
    };
    let mut emitted = Box::pin(bus.defer(work));
    assert!(poll_once(&mut emitted).is_none());
    drop(emitted);
    assert_eq!(log.take(), [1, 0]);
    let lines = captured.lines();
    let lost = lines
        .iter()
        .find(|line| line.contains("deferred events were dropped"))
        .unwrap();
    assert!(
        lost.contains("count=1") && lost.contains("defer::Mail"),
        "{lost}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_after_the_work_is_dropped_and_logged() {
    let (captured, _guard) = Captured::start();
    let (bus, log) = noting();
    let escaped = bus.defer(async |scope: Scope| Ok::<_, ()>(scope));
    let scope = escaped.await.unwrap().into_value();
    scope.push(Mail(1));
    assert_eq!((scope.len(), log.len()), (0, 0));
    let lines = captured.lines();
    let late = lines
        .iter()
        .find(|line| line.contains("after its work had ended"))
        .unwrap();
    assert!(
        late.starts_with("WARN") && late.contains("defer::Mail"),
        "{late}"
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_listener_it_inherits_the_ids_and_counts_as_nested() {
    let bus = Bus::builder().recursion_limit(1).build();
    let weak = bus.downgrade();
    let seen = Log::default();
    let listen = bus.listen::<u32>().with_delivery();
    let listener = async move |n, d: Delivery| {
        let bus = weak.upgrade().unwrap();
        let work = bus.defer(async |scope| {
            scope.push(Mail(n));
            Ok::<_, ()>(())
        });
        let emitted = work.await.unwrap();
        assert_eq!(d.correlation_id(), Some("order-7"));
        emitted.into_result().map(drop)
    };
    listen.on(listener).unwrap();
    let s = seen.clone();
    let mails = bus.listen::<Mail>().with_delivery();
    let noting = async move |_, d: Delivery| s.push(d.correlation_id().map(str::to_owned));
    mails.on(noting).unwrap();
    let report = bus.emit(7_u32).correlation_id("order-7").await;
    assert!(
        report.entries()[0]
            .cause()
            .to_string()
            .contains("recursion limit of 1: u32 -> ")
    );

    let bus = Bus::new();
    let weak = bus.downgrade();
    let listen = bus.listen::<u32>().with_delivery();
    let listener = async move |n, _| {
        let bus = weak.upgrade().unwrap();
        let work = bus.defer(async |scope| {
            scope.push(Mail(n));
            Ok::<_, ()>(())
        });
        work.await.unwrap().into_result().map(drop)
    };
    listen.on(listener).unwrap();
    let s = seen.clone();
    let mails = bus.listen::<Mail>().with_delivery();
    let noting = async move |_, d: Delivery| s.push(d.correlation_id().map(str::to_owned));
    mails.on(noting).unwrap();
    assert!(bus.emit(7_u32).correlation_id("order-7").await.is_ok());
    assert_eq!(seen.take(), [Some("order-7".to_owned())]);
}
