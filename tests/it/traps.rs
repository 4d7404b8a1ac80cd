//! What futures may do to the place that they run in, and when: the slot must not mind.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use fanfare::{Bus, Dispatch, Outcome, Signal, Storage};

use crate::support::{MODES, poll_once, yield_once};

/// Counts what is made and what is dropped.
#[derive(Clone, Default)]
struct Balance(Arc<(AtomicUsize, AtomicUsize)>);

struct Held(Balance);

impl Balance {
    fn hold(&self) -> Held {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        Held(self.clone())
    }

    fn made(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }

    fn dropped(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn an_emission_may_be_dropped_at_every_one_of_its_awaits() {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        for listeners in [1, 2, 5, 40] {
            for polls in 0..=8 {
                let balance = Balance::default();
                let signal = Signal::<u32>::builder()
                    .dispatch(mode)
                    .on_failure(|_| {})
                    .build();
                for yields in 0..listeners {
                    let balance = balance.clone();
                    signal.on(async move |_| {
                        let _held = balance.hold();
                        for _ in 0..yields % 5 {
                            yield_once().await;
                        }
                    });
                }
                let mut emission = Box::pin(signal.emit(1));
                let ready = (0..polls).any(|_| poll_once(&mut emission).is_some());
                drop(emission);
                let stats = signal.stats();
                let place = format!("{mode}, {listeners} listeners, {polls} polls");
                assert_eq!(balance.made(), balance.dropped(), "{place}");
                assert_eq!(stats.emissions(), 1, "{place}");
                let ended = stats.count(Outcome::Done) + stats.count(Outcome::Cancelled);
                assert_eq!(ended, listeners, "{place}");
                assert_eq!(ready, stats.count(Outcome::Cancelled) == 0, "{place}");
                let all = signal.listeners();
                let calls: u64 = all.iter().map(fanfare::Metadata::calls).sum();
                assert_eq!(calls, balance.made() as u64, "{place}");
                assert!(all.iter().all(|one| one.running() == 0), "{place}");
            }
        }
    }
}

#[tokio::test]
async fn a_listener_may_drop_the_last_handle_of_its_own_bus() {
    for yields in [0, 1] {
        let bus = Bus::new();
        let only: Arc<Mutex<Option<Bus>>> = Arc::default();
        let balance = Balance::default();
        let (taken, after) = (Arc::clone(&only), balance.clone());
        bus.on(async move |_: u32| {
            let _held = after.hold();
            for _ in 0..yields {
                yield_once().await;
            }
            drop(taken.lock().unwrap().take());
            yield_once().await;
        });
        let done = balance.clone();
        bus.on(async move |_: u32| drop(done.hold()));
        bus.emit_detached(1_u32).unwrap();
        *only.lock().unwrap() = Some(bus);
        while balance.dropped() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(only.lock().unwrap().is_none());
        assert_eq!((balance.made(), balance.dropped()), (2, 2));
    }
}

#[tokio::test]
async fn a_listener_may_remove_itself_and_end_its_own_task() {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .on_failure(|_| {})
            .build();
        let balance = Balance::default();
        let own: Arc<Mutex<Option<(fanfare::Subscription, tokio::task::AbortHandle)>>> =
            Arc::default();
        let (ends, count) = (Arc::clone(&own), balance.clone());
        let sub = signal.on(async move |_| {
            let _held = count.hold();
            yield_once().await;
            let (sub, task) = ends.lock().unwrap().take().unwrap();
            assert!(sub.remove());
            task.abort();
            pending::<()>().await;
        });
        let emits = signal.clone();
        let task = tokio::spawn(async move { emits.emit(1).await });
        *own.lock().unwrap() = Some((sub.clone(), task.abort_handle()));
        assert!(task.await.unwrap_err().is_cancelled());
        sub.removed().await;
        assert_eq!((balance.made(), balance.dropped()), (1, 1));
        assert_eq!(signal.stats().count(Outcome::Cancelled), 1);
    }
}

#[tokio::test]
async fn futures_of_all_sizes_and_alignments_run_in_every_mode() {
    #[repr(align(128))]
    struct Aligned(u8);
    for mode in MODES {
        let signal = Signal::<u64>::builder().dispatch(mode).build();
        let small = signal.on(async |_| yield_once().await);
        let aligned = signal.on(async |n| {
            let held = Aligned(7);
            let place = (&raw const held).addr();
            yield_once().await;
            assert_eq!((place % 128, u64::from(held.0)), (0, n));
            assert_eq!(place, (&raw const held).addr());
        });
        let large = signal.on(async |n| {
            let held = [n; 1_000];
            yield_once().await;
            assert_eq!(held, [7; 1_000]);
        });
        let whole = signal.on_sync(|_| {});
        for _ in 0..3 {
            assert_eq!(signal.emit(7).await.delivered(), 4, "{mode}");
        }
        let storage = |sub: &fanfare::Subscription| sub.metadata().storage();
        let in_place = if cfg!(fanfare_safe_slot) {
            Storage::Boxed
        } else {
            Storage::InPlace
        };
        assert_eq!(storage(&small), Some(in_place));
        assert_eq!(storage(&aligned), Some(Storage::Boxed));
        assert_eq!(storage(&large), Some(Storage::Boxed));
        assert_eq!(storage(&whole), None);
    }
}

