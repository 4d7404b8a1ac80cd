//! Guards whose loss no random program shows, or not often enough: one case each, made for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use fanfare::{Cancellation, Cause, Dispatch, Outcome, Pool, Signal, Subscription};
use futures::FutureExt as _;
use tokio::runtime::{Builder, Runtime};

use super::quiet;

const MODES: [Dispatch; 3] = [
    Dispatch::Concurrent,
    Dispatch::Parallel,
    Dispatch::Sequential,
];

fn in_mode(mode: Dispatch) -> Signal<u32> {
    Signal::builder().dispatch(mode).build()
}

/// A runtime with one thread for what blocks.
fn one_blocking_thread() -> Runtime {
    Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_time()
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_closed_signal_calls_nobody_and_waits_for_those_that_were_called() {
    for mode in MODES {
        let signal = in_mode(mode);
        let ended = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&ended);
        signal.on(async move |_| {
            tokio::time::sleep(Duration::from_secs(5)).await;
            seen.fetch_add(1, Ordering::Relaxed);
        });
        let (other, after) = (signal.clone(), Arc::clone(&ended));
        let shuts_down = async {
            tokio::task::yield_now().await;
            let began = tokio::time::Instant::now();
            let left = other.shutdown(Duration::from_secs(60)).await;
            assert!(began.elapsed() < Duration::from_secs(6), "{mode}");
            (left.is_clean(), after.load(Ordering::Relaxed))
        };
        let (report, closed) = tokio::join!(signal.emit(1), shuts_down);
        assert_eq!((report.delivered(), closed), (1, (true, 1)), "{mode}");
        let refused = signal.emit(2).await;
        assert!(refused.is_closed() && refused.is_empty(), "{mode}");
        assert_eq!(ended.load(Ordering::Relaxed), 1, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_and_a_token_that_has_fired_call_nobody() {
    for mode in MODES {
        let signal = in_mode(mode);
        signal.on_sync(|_| ());
        let late = signal.emit(1).timeout(Duration::ZERO).await;
        let token = tokio_util::sync::CancellationToken::new();
        token.cancel();
        let cancelled = signal.emit(1).cancel_on(token).await;
        for report in [late, cancelled] {
            assert_eq!(report.count(Outcome::Cancelled), 1, "{mode}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_once_that_two_emissions_have_spawned_is_called_by_one() {
    for kind in ["async", "blocking"] {
        for mode in MODES {
            let signal = in_mode(mode);
            let calls = Arc::new(AtomicUsize::new(0));
            let seen = Arc::clone(&calls);
            let builder = signal.listen().once();
            let sub: Subscription = match kind {
                "async" => builder.on(async move |_| _ = seen.fetch_add(1, Ordering::Relaxed)),
                _ => builder.on_blocking(move |_| _ = seen.fetch_add(1, Ordering::Relaxed)),
            }
            .unwrap();
            let reports = futures::future::join_all((0..4).map(|n| signal.emit(n))).await;
            let delivered: usize = reports.iter().map(fanfare::Report::delivered).sum();
            let skipped: usize = reports.iter().map(fanfare::Report::skipped).sum();
            assert_eq!((delivered, skipped), (1, 3), "{kind}, {mode}");
            assert_eq!(calls.load(Ordering::Relaxed), 1, "{kind}, {mode}");
            assert_eq!(sub.metadata().calls(), 1, "{kind}, {mode}");
            assert!(signal.is_empty() && sub.is_removed(), "{kind}, {mode}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_spawned_before_its_listener_was_removed_does_not_call_it() {
    let signal = in_mode(Dispatch::Parallel);
    let sub = signal.on_sync(|_| ());
    let mut emission = Box::pin(signal.emit(1));
    assert!((&mut emission).now_or_never().is_none());
    assert!(sub.remove());
    sub.removed().await;
    let report = emission.await;
    assert_eq!((report.skipped(), sub.metadata().calls()), (1, 0));
}

#[test]
fn a_blocking_call_that_waits_for_a_thread_is_taken_back_when_its_emission_is_dropped() {
    one_blocking_thread().block_on(async {
        for mode in MODES {
            let signal = in_mode(mode);
            let (go, gate) = mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || gate.recv());
            let sub = signal.on_blocking(|_| ());
            let mut emission = Box::pin(signal.emit(1));
            for _ in 0..3 {
                assert!(emission.as_mut().now_or_never().is_none());
                tokio::task::yield_now().await;
            }
            drop(emission);
            tokio::task::yield_now().await;
            go.send(()).unwrap();
            busy.await.unwrap().unwrap();
            // The one thread comes to this after all that was queued before.
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            assert_eq!(sub.metadata().calls(), 0, "{mode}");
            assert_eq!(sub.metadata().running(), 0, "{mode}");
        }
    });
}

#[test]
fn a_blocking_call_keeps_mark_and_permit_until_its_thread_returns_and_is_told_of_then() {
    quiet();
    one_blocking_thread().block_on(async {
        for mode in MODES {
            let told = Arc::new(Mutex::new(Vec::new()));
            let tell = Arc::clone(&told);
            let pool = Pool::new(1);
            let signal = Signal::<u32>::builder()
                .dispatch(mode)
                .pool(pool.clone())
                .on_failure(move |failure| tell.lock().unwrap().push(failure.cause().clone()))
                .build();
            let (go, gate) = mpsc::channel::<()>();
            let (starts, started) = mpsc::channel::<()>();
            let gate = Mutex::new(gate);
            let sub = signal.on_blocking(move |_| {
                starts.send(()).unwrap();
                gate.lock().unwrap().recv().unwrap();
                let text = String::from("scripted: on the thread");
                std::panic::panic_any(text);
            });
            let mut emission = Box::pin(signal.emit(1));
            while started.try_recv().is_err() {
                assert!(emission.as_mut().now_or_never().is_none());
                tokio::task::yield_now().await;
            }
            drop(emission);
            tokio::task::yield_now().await;
            assert!(sub.remove());
            assert!(sub.removed().now_or_never().is_none(), "{mode}");
            assert_eq!((sub.metadata().running(), pool.in_use()), (1, 1), "{mode}");
            go.send(()).unwrap();
            sub.removed().await;
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            assert_eq!((sub.metadata().running(), pool.in_use()), (0, 0), "{mode}");
            let told = told.lock().unwrap();
            assert!(
                matches!(
                    told[..],
                    [Cause::Cancelled(Cancellation::Dropped), Cause::Panicked(_)]
                ),
                "{mode}: {told:?}"
            );
        }
    });
}

#[tokio::test(start_paused = true)]
async fn removed_does_not_wait_for_the_call_that_awaits_it() {
    for mode in MODES {
        let signal = in_mode(mode);
        let own: Arc<Mutex<Option<Subscription>>> = Arc::default();
        let handle = Arc::clone(&own);
        let sub = signal.on(async move |_| {
            tokio::task::yield_now().await;
            let sub = handle.lock().unwrap().take().unwrap();
            sub.remove();
            sub.removed().await;
        });
        *own.lock().unwrap() = Some(sub);
        let emission = tokio::time::timeout(Duration::from_secs(60), signal.emit(1));
        assert_eq!(emission.await.unwrap().delivered(), 1, "{mode}");
    }
}

/// Asks, when it is dropped, whether its own call still counts as the one that runs.
struct Last {
    sub: Subscription,
    answers: Arc<Mutex<Vec<(bool, usize)>>>,
}

impl Drop for Last {
    fn drop(&mut self) {
        let own_is_left_out = self.sub.removed().now_or_never().is_some();
        let running = self.sub.metadata().running();
        self.answers
            .lock()
            .unwrap()
            .push((own_is_left_out, running));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_cancelled_listener_drops_is_dropped_inside_its_call() {
    for mode in MODES {
        let signal = in_mode(mode);
        let answers: Arc<Mutex<Vec<_>>> = Arc::default();
        let own: Arc<Mutex<Option<Subscription>>> = Arc::default();
        let (handle, seen) = (Arc::clone(&own), Arc::clone(&answers));
        let sub = signal.on(async move |_| {
            let sub = handle.lock().unwrap().take().unwrap();
            let _last = Last { sub, answers: seen };
            std::future::pending::<()>().await;
        });
        *own.lock().unwrap() = Some(sub.clone());
        let mut emission = Box::pin(signal.emit(1));
        assert!(emission.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
        sub.remove();
        drop(emission);
        sub.removed().await;
        assert_eq!(*answers.lock().unwrap(), [(true, 1)], "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_was_removed_before_its_batch_was_committed_stays_out() {
    let signal = in_mode(Dispatch::Concurrent);
    let batch = signal.batch();
    let sub = batch.listen().on(async |_| {}).unwrap();
    batch.listen().on(async |_| {}).unwrap();
    sub.remove();
    batch.commit().unwrap();
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert_eq!((signal.len(), sub.metadata().calls()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_gave_up_a_nested_emission_waits_for_a_permit_before_it_goes_on() {
    for mode in MODES {
        let pool = Pool::new(1);
        let build = |mode| {
            let builder = Signal::<u32>::builder().dispatch(mode);
            builder.pool(pool.clone()).build()
        };
        let (outer, inner, other) = (build(mode), build(mode), build(mode));
        inner.on(async |_| std::future::pending::<()>().await);
        let over = Arc::new(AtomicUsize::new(0));
        let (seen, done, rival) = (pool.clone(), Arc::clone(&over), over);
        other.on(async move |_| {
            tokio::time::sleep(Duration::from_secs(9)).await;
            done.fetch_add(1, Ordering::Relaxed);
        });
        outer.on(async move |n| {
            // The permit of the nested listener goes to the one that waits for it, not back to this one.
            let given_up = tokio::time::timeout(Duration::from_secs(1), inner.emit(n)).await;
            assert!(given_up.is_err());
            tokio::task::yield_now().await;
            assert_eq!((seen.in_use(), rival.load(Ordering::Relaxed)), (1, 1));
        });
        let (report, _) = tokio::join!(outer.emit(1), async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            other.emit(1).await
        });
        assert_eq!(
            (report.delivered(), pool.in_use()),
            (1, 0),
            "{mode}: {report:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_gave_up_a_nested_emission_takes_a_free_permit_at_once() {
    for mode in MODES {
        let pool = Pool::new(1);
        let build = || {
            let builder = Signal::<u32>::builder().dispatch(mode);
            builder.pool(pool.clone()).build()
        };
        let (outer, inner, seen) = (build(), Signal::<u32>::new(), pool.clone());
        inner.on(async |_| std::future::pending::<()>().await);
        outer.on(async move |n| {
            let given_up = tokio::time::timeout(Duration::from_secs(1), inner.emit(n)).await;
            assert!(given_up.is_err());
            assert_eq!(seen.in_use(), 1);
        });
        let report = outer.emit(1).await;
        assert_eq!(
            (report.delivered(), pool.in_use()),
            (1, 0),
            "{mode}: {report:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_dropped_before_its_first_poll_is_counted_and_told_of() {
    for mode in MODES {
        let told = Arc::new(AtomicUsize::new(0));
        let tell = Arc::clone(&told);
        let builder = Signal::<u32>::builder().dispatch(mode);
        let signal = builder
            .on_failure(move |_| _ = tell.fetch_add(1, Ordering::Relaxed))
            .build();
        signal.on(async |_| {});
        drop(signal.emit(1));
        let stats = signal.stats();
        let counted = (stats.emissions(), stats.count(Outcome::Cancelled));
        assert_eq!(
            (counted, told.load(Ordering::Relaxed)),
            ((1, 1), 1),
            "{mode}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_outlives_the_call_it_was_made_in_takes_no_permit_for_it() {
    for mode in MODES {
        let pool = Pool::new(1);
        let builder = Signal::<u32>::builder().dispatch(mode);
        let outer = builder.pool(pool.clone()).build();
        let inner = Signal::<u32>::new();
        inner.on(async |_| tokio::time::sleep(Duration::from_secs(5)).await);
        let (send, mut left) = tokio::sync::mpsc::unbounded_channel();
        outer.on(async move |n| {
            let inner = inner.clone();
            let mut emission = async move { inner.emit(n).await.delivered() }.boxed();
            assert!((&mut emission).now_or_never().is_none());
            send.send(emission).unwrap();
        });
        assert_eq!(outer.emit(1).await.delivered(), 1, "{mode}");
        assert_eq!(pool.in_use(), 0, "{mode}");
        let emission = left.recv().await.unwrap();
        let delivered = tokio::time::timeout(Duration::from_secs(60), emission).await;
        assert_eq!((delivered.unwrap(), pool.in_use()), (1, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_spawned_before_its_listener_was_replaced_calls_the_replacement() {
    for (event, calls) in [(1, 0), (2, 1)] {
        let signal = in_mode(Dispatch::Parallel);
        let old = signal.listen().key("price").on_sync(|_| ()).unwrap();
        let mut emission = Box::pin(signal.emit(event));
        assert!((&mut emission).now_or_never().is_none());
        let builder = signal.listen().key("price").replace();
        // As its own filter says.
        let new = builder.filter(|n| *n > 1).on_sync(|_| ()).unwrap();
        let report = emission.await;
        assert_eq!((report.delivered(), report.listeners()), (calls, 1));
        let counted = (old.metadata().calls(), new.metadata().calls());
        assert_eq!(counted, (0, calls as u64));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_listener_that_polls_an_emission_of_its_own_is_held_to_the_recursion_limit() {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let builder = Signal::<u32>::builder().dispatch(mode);
        let signal = builder.recursion_limit(3).build();
        let calls = Arc::new(AtomicUsize::new(0));
        let (own, seen) = (signal.clone(), Arc::clone(&calls));
        signal.on_sync(move |n| {
            seen.fetch_add(1, Ordering::Relaxed);
            if *n < 10 {
                let _ = own.emit(n + 1).now_or_never().unwrap();
            }
        });
        let _ = signal.emit(1).await;
        assert_eq!(calls.load(Ordering::Relaxed), 3, "{mode}");
        signal.clear();
    }
}

#[tokio::test(start_paused = true)]
async fn emissions_that_cancelled_listeners_make_as_they_are_dropped_are_held_to_the_recursion_limit()
 {
    /// Emits when it is dropped, and gives up what suspends.
    struct Emits(Signal<u32>, u32);
    impl Drop for Emits {
        fn drop(&mut self) {
            if self.1 < 10 {
                let _ = self.0.emit(self.1 + 1).now_or_never();
            }
        }
    }
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let builder = Signal::<u32>::builder().dispatch(mode);
        let signal = builder.recursion_limit(3).build();
        let (own, calls) = (signal.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&calls);
        signal.on(async move |n| {
            count.fetch_add(1, Ordering::Relaxed);
            let _emits = Emits(own.clone(), n);
            std::future::pending::<()>().await;
        });
        assert!(signal.emit(1).now_or_never().is_none());
        assert_eq!(calls.load(Ordering::Relaxed), 3, "{mode}");
        signal.clear();
    }
}
