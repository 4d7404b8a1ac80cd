//! A panic, wherever it comes from, is an entry in the report and disturbs nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fanfare::{Outcome, Report, Signal, SignalBuilder};
use tokio::time::sleep;

use crate::support::{Gauge, builders, poll_once, settle};

/// An event whose clone panics when it is armed.
struct Fragile(bool);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.0, "in clone");
        Self(self.0)
    }
}

/// Panics when it is dropped.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

/// A future that panics when it is dropped, whether or not it was ready.
struct Brittle(u32);

impl Future for Brittle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

/// Puts a listener that panics between others, suspending and not, in every mode; `add` registers it under the key "bad".
async fn isolated<E>(event: E, message: &str, add: impl Fn(&Signal<E>))
where
    E: fanfare::Event,
{
    for (name, builder, pool) in builders::<E>() {
        let builder: SignalBuilder<E> = builder.on_failure(|_| {});
        let signal = builder.build();
        let gauge = Gauge::default();
        let good = |stage| {
            let (at_once, later) = (gauge.clone(), gauge.clone());
            let listen = signal.listen().stage(stage);
            listen.on_sync(move |_| drop(at_once.enter())).unwrap();
            let listen = signal.listen().stage(stage);
            let later = async move |_| {
                sleep(Duration::from_millis(1)).await;
                drop(later.enter());
            };
            listen.on_shared(later).unwrap();
        };
        good(0);
        add(&signal);
        good(0);
        good(1);
        for round in 1..=3 {
            let report: Report = signal.emit(event.clone()).await;
            let counts = (report.delivered(), report.count(Outcome::Panicked));
            assert_eq!(counts, (6, 1), "{name}: {message}: {report:?}");
            let entry = &report.entries()[0];
            assert_eq!(entry.key(), Some("bad"), "{name}");
            assert_eq!(entry.cause().panic_message(), Some(message), "{name}");
            assert_eq!(gauge.total(), 6 * round, "{name}");
            assert!(pool.as_ref().is_none_or(|pool| pool.in_use() == 0));
        }
        let metadata = signal.metadata("bad").unwrap();
        assert_eq!((metadata.panics(), metadata.running()), (3, 0), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_call_of_the_closure() {
    isolated(7_u32, "in the call", |signal| {
        let bad = signal.listen().key("bad");
        bad.on(|_| -> std::future::Ready<()> { panic!("in the call") })
            .unwrap();
    })
    .await;
    isolated(7_u32, "in the call", |signal| {
        let bad = signal.listen().key("bad");
        bad.on_sync(|_| panic!("in the call")).unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn in_the_first_poll() {
    isolated(7_u32, "in the first poll", |signal| {
        let bad = signal.listen().key("bad");
        bad.on(async |_| panic!("in the first poll")).unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_it_suspended() {
    isolated(7_u32, "later", |signal| {
        let bad = signal.listen().key("bad");
        let listener = async |_| {
            sleep(Duration::from_millis(1)).await;
            panic!("later");
        };
        bad.on(listener).unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn in_the_drop_of_its_future() {
    for pending in [0, 2] {
        isolated(7_u32, "in drop", move |signal| {
            let bad = signal.listen().key("bad");
            bad.on(move |_| Brittle(pending)).unwrap();
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_its_filter() {
    isolated(7_u32, "in the filter", |signal| {
        let bad = signal
            .listen()
            .key("bad")
            .filter(|_| panic!("in the filter"));
        bad.on(async |_| {}).unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_a_payload_whose_drop_panics() {
    isolated(7_u32, "a value that is not text", |signal| {
        let bad = signal.listen().key("bad");
        bad.on(async |_| std::panic::panic_any(PanicsInDrop))
            .unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn in_a_blocking_thread() {
    for (name, builder, _) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        let bad = signal.listen().key("bad");
        bad.on_blocking(|_| panic!("on its thread")).unwrap();
        signal.on(async |_| {});
        let report = signal.emit(1).await;
        let entry = &report.entries()[0];
        assert_eq!(report.delivered(), 1, "{name}");
        assert_eq!(entry.cause().panic_message(), Some("on its thread"));
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_clone_of_the_event() {
    for blocking in [false, true] {
        for (name, builder, pool) in builders::<Fragile>() {
            let signal = builder.on_failure(|_| {}).build();
            let gauge = Gauge::default();
            let bad = signal.listen().key("bad");
            let called = gauge.clone();
            if blocking {
                bad.on_blocking(move |_| drop(called.enter())).unwrap();
            } else {
                bad.on(async move |_| drop(called.enter())).unwrap();
            }
            let seen = gauge.clone();
            signal.on_sync(move |_| drop(seen.enter()));
            let report = signal.emit(Fragile(true)).await;
            let entry = &report.entries()[0];
            assert_eq!(entry.key(), Some("bad"), "{name}");
            assert_eq!(entry.cause().panic_message(), Some("in clone"));
            assert_eq!((report.delivered(), gauge.total()), (1, 1), "{name}");
            assert!(pool.is_none_or(|pool| pool.in_use() == 0), "{name}");
            assert_eq!(signal.metadata("bad").unwrap().running(), 0, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_drop_of_a_future_that_is_cancelled() {
    for (name, builder, pool) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        for _ in 0..3 {
            signal.on(move |_| Brittle(u32::MAX));
        }
        let gauge = Gauge::default();
        let last = gauge.clone();
        signal.on(async move |_| {
            let _inside = last.enter();
            std::future::pending::<()>().await;
        });
        let mut emission = Box::pin(signal.emit(1));
        assert!(poll_once(&mut emission).is_none());
        settle().await;
        drop(emission);
        settle().await;
        assert_eq!(gauge.now(), 0, "{name}");
        assert_eq!(signal.stats().count(Outcome::Cancelled), 4, "{name}");
        assert!(pool.is_none_or(|pool| pool.in_use() == 0), "{name}");
        assert!(signal.listeners().iter().all(|one| one.running() == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panicked_is_called_again() {
    for (name, builder, _) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        signal.on(async |n| assert_eq!(n % 2, 0));
        for n in 0..10 {
            let report = signal.emit(n).await;
            assert_eq!(report.is_ok(), n % 2 == 0, "{name}");
        }
    }
}
