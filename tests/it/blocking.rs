//! Blocking listeners: they run on their own threads, which cannot be cancelled.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{Cancellation, Cause, Pool, Signal};

use crate::support::{Ledger, setups};

const SECOND: Duration = Duration::from_secs(1);

/// A listener that blocks until it is let go.
struct Gate {
    started: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

fn gated(
    signal: &Signal<u32>,
    then: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> (fanfare::Subscription, Gate) {
    let (begin, started) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let subscription = signal.listen().key("gated").on_blocking(move |_| {
        begin.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        then()
    });
    (subscription.unwrap(), Gate { started, go })
}

/// Waits in the runtime for what another thread does.
async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_blocking_listener_runs_on_another_thread_and_is_awaited() {
    for setup in setups() {
        let here = std::thread::current().id();
        let signal = setup.builder::<u32>().build();
        signal.on_blocking(move |_| assert_ne!(std::thread::current().id(), here));
        assert_eq!(signal.emit(1).await.delivered(), 1, "{setup:?}");
    }
}

#[tokio::test]
async fn permit_and_mark_stay_with_the_thread_when_nobody_waits() {
    for setup in setups() {
        let told = Ledger::default();
        let sink = told.clone();
        let pool = Pool::new(2);
        let signal = setup
            .builder()
            .pool(pool.clone())
            .on_failure(move |f| sink.note(f.to_string()))
            .build();
        let (gated, gate) = gated(&signal, || Err("late".to_owned()));
        let mut emission = Box::pin(signal.emit(1));
        until(|| {
            let polled = futures::FutureExt::now_or_never(&mut emission);
            assert!(polled.is_none());
            gate.started.try_recv().is_ok()
        })
        .await;
        drop(emission);
        assert_eq!(
            told.take(),
            ["`gated` cancelled: the emission was dropped"],
            "{setup:?}"
        );
        assert_eq!((gated.metadata().running(), pool.in_use()), (1, 1));

        gated.remove();
        let mut removed = Box::pin(gated.removed());
        assert!(futures::FutureExt::now_or_never(&mut removed).is_none());
        gate.go.send(()).unwrap();
        removed.await;
        until(|| pool.in_use() == 0).await;
        assert_eq!(gated.metadata().running(), 0);
        let mut said = Vec::new();
        until(|| {
            said = told.take();
            !said.is_empty()
        })
        .await;
        assert_eq!(said, ["`gated` failed: late"]);
        assert_eq!(gated.metadata().errors(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_leaves_the_thread_and_says_cancelled() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        let (gated, gate) = gated(&signal, || Ok(()));
        let emission = signal.emit(1).timeout(SECOND);
        let pass = async {
            until(|| gate.started.try_recv().is_ok()).await;
            tokio::time::advance(SECOND * 2).await;
        };
        let (report, ()) = tokio::join!(emission, pass);
        assert!(
            matches!(
                report.entries()[0].cause(),
                Cause::Cancelled(Cancellation::Deadline)
            ),
            "{setup:?}: {report:?}"
        );
        assert_eq!(gated.metadata().running(), 1);
        gate.go.send(()).unwrap();
        until(|| gated.metadata().running() == 0).await;
    }
}

#[test]
fn a_call_that_waits_for_a_thread_is_taken_back_and_spends_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let signal = Signal::<u32>::builder().on_failure(|_| {}).build();
        let (_gated, gate) = gated(&signal, || Ok(()));
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let once = signal
            .listen()
            .once()
            .on_blocking(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        let mut emission = Box::pin(signal.emit(1));
        until(|| {
            assert!(futures::FutureExt::now_or_never(&mut emission).is_none());
            gate.started.try_recv().is_ok()
        })
        .await;
        // The only thread is taken: the second listener has not started.
        drop(emission);
        gate.go.send(()).unwrap();
        until(|| signal.listeners().iter().all(|l| l.running() == 0)).await;
        assert_eq!(
            (calls.load(Ordering::Relaxed), once.is_removed()),
            (0, false)
        );
    });
}
