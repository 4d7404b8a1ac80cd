//! Emissions that listeners make: recursion, its limit, and long chains of ready listeners.

use std::time::Duration;

use fanfare::{Bus, Cause, Outcome, Rejection, Signal};
use tokio::time::sleep;

use crate::support::{Gauge, MODES};

#[derive(Clone)]
struct Outer;

#[derive(Clone)]
struct Middle;

#[derive(Clone)]
struct Again(usize);

#[tokio::test(start_paused = true)]
async fn an_event_that_emits_itself_n_times_is_called_n_plus_one_times_three_deep() {
    for mode in MODES {
        let bus = Bus::builder().dispatch(mode).build();
        let gauge = Gauge::default();
        let (first, second, third) = (bus.downgrade(), bus.downgrade(), bus.downgrade());
        bus.on(async move |_: Outer| {
            let bus = first.upgrade().unwrap();
            let _ = bus.emit(Middle).await.into_result()?;
            Ok::<_, fanfare::EmitError>(())
        });
        bus.on(async move |_: Middle| {
            sleep(Duration::from_millis(1)).await;
            let bus = second.upgrade().unwrap();
            let _ = bus.emit(Again(10)).await.into_result()?;
            Ok::<_, fanfare::EmitError>(())
        });
        let count = gauge.clone();
        bus.on(async move |Again(left)| {
            let _inside = count.enter();
            sleep(Duration::from_millis(1)).await;
            if left > 0 {
                let bus = third.upgrade().unwrap();
                let _ = bus.emit(Again(left - 1)).await.into_result()?;
            }
            Ok::<_, fanfare::EmitError>(())
        });
        assert!(bus.emit(Outer).await.is_ok(), "{mode}");
        assert_eq!(gauge.total(), 11, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_recursion_ends_at_the_limit_with_the_path() {
    for mode in MODES {
        let bus = Bus::builder()
            .dispatch(mode)
            .recursion_limit(5)
            .on_failure(|_| {})
            .signal::<Outer>(|signal| signal.name("outer"))
            .signal::<Again>(|signal| signal.name("again"))
            .build();
        let gauge = Gauge::default();
        let (first, second, count) = (bus.downgrade(), bus.downgrade(), gauge.clone());
        bus.on(async move |_: Outer| {
            let _ = first.upgrade().unwrap().emit(Again(0)).await;
        });
        let (sender, mut rejected) = tokio::sync::mpsc::unbounded_channel();
        bus.on(async move |Again(depth)| {
            let _inside = count.enter();
            let second = second.upgrade().unwrap();
            let report = second.emit(Again(depth + 1)).await;
            if report.count(Outcome::Rejected) > 0 {
                sender.send(report).unwrap();
            }
        });
        assert!(bus.emit(Outer).await.is_ok());
        assert_eq!(gauge.total(), 4, "{mode}");
        let report = rejected.recv().await.unwrap();
        let Cause::Rejected(Rejection::RecursionLimit { limit, path }) =
            report.entries()[0].cause()
        else {
            panic!("{report:?}");
        };
        let chain = "outer -> again -> again -> again -> again -> again";
        assert_eq!((*limit, &**path), (5, chain), "{mode}");
        let error = report.into_result().unwrap_err().to_string();
        assert!(error.contains("recursion limit of 5"), "{error}");
        assert!(rejected.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn emissions_that_no_listener_awaits_are_not_nested() {
    for mode in MODES {
        let bus = Bus::builder().dispatch(mode).recursion_limit(2).build();
        let (inner, gauge) = (bus.downgrade(), Gauge::default());
        let count = gauge.clone();
        bus.on(async move |Again(left)| {
            let _inside = count.enter();
            if left > 0 {
                let inner = inner.upgrade().unwrap();
                inner.try_enqueue(Again(left - 1)).unwrap();
            }
        });
        assert!(bus.emit(Again(50)).await.is_ok());
        // Deeper than the limit, if they counted as nested.
        let all = async {
            while gauge.total() < 51 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let all = tokio::time::timeout(Duration::from_secs(60), all).await;
        assert!(all.is_ok(), "{mode}: {} calls", gauge.total());
    }
}

#[tokio::test(start_paused = true)]
async fn three_hundred_listeners_that_use_up_the_budget_of_the_task_all_run() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .max_listeners(300)
            .build();
        let free = std::sync::Arc::new(tokio::sync::Semaphore::new(300));
        for _ in 0..300 {
            let free = std::sync::Arc::clone(&free);
            signal.on(async move |_| drop(free.acquire().await));
        }
        assert_eq!(signal.emit(1).await.delivered(), 300, "{mode}");
    }
}
