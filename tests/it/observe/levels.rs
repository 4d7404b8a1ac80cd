//! Who has which level, and who is told.

use fanfare::{Bus, Metrics};

use crate::support::Log;

#[tokio::test]
async fn the_observers_are_told_of_each_level_that_is_set_and_of_what_is_inherited() {
    let log = Log::default();
    let told = log.clone();
    let bus = Bus::builder()
        .signal::<u32>(|signal| signal.name("numbers"))
        .on_change(move |change| told.push(change.to_string()))
        .build();
    let signal = bus.signal::<u32>();
    let sub = signal.listen().key("audit").on(async |_| {}).unwrap();

    for level in [Some(Metrics::Counting), Some(Metrics::Counting), None] {
        signal.set_metrics(level).unwrap();
    }
    assert_eq!(
        log.take(),
        [
            "`numbers`: metrics: counting (as the bus) -> counting",
            "`numbers`: metrics: counting -> counting (as the bus)"
        ]
    );
    sub.set_metrics(Some(Metrics::Timed)).unwrap();
    signal.set_metrics(Some(Metrics::Off)).unwrap();
    sub.set_metrics(None).unwrap();
    sub.set_metrics(None).unwrap();
    assert_eq!(
        log.take(),
        [
            "`audit` of `numbers`: metrics: counting (as the signal) -> timing all",
            "`numbers`: metrics: counting (as the bus) -> off",
            "`audit` of `numbers`: metrics: timing all -> off (as the signal)"
        ]
    );
    bus.set_metrics(Metrics::Timed).unwrap();
    bus.set_metrics(Metrics::Timed).unwrap();
    assert_eq!(log.take().len(), 1);
}

#[tokio::test]
async fn a_derived_signal_goes_by_the_bus_until_it_has_a_level_of_its_own() {
    let log = Log::default();
    let told = log.clone();
    let bus = Bus::builder()
        .signal::<u32>(|signal| signal.name("numbers").metrics(Metrics::Timed))
        .on_change(move |change| told.push(change.signal().to_owned()))
        .build();
    let even = bus.signal::<u32>().filter(|n| n % 2 == 0);
    even.on(async |_| {});
    let timed = async || {
        bus.emit(2_u32).await;
        let snapshot = even.snapshot();
        assert_eq!(snapshot.metrics, even.metrics());
        snapshot.durations.count()
    };
    assert_eq!((timed().await, even.metrics()), (0, Metrics::Counting));
    bus.set_metrics(Metrics::Timed).unwrap();
    assert_eq!((timed().await, even.metrics()), (1, Metrics::Timed));
    bus.signal::<u32>().set_metrics(Some(Metrics::Off)).unwrap();
    assert_eq!((timed().await, even.metrics()), (2, Metrics::Timed));
    log.take();
    even.set_metrics(Some(Metrics::Off)).unwrap();
    assert_eq!((timed().await, even.metrics()), (2, Metrics::Off));
    assert_eq!(log.take(), [even.name()]);
    let refused = even.set_metrics(Some(Metrics::Sampled(0))).unwrap_err();
    assert_eq!(refused.option(), "metrics");

    let snapshot = even.snapshot();
    assert_eq!(
        (snapshot.stats.emissions(), snapshot.listeners.len()),
        (4, 1)
    );
    // It is no signal of the bus.
    assert_eq!(bus.snapshot().signals.len(), 1);
    assert_eq!(bus.stats().emissions(), 4);
}
