//! Links that come and go with the listeners of a derived signal.

use fanfare::{Signal, Window};
use shuttle::future::yield_now;

use crate::support::{Gauge, NEVER, beside, check, task};

/// Two tasks add and remove a listener each while a third emits: in the end there is a link if there is a listener.
async fn come_and_go(stay: bool) {
    let source = Signal::<u32>::new();
    let derived = source.filter(|_| true);
    let tasks = [false, stay].map(|stays| {
        let derived = derived.clone();
        task(async move {
            // No yield between the two: a scheduler that switches rarely would have the other begin there.
            let subscription = derived.on_sync(|_| {});
            if !stays {
                assert!(subscription.remove());
            }
        })
    });
    let other = source.clone();
    let emitter = task(async move { assert!(other.emit(1).await.is_ok()) });
    beside(tasks.into_iter().chain([emitter])).await;
    assert_eq!(derived.len(), usize::from(stay));
    assert_eq!(
        source.len(),
        usize::from(stay),
        "the link is there iff a listener is"
    );
    drop(derived);
    assert!(source.is_empty());
}

#[test]
fn the_last_to_go_takes_the_link_along() {
    check(|| come_and_go(false));
}

#[test]
fn a_listener_that_stays_has_its_link() {
    check(|| come_and_go(true));
}

/// Whoever has come is reached by what is emitted after, whatever another does to the same link.
#[test]
fn who_has_come_is_reached_by_the_next_emission() {
    check(|| async {
        let source = Signal::<u32>::new();
        let derived = source.filter(|_| true);
        let before = derived.on_sync(|_| {});
        let goes = task(async move {
            assert!(before.remove());
        });
        let gauge = Gauge::default();
        let seen = gauge.clone();
        derived.on_sync(move |_| drop(seen.enter()));
        assert!(source.emit(1).await.is_ok());
        assert_eq!(gauge.total(), 1);
        goes.await.unwrap();
        assert_eq!(source.len(), 1);
    });
}

/// Two emitters and a shutdown: each event is in one window, and what is begun is given out before the shutdown ends.
#[test]
fn a_shutdown_gives_out_what_is_begun() {
    check(|| async {
        let source = Signal::<u32>::new();
        let windows = source.window(Window::count(2));
        let gauge = Gauge::default();
        let seen = gauge.clone();
        windows.on(async move |window| {
            for _ in window.iter() {
                seen.visit().await;
            }
        });
        let accepted = Gauge::default();
        let emitters = [1, 2, 3].map(|n| {
            let (source, accepted) = (source.clone(), accepted.clone());
            task(async move {
                let report = source.emit(n).await;
                if !report.is_closed() {
                    drop(accepted.enter());
                }
            })
        });
        yield_now().await;
        assert!(source.shutdown(NEVER).await.is_clean());
        let given_out = gauge.total();
        assert_eq!(gauge.now(), 0);
        beside(emitters).await;
        assert_eq!(given_out, accepted.total());
        assert_eq!(gauge.total(), given_out, "one came after the shutdown");
    });
}
