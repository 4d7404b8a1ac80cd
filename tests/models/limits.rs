//! The places of a concurrency limit: no more than the limit run, none is lost, nothing waits for ever.

use std::future::poll_fn;
use std::task::Poll;

use fanfare::layer::Concurrency;
use fanfare::{BoxError, Delivery, Signal};
use shuttle::future::yield_now;
use tower::{Layer, service_fn};

use crate::support::{Gauge, beside, check, task};

#[test]
fn who_is_dropped_as_it_waits_takes_no_place_along() {
    check(|| async {
        let (signal, gauge) = (Signal::<u32>::new(), Gauge::default());
        let limit = Concurrency::new(1);
        let handle = limit.handle();
        let inside = gauge.clone();
        let listener = service_fn(move |_: Delivery| {
            let inside = inside.clone();
            async move {
                inside.visit().await;
                Ok::<_, BoxError>(())
            }
        });
        signal.service(limit.layer(listener));
        let stay = [1, 2].map(|n| {
            let signal = signal.clone();
            task(async move { assert_eq!(signal.emit(n).await.delivered(), 1) })
        });
        let leaves = signal.clone();
        let leaves = task(async move {
            let mut emission = Box::pin(leaves.emit(3));
            for _ in 0..2 {
                let polled = poll_fn(|cx| Poll::Ready(emission.as_mut().poll(cx)));
                if polled.await.is_ready() {
                    return;
                }
                yield_now().await;
            }
        });
        beside(stay.into_iter().chain([leaves])).await;
        assert_eq!(gauge.peak(), 1);
        assert_eq!((handle.running(), handle.waiting()), (0, 0));
    });
}
