//! What can be asked, and that it is exact.

use std::time::{Duration, SystemTime};

use fanfare::{Bus, Delivery, Emit, Kind, Outcome, Signal};

use crate::support::setups;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_exact_under_concurrent_emissions() {
    for setup in setups() {
        let signal = setup.builder::<u32>().on_failure(|_| {}).build();
        signal
            .listen()
            .key("mixed")
            .on(async |n| match n % 4 {
                0 => Err("error"),
                1 => panic!("on purpose"),
                2 => {
                    tokio::task::yield_now().await;
                    Ok(())
                }
                _ => Ok(()),
            })
            .unwrap();
        let emitters: Vec<_> = (0..4)
            .map(|_| {
                let signal = signal.clone();
                tokio::spawn(async move {
                    for n in 0..100 {
                        signal.emit(n).await;
                    }
                })
            })
            .collect();
        for emitter in emitters {
            emitter.await.unwrap();
        }
        let mixed = signal.metadata("mixed").unwrap();
        assert_eq!(
            (
                mixed.calls(),
                mixed.errors(),
                mixed.panics(),
                mixed.running()
            ),
            (400, 100, 100, 0)
        );
        let stats = signal.stats();
        assert_eq!((stats.emissions(), stats.count(Outcome::Done)), (400, 200));
        assert_eq!(
            (stats.count(Outcome::Failed), stats.count(Outcome::Panicked)),
            (100, 100)
        );
    }
}

#[tokio::test]
async fn metadata_says_everything_about_a_listener() {
    let before = SystemTime::now();
    let signal = Signal::<u32>::builder().name("orders").build();
    // The line of `listen`.
    let line = line!() + 2;
    let audit = signal
        .listen()
        .key("audit")
        .priority(3)
        .stage(2)
        .times(5)
        .on(async |_| Err::<(), _>("no"))
        .unwrap();
    let fresh = signal.metadata("audit").unwrap();
    assert_eq!(
        (fresh.signal(), fresh.key(), fresh.id()),
        ("orders", Some("audit"), audit.id())
    );
    assert_eq!(
        (
            fresh.priority(),
            fresh.stage(),
            fresh.times(),
            fresh.is_once()
        ),
        (3, 2, Some(5), false)
    );
    assert_eq!((fresh.kind(), fresh.location().line()), (Kind::Async, line));
    assert!(fresh.added_at() >= before && fresh.added_at() <= SystemTime::now());
    assert_eq!((fresh.last_called(), fresh.last_error()), (None, None));

    signal.emit(1).await;
    let called = audit.metadata();
    let ago = SystemTime::now()
        .duration_since(called.last_called().unwrap())
        .unwrap_or_default();
    assert!(ago < Duration::from_secs(3600));
    assert_eq!(
        (called.calls(), called.last_error()),
        (1, Some("failed: no"))
    );
    assert!(signal.metadata("nobody").is_none());
    assert!(
        signal
            .listen()
            .once()
            .on(async |_| {})
            .unwrap()
            .metadata()
            .is_once()
    );
}

#[test]
fn the_place_of_registration_is_the_callers_line() {
    let (signal, bus) = (Signal::<u32>::new(), Bus::new());
    let batch = signal.batch();
    let service = || tower::service_fn(async |_: Delivery| Ok::<_, fanfare::BoxError>(()));
    let first = line!() + 2;
    let places = [
        signal.on(async |_| {}),
        signal.try_on(async |_| Ok(())),
        signal.on_sync(|_| {}),
        signal.on_shared(async |_| {}),
        signal.on_blocking(|_| {}),
        signal.service(service()),
        signal.listen().on(async |_| {}).unwrap(),
        batch.listen().on(async |_| {}).unwrap(),
        bus.on(async |_: u32| {}),
        bus.try_on(async |_: u32| Ok(())),
        bus.on_sync(|_: &u32| {}),
        bus.on_shared(async |_: std::sync::Arc<u32>| {}),
        bus.on_blocking(|_: u32| {}),
        bus.service::<u32, _>(service()),
        bus.listen::<u32>().on(async |_| {}).unwrap(),
    ];
    for (place, line) in places.iter().zip(first..) {
        let location = place.location();
        assert!(location.file().ends_with("introspection.rs"), "{location}");
        assert_eq!(location.line(), line);
    }
}

#[tokio::test]
async fn a_bus_knows_all_its_listeners() {
    let bus = Bus::builder()
        .signal::<u8>(|s| s.name("b"))
        .signal::<u16>(|s| s.name("a"))
        .build();
    assert!(bus.is_empty());
    bus.listen::<u8>().key("two").on(async |_| {}).unwrap();
    bus.listen::<u8>()
        .key("one")
        .priority(1)
        .on(async |_| {})
        .unwrap();
    bus.on(async |_: u16| {});
    assert_eq!((bus.len(), bus.listeners().len()), (3, 3));
    let pair = |signal: &str, key: &str| (signal.to_owned(), key.to_owned());
    assert_eq!(bus.keys(), [pair("b", "one"), pair("b", "two")]);
    let names: Vec<_> = bus
        .describe()
        .iter()
        .map(|d| d.signal().to_owned())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(bus.clear(), 3);
    assert!(bus.is_empty());
}

#[test]
fn the_future_of_an_emission_is_small_and_can_be_sent() {
    fn sent(emission: Emit<'_, u32>) -> impl Send {
        emission
    }
    let bus = Bus::new();
    bus.on(async |_: u32| {});
    let emission = bus.emit(1_u32);
    assert!(size_of_val(&emission) <= 512, "{}", size_of_val(&emission));
    drop(sent(emission));
}