#[tokio::test]
async fn wakers_may_be_used_after_their_listener_has_finished_and_after_the_emission() {
    for listeners in [1, 3, 50] {
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let signal = Signal::<u32>::new();
        for _ in 0..listeners {
            let kept = Arc::clone(&wakers);
            signal.on(async move |_| {
                std::future::poll_fn(|cx| {
                    kept.lock().unwrap().push(cx.waker().clone());
                    std::task::Poll::Ready(())
                })
                .await;
                yield_once().await;
                let all: Vec<Waker> = kept.lock().unwrap().clone();
                all.iter().for_each(Waker::wake_by_ref);
            });
        }
        assert_eq!(signal.emit(1).await.delivered(), listeners);
        let kept = std::mem::take(&mut *wakers.lock().unwrap());
        assert_eq!(kept.len(), listeners);
        kept.into_iter().for_each(Waker::wake);
        assert_eq!(signal.emit(1).await.delivered(), listeners);
    }
}

#[tokio::test(start_paused = true)]
async fn many_more_than_a_few_go_on_together() {
    let signal = Signal::<u32>::new();
    for n in 0..500_u64 {
        signal.on(async move |_| tokio::time::sleep(Duration::from_millis(n % 7)).await);
    }
    let began = tokio::time::Instant::now();
    assert_eq!(signal.emit(1).await.delivered(), 500);
    assert!(began.elapsed() < Duration::from_millis(10));
}

#[tokio::test]
async fn a_future_that_is_polled_by_hand_after_its_emission_was_ready_is_refused() {
    let signal = Signal::<u32>::new();
    signal.on(async |_| {});
    let mut emission = Box::pin(signal.emit(1));
    assert!(poll_once(&mut emission).is_some());
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut emission).poll(&mut cx).is_ready()
    }));
    let message = *again.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("polled after it was ready"));
}

#[tokio::test]
async fn a_poll_of_an_emission_polls_each_of_its_listeners_once() {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let polls: Vec<_> = (0..3).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        for polls in &polls {
            let polls = Arc::clone(polls);
            signal.on(move |_| {
                let polls = Arc::clone(&polls);
                std::future::poll_fn(move |_| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    std::task::Poll::<()>::Pending
                })
            });
        }
        let mut emission = Box::pin(signal.emit(1));
        for times in 1..4 {
            assert!(poll_once(&mut emission).is_none());
            let polled = polls.iter().map(|polls| polls.load(Ordering::Relaxed));
            let started = if mode == Dispatch::Concurrent { 3 } else { 1 };
            let expected = (0..3).map(|place| if place < started { times } else { 0 });
            assert!(polled.eq(expected), "{mode}, {times}: {polls:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn removed_in_a_task_does_not_wait_for_the_listener_that_waits_for_the_task() {
    for mode in MODES {
        let outer = Signal::<u32>::new();
        let inner = Signal::<u32>::builder().dispatch(mode).build();
        let own: Arc<Mutex<Option<fanfare::Subscription>>> = Arc::default();
        let taken = Arc::clone(&own);
        inner.on(async move |_| {
            let sub = taken.lock().unwrap().take().unwrap();
            assert!(sub.remove());
            sub.removed().await;
        });
        let sub = outer.on(async move |n| assert!(inner.emit(n).await.is_ok()));
        *own.lock().unwrap() = Some(sub);
        let emission = tokio::time::timeout(Duration::from_secs(60), outer.emit(1));
        assert!(emission.await.is_ok_and(|report| report.is_ok()), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_removal_is_woken_as_the_signal_is_dropped() {
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| {});
    let mut removed = Box::pin(sub.removed());
    assert!(poll_once(&mut removed).is_none());
    let waits = tokio::time::timeout(Duration::from_secs(60), removed);
    let (woken, ()) = tokio::join!(waits, async { drop(signal) });
    assert!(woken.is_ok());
}

#[test]
fn who_waits_for_a_removal_is_woken_as_a_poll_in_another_thread_ends() {
    let signal = Signal::<u32>::new();
    let (starts, started) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let sub = signal.on_sync(move |_| {
        starts.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
    });
    let emits = signal.clone();
    let emission = std::thread::spawn(move || poll_once(&mut Box::pin(emits.emit(1))).unwrap());
    started.recv().unwrap();
    assert!(sub.remove());
    let (ends, ended) = mpsc::channel();
    let waits = std::thread::spawn(move || {
        let mut removed = Box::pin(sub.removed());
        assert!(poll_once(&mut removed).is_none());
        go.send(()).unwrap();
        futures::executor::block_on(removed);
        ends.send(()).unwrap();
    });
    // No test waits for this long: it makes a hang a failure.
    assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(()));
    waits.join().unwrap();
    assert_eq!(emission.join().unwrap().delivered(), 1);
}
