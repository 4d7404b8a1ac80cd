//! Events that nobody awaits.

use fanfare::{Bus, Outcome, Pause, Signal};
use tokio::time::sleep;

use super::{SECOND, listen, of};
use crate::support::{Log, settle};

#[tokio::test(start_paused = true)]
async fn events_of_the_buffer_come_together_in_their_order() {
    let signal = Signal::<u32>::new();
    let (log, _) = listen(&signal, of(4));
    for n in 0..10 {
        signal.enqueue(n).await.unwrap();
    }
    settle().await;
    assert_eq!(log.take(), [[0, 1, 2, 3], [4, 5, 6, 7]], "at once");
    sleep(2 * SECOND).await;
    assert_eq!(log.take(), [[8, 9]]);
    assert_eq!(signal.stats().count(Outcome::Deferred), 10);
}

#[tokio::test(start_paused = true)]
async fn detached_events_and_those_that_were_held_come_together() {
    let bus = Bus::builder().replay(100).build();
    let log = Log::default();
    let seen = log.clone();
    let it = async move |events: Vec<u32>| seen.push(events);
    let sub = bus.on_batch(of(3), it);
    for n in 0_u32..3 {
        bus.emit_detached(n).unwrap();
    }
    settle().await;
    assert_eq!(log.take(), [[0, 1, 2]]);
    sub.pause(Pause::until_resumed().buffer(10)).unwrap();
    for n in 3_u32..6 {
        let _ = bus.emit(n).await;
    }
    sub.resume();
    settle().await;
    assert_eq!(log.take(), [[3, 4, 5]]);
    // A replay, too.
    let seen = log.clone();
    let it = async move |events: Vec<u32>| seen.push(events);
    sub.remove();
    bus.listen().replay().on_batch(of(3), it).unwrap();
    settle().await;
    assert_eq!(log.take(), [[0, 1, 2], [3, 4, 5]]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_the_callbacks() {
    let failures = Log::default();
    let told = failures.clone();
    let builder = Signal::<u32>::builder().on_failure(move |f| told.push(f.to_string()));
    let signal = builder.build();
    let odd = |n: u32| {
        if n % 2 == 0 {
            Ok(())
        } else {
            Err(format!("{n} is odd"))
        }
    };
    let listen = signal.listen().key("it");
    let it = async move |events: Vec<u32>| events.into_iter().map(odd).collect::<Vec<_>>();
    listen.on_batch(of(3), it).unwrap();
    for n in 0..3 {
        signal.try_enqueue(n).unwrap();
    }
    settle().await;
    assert_eq!(failures.take(), ["`it` failed: 1 is odd"]);
    assert_eq!(signal.stats().count(Outcome::Failed), 1);
}

#[tokio::test(start_paused = true)]
async fn without_room_in_the_background_an_event_waits_where_it_is() {
    let signal = Signal::<u32>::builder().max_background(2).build();
    let (log, _) = listen(&signal, of(100));
    for n in 0..5 {
        signal.try_enqueue(n).unwrap();
    }
    sleep(SECOND * 9 / 10).await;
    assert_eq!(log.len(), 0);
    sleep(SECOND * 9 / 10).await;
    assert_eq!(
        log.take(),
        [[0, 1, 2]],
        "two in the background, and the one that is delivered"
    );
    sleep(SECOND).await;
    assert_eq!(log.take(), [[3, 4]]);
}
