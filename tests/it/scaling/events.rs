//! What is told of a pool's size, and to whom.

use std::time::Duration;

use fanfare::scaling::ScaleReason;
use fanfare::{Balance, Bus, Pool, Scaled, Setting, Signal};

use super::{MS, scripted, sleepy, tick};
use crate::support::{Captured, Log, settle};

#[tokio::test(start_paused = true)]
async fn a_bus_emits_the_decisions_of_its_pool_and_tells_its_observers() {
    let (policy, builder, _) = scripted(2, 8);
    let pool = builder.name("orders").build();
    let (changes, events) = (Log::default(), Log::<Scaled>::default());
    let sink = changes.clone();
    let bus = Bus::builder()
        .name("shop")
        .pool(pool.clone())
        .on_change(move |change| sink.push((change.setting(), change.to_string())))
        .build();
    // Nobody listens: nothing is made.
    policy.say(3);
    tick().await;
    assert_eq!((pool.size(), bus.describe().len()), (3, 0));
    let sink = events.clone();
    bus.on(async move |scaled: Scaled| sink.push(scaled));
    policy.say(6);
    tick().await;
    let seen = events.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].pool(), seen[0].from(), seen[0].to()),
        (Some("orders"), 3, 6)
    );
    assert_eq!(seen[0].reason(), ScaleReason::Policy("as it was told"));
    assert_eq!(
        seen[0].to_string(),
        "pool `orders`: 3 -> 6 permits: as it was told"
    );
    bus.resize_pool(7).unwrap();
    settle().await;
    assert_eq!(events.take()[0].reason(), ScaleReason::Manual);
    let told = changes.take();
    assert!(told.iter().all(|(setting, _)| *setting == Setting::Pool));
    let words: Vec<_> = told.into_iter().map(|(_, words)| words).collect();
    assert_eq!(
        words,
        [
            "`shop`: pool: 2 permits -> 3 permits",
            "`shop`: pool: 3 permits -> 6 permits",
            "`shop`: pool: 6 permits -> 7 permits",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_is_held_back_is_an_event_too() {
    let (policy, builder, _) = scripted(2, 2);
    let bus = Bus::builder().pool(builder.build()).build();
    let events = Log::<String>::default();
    let sink = events.clone();
    bus.on(async move |scaled: Scaled| sink.push(scaled.to_string()));
    policy.say(5);
    for _ in 0..3 {
        tick().await;
    }
    assert_eq!(
        events.take(),
        ["pool: stays at 2 permits, the most it may have: as it was told"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pool_keeps_no_bus_and_forgets_those_that_are_gone() {
    let (policy, builder, _) = scripted(2, 8);
    let pool = builder.build();
    let bus = Bus::builder().pool(pool.clone()).build();
    let weak = bus.downgrade();
    drop(bus);
    assert!(weak.upgrade().is_none());
    let changes = Log::<String>::default();
    for n in 0..100 {
        let sink = changes.clone();
        let signal = Signal::<u32>::builder()
            .name(n.to_string())
            .pool(pool.clone())
            .on_change(move |change| sink.push(change.to_string()))
            .build();
        drop(signal);
    }
    let sink = changes.clone();
    let kept = Signal::<u32>::builder()
        .name("kept")
        .pool(pool.clone())
        .on_change(move |change| sink.push(change.to_string()))
        .build();
    policy.say(4);
    tick().await;
    assert_eq!(changes.take(), ["`kept`: pool: 2 permits -> 4 permits"]);
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_panics_does_not_keep_the_next_from_hearing() {
    let (policy, builder, _) = scripted(2, 8);
    let heard = Log::default();
    let sink = heard.clone();
    let pool = builder
        .on_scaled(|_| panic!("first"))
        .on_scaled(move |scaled| sink.push(scaled.to()))
        .build();
    let (captured, _guard) = Captured::start();
    policy.say(4);
    tick().await;
    assert_eq!((heard.take(), pool.size()), (vec![4], 4));
    let lines = captured.lines().join("\n");
    assert!(
        lines.contains("an `on_scaled` callback panicked"),
        "{lines}"
    );
    assert!(
        lines.contains("pool: 2 -> 4 permits: as it was told"),
        "{lines}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fixed_pool_tells_of_what_others_do_to_it() {
    let log = Log::<Scaled>::default();
    let sink = log.clone();
    let pool = Pool::builder(8)
        .name("fixed")
        .on_scaled(move |scaled| sink.push(scaled.clone()))
        .build();
    assert_eq!(pool.name(), Some("fixed"));
    pool.resize(8).unwrap();
    pool.resize(9).unwrap();
    let other = Pool::new(1);
    let all = Log::<(usize, usize)>::default();
    let sink = all.clone();
    let balancing = Balance::new(12)
        .pool(&pool, 1)
        .pool(&other, 1)
        .on_scaled(move |scaled| sink.push((scaled.from(), scaled.to())))
        .start();
    // What the one has is free for the other once it is taken.
    assert_eq!(balancing.sizes(), [6, 3]);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(balancing.sizes(), [6, 6]);
    let mails = sleepy(&other, 50 * MS);
    for n in 0..100 {
        mails.emit_detached(n).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(250)).await;
    let told: Vec<_> = log
        .take()
        .iter()
        .map(|it| (it.from(), it.to(), it.reason()))
        .collect();
    let (hand, balance) = (ScaleReason::Manual, ScaleReason::Balance);
    assert_eq!(told[..3], [(8, 9, hand), (9, 6, balance), (6, 5, balance)]);
    let all = all.take();
    assert_eq!(all[..5], [(9, 6), (1, 3), (3, 6), (6, 5), (6, 7)]);
}
