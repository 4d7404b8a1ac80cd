//! The kinds of listeners, what they may return, and what an event costs them.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use fanfare::{BoxError, Bus, Cause, Delivery, Kind, Listener, Outcome, Signal, Verdict};
use tower::{Layer as _, Service};

use crate::support::setups;

/// An event that counts its clones.
struct Counted(Arc<AtomicUsize>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

async fn item(_: u32) {}

#[derive(Default)]
struct Total(AtomicUsize);

impl Listener<u32> for Total {
    type Output = Result<(), String>;

    async fn handle(&self, n: u32) -> Result<(), String> {
        self.0.fetch_add(n as usize, Ordering::Relaxed);
        if n == 0 {
            Err("nothing".to_owned())
        } else {
            Ok(())
        }
    }
}

#[tokio::test]
async fn every_kind_is_called_in_every_mode() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        let total = Arc::new(AtomicUsize::new(0));
        let add = |total: &Arc<AtomicUsize>| {
            let total = Arc::clone(total);
            move |n: u32| {
                total.fetch_add(n as usize, Ordering::Relaxed);
            }
        };
        let (on, tried, sync) = (add(&total), add(&total), add(&total));
        let (shared, blocking) = (add(&total), add(&total));
        let subscriptions = [
            signal.on(async move |n| on(n)),
            signal.on(item),
            signal.on(|_| std::future::ready(())),
            signal.try_on(async move |n| {
                tried(n);
                Ok(())
            }),
            signal.on_sync(move |n| sync(*n)),
            signal.on_shared(async move |n| shared(*n)),
            signal.on_blocking(blocking),
            signal.listener(Total::default()),
            signal.service(tower::service_fn(async |d: Delivery| {
                assert_eq!(d.event::<u32>(), Some(&7));
                Ok::<_, BoxError>(())
            })),
        ];
        let kinds = subscriptions.map(|s| s.metadata().kind());
        assert_eq!(
            kinds,
            [
                Kind::Async,
                Kind::Async,
                Kind::Async,
                Kind::Async,
                Kind::Sync,
                Kind::Shared,
                Kind::Blocking,
                Kind::Async,
                Kind::Service
            ]
        );
        let report = signal.emit(7).await;
        assert_eq!(report.delivered(), 9, "{setup:?}: {report:?}");
        assert_eq!(total.load(Ordering::Relaxed), 35);
        assert_eq!(
            signal.emit(0).await.failed(),
            2,
            "the listener and the service"
        );
    }
}

#[tokio::test]
async fn every_output_means_what_it_says() {
    let signal = Signal::<u32>::new();
    signal.on(async |_| {});
    signal.on(async |_| Ok::<(), io::Error>(()));
    signal.on(async |_| ControlFlow::Continue(()));
    signal.on(async |_| Ok::<_, String>(ControlFlow::Continue(())));
    signal.on(async |_| Verdict::done());
    assert_eq!(signal.emit(1).await.delivered(), 5);

    signal.clear();
    signal
        .listen()
        .key("str")
        .on(async |_| Err::<(), _>("str"))
        .unwrap();
    signal
        .listen()
        .key("String")
        .on(async |_| Err::<(), _>("String".to_owned()))
        .unwrap();
    signal
        .listen()
        .key("io")
        .on(async |_| Err::<(), _>(io::Error::other("io")))
        .unwrap();
    signal
        .listen()
        .key("boxed")
        .try_on(async |_| {
            "x".parse::<u32>()?;
            Ok(())
        })
        .unwrap();
    signal
        .listen()
        .key("flow")
        .on(async |_| Err::<ControlFlow<()>, _>("flow"))
        .unwrap();
    signal
        .listen()
        .key("verdict")
        .on(async |_| Verdict::failed("verdict"))
        .unwrap();
    signal
        .listen()
        .key("never")
        .on(async |_| panic!("never"))
        .unwrap();
    let report = signal.emit(1).await;
    let said: Vec<_> = report.failures().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "`str` failed: str",
            "`String` failed: String",
            "`io` failed: io",
            "`boxed` failed: invalid digit found in string",
            "`flow` failed: flow",
            "`verdict` failed: verdict",
            "`never` panicked: never",
        ]
    );
    let errors: Vec<_> = report.failures().collect();
    assert!(errors[2].cause().error().unwrap().is::<io::Error>());
    assert_eq!(errors[6].cause().panic_message(), Some("never"));

    for stop in [0, 1] {
        signal.clear();
        if stop == 0 {
            signal.on(async |_| ControlFlow::Break(()));
        } else {
            signal.on(async |_| Verdict::stop());
        }
        signal.on(async |_| {});
        let report = signal.emit(1).await;
        assert_eq!(
            (report.delivered(), report.skipped(), report.is_ok()),
            (1, 1, true)
        );
    }
}

