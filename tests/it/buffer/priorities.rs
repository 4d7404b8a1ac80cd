//! Lanes by priority, and that none starves.

use fanfare::{DropReason, Overflow, Signal, SignalBuilder};
use proptest::prelude::*;

use super::Slow;
use crate::support::settle;

/// The tens say which lane.
fn tens() -> SignalBuilder<u32> {
    Signal::builder().priorities(3, |n: &u32| (n / 10) as usize)
}

#[tokio::test(start_paused = true)]
async fn the_most_urgent_comes_first_and_a_lane_keeps_its_order() {
    let slow = Slow::new(tens());
    for n in [20, 10, 0, 21, 11, 1, 999] {
        slow.signal.try_enqueue(n).unwrap();
    }
    assert_eq!(slow.finish().await, [0, 1, 10, 11, 20, 21, 999]);
}

#[tokio::test(start_paused = true)]
async fn each_lane_has_places_of_its_own() {
    for (overflow, refused, dropped) in [
        (Overflow::Reject, true, None),
        (Overflow::DropOldest, false, Some((20, DropReason::Oldest))),
        (Overflow::DropNewest, false, Some((22, DropReason::Newest))),
    ] {
        let slow = Slow::new(tens().buffer(2).overflow(overflow));
        for n in [20, 21, 10, 0] {
            slow.signal.try_enqueue(n).unwrap();
        }
        assert_eq!(slow.signal.buffered(), (4, 6));
        let taken = slow.signal.try_enqueue(22);
        assert_eq!(taken.is_err(), refused, "{overflow:?}");
        assert_eq!(slow.dropped.take(), Vec::from_iter(dropped), "{overflow:?}");
        for n in [11, 1] {
            slow.signal.try_enqueue(n).unwrap();
        }
        assert_eq!(slow.signal.buffered(), (6, 6));
        slow.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_waits_for_its_own_lane() {
    let slow = Slow::new(tens().buffer(1));
    slow.signal.enqueue(0).await.unwrap();
    settle().await;
    for n in [1, 20] {
        slow.signal.enqueue(n).await.unwrap();
    }
    let waits = [2, 21].map(|n| {
        let signal = slow.signal.clone();
        tokio::spawn(async move { signal.enqueue(n).await.unwrap() })
    });
    settle().await;
    slow.take(1).await;
    assert!(waits[0].is_finished() && !waits[1].is_finished());
    slow.take(3).await;
    assert_eq!(slow.finish().await, [0, 1, 2, 20, 21]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_was_passed_over_so_often_has_its_turn() {
    let ages = [(None, 16), (Some(1), 1), (Some(4), 4)];
    for (aging, expected) in ages {
        let builder = Signal::builder().priorities(2, |n: &u32| usize::from(*n == 99));
        let builder = match aging {
            Some(aging) => builder.aging(aging),
            None => builder,
        };
        let slow = Slow::new(builder);
        slow.signal.try_enqueue(99).unwrap();
        for n in 0..50 {
            slow.signal.try_enqueue(n).unwrap();
        }
        let out = slow.finish().await;
        let at = out.iter().position(|n| *n == 99);
        assert_eq!(at, Some(expected), "{aging:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_urgent_events_that_never_ends_starves_nobody() {
    let slow = Slow::new(tens().buffer(64).aging(5));
    for n in 20..30 {
        slow.signal.try_enqueue(n).unwrap();
    }
    let mut rounds = 0;
    // One urgent event comes for each that is taken.
    while slow.signal.buffered().0 > 0 && rounds < 80 {
        let _ = slow.signal.try_enqueue(rounds % 10);
        slow.take(1).await;
        rounds += 1;
    }
    let bulk = slow.seen.take().into_iter().filter(|n| *n >= 20).count();
    assert_eq!(bulk, 10);
    slow.finish().await;
}

proptest! {
    #![proptest_config(crate::support::cases(32))]

    /// The k-th of a lane comes after no more than k times the bound and one, however much is ahead of it.
    #[test]
    fn no_event_waits_longer_than_its_place_in_its_lane_says(
        lanes in 2..6_usize,
        aging in 1..12_usize,
        events in prop::collection::vec(0..6_usize, 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let out = runtime.block_on(async {
            let signal = Signal::builder().priorities(lanes, |event: &(usize, usize)| event.0).aging(aging);
            let slow = Slow::new(signal);
            for (number, lane) in events.iter().enumerate() {
                slow.signal.try_enqueue((lane % lanes, number)).unwrap();
            }
            slow.finish().await
        });
        prop_assert_eq!(out.len(), events.len());
        let bound = aging + lanes - 2;
        let mut of_lane = vec![Vec::new(); lanes];
        for (at, (lane, number)) in out.into_iter().enumerate() {
            of_lane[lane].push(number);
            let place = of_lane[lane].len();
            prop_assert!(at < place * (bound + 1), "lane {lane}: {place} came at {at}");
        }
        for lane in of_lane {
            prop_assert!(lane.is_sorted());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_event_keeps_the_lane_of_the_older() {
    let slow = Slow::new(
        Signal::builder()
            .priorities(2, |event: &(char, usize)| event.1)
            .latest_by(|event: &(char, usize)| event.0)
            .buffer(1),
    );
    slow.signal.try_enqueue(('a', 1)).unwrap();
    slow.signal.try_enqueue(('a', 0)).unwrap();
    slow.signal.try_enqueue(('b', 0)).unwrap();
    assert_eq!(slow.finish().await, [('b', 0), ('a', 0)]);
}