#[tokio::test]
async fn an_event_is_cloned_n_less_one_times_and_never_for_those_that_share() {
    for setup in setups() {
        let clones = Arc::new(AtomicUsize::new(0));
        let signal = setup.builder::<Counted>().build();
        for _ in 0..5 {
            signal.on(async |_| {});
        }
        signal.emit(Counted(Arc::clone(&clones))).await;
        assert_eq!(clones.swap(0, Ordering::Relaxed), 4, "{setup:?}");

        signal.clear();
        for _ in 0..3 {
            signal.on_shared(async |_| {});
            signal.on_sync(|_| {});
        }
        signal.emit(Counted(Arc::clone(&clones))).await;
        assert_eq!(clones.swap(0, Ordering::Relaxed), 0, "{setup:?}");

        signal.clear();
        signal.on(async |_| {});
        signal.emit(Counted(Arc::clone(&clones))).await;
        assert_eq!(
            clones.load(Ordering::Relaxed),
            0,
            "{setup:?}: one listener owns the event"
        );
    }
}

#[tokio::test]
async fn a_closures_own_state_is_fresh_at_each_call() {
    let signal = Signal::<u32>::new();
    let mut calls = 0;
    signal.on(move |_| {
        calls += 1;
        async move { assert_eq!(calls, 1) }
    });
    for n in 0..3 {
        assert!(signal.emit(n).await.is_ok());
    }
}

#[test]
fn a_reference_is_no_event_type() {
    let bus = Bus::new();
    let error = bus.listen::<&'static str>().on(async |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`&str` is a reference") && text.contains("on_sync"),
        "{text}"
    );
    let panicked = std::panic::catch_unwind(|| Bus::new().on(async |_: &'static u32| {}));
    assert!(panicked.is_err());
}

/// A service that panics if it is called without having been asked whether it is ready.
#[derive(Default)]
struct Probe {
    ready: bool,
}

impl Clone for Probe {
    /// A clone of a ready service is not ready.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Delivery> for Probe {
    type Response = ();
    type Error = BoxError;
    type Future = std::future::Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        // Not ready at first.
        self.ready = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called before it was ready"
        );
        std::future::ready(match delivery.event::<u32>() {
            Some(0) => Err("zero".into()),
            _ => Ok(()),
        })
    }
}

#[tokio::test]
async fn services_are_called_when_ready_alone_and_behind_a_layer() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        signal
            .listen()
            .key("probe")
            .service(Probe::default())
            .unwrap();
        signal.service(tower::limit::ConcurrencyLimitLayer::new(1).layer(Probe::default()));
        let reports = futures::future::join_all((1..50).map(|n| signal.emit(n))).await;
        assert!(
            reports.iter().all(|report| report.delivered() == 2),
            "{setup:?}: {reports:?}"
        );
        let report = signal.emit(0).await;
        assert_eq!(report.count(Outcome::Failed), 2);
        assert!(
            matches!(report.entries()[0].cause(), Cause::Failed(error) if error.to_string() == "zero")
        );
    }
}

#[tokio::test]
async fn a_delivery_says_what_it_is() {
    let signal = Signal::<u32>::builder().name("orders").build();
    let seen: Arc<std::sync::Mutex<Vec<Delivery>>> = Arc::default();
    for key in ["a", "b"] {
        let seen = Arc::clone(&seen);
        signal
            .listen()
            .key(key)
            .service(tower::service_fn(move |delivery: Delivery| {
                seen.lock().unwrap().push(delivery);
                std::future::ready(Ok::<_, BoxError>(()))
            }))
            .unwrap();
    }
    signal.emit(1).await;
    signal.emit(2).await;
    let seen = seen.lock().unwrap();
    let keys: Vec<_> = seen.iter().map(|d| d.listener_key().unwrap()).collect();
    assert_eq!(keys, ["a", "b", "a", "b"]);
    assert_eq!(seen[0].emission_id(), seen[1].emission_id());
    assert_ne!(seen[1].emission_id(), seen[2].emission_id());
    let one = &seen[0];
    assert_eq!(
        (one.signal(), one.event_type(), one.attempt()),
        ("orders", "u32", 1)
    );
    assert_eq!((one.event::<u32>(), one.event::<u8>()), (Some(&1), None));
}
