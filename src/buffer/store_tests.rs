//! The store beside a slow, obvious twin: one list of all that waits.

use proptest::prelude::*;

use super::*;
use crate::keyed::Seeds;

#[derive(Clone, Debug, PartialEq)]
struct Waiting {
    lane: usize,
    key: u8,
    event: u32,
}

struct Twin {
    waiting: Vec<Waiting>,
    by_key: bool,
    aging: usize,
    /// How often in a row each lane was passed over.
    passed_over: Vec<usize>,
}

impl Twin {
    fn new(lanes: usize, aging: usize, by_key: bool) -> Self {
        Self {
            waiting: Vec::new(),
            by_key,
            aging,
            passed_over: vec![0; lanes],
        }
    }

    fn offer(&mut self, new: Waiting) -> Option<u32> {
        let same = |known: &&mut Waiting| self.by_key && known.key == new.key;
        if let Some(known) = self.waiting.iter_mut().find(same) {
            return Some(std::mem::replace(&mut known.event, new.event));
        }
        self.waiting.push(new);
        None
    }

    fn has(&self, lane: usize) -> bool {
        self.waiting.iter().any(|known| known.lane == lane)
    }

    fn next_lane(&self) -> Option<usize> {
        let with_events = (0..self.passed_over.len()).filter(|lane| self.has(*lane));
        let mut next = with_events.clone().next()?;
        let mut most = self.aging;
        for lane in with_events {
            let passed_over = self.passed_over[lane];
            if passed_over > most || (passed_over == most && self.passed_over[next] < most) {
                (next, most) = (lane, passed_over);
            }
        }
        Some(next)
    }

    fn pop(&mut self) -> Option<(usize, u32)> {
        let next = self.next_lane()?;
        for lane in 0..self.passed_over.len() {
            let passed = lane != next && self.has(lane);
            self.passed_over[lane] = if passed {
                self.passed_over[lane] + 1
            } else {
                0
            };
        }
        let event = self.pop_of(next)?;
        Some((next, event))
    }

    fn pop_of(&mut self, lane: usize) -> Option<u32> {
        let at = self.waiting.iter().position(|known| known.lane == lane)?;
        Some(self.waiting.remove(at).event)
    }

    fn take_all(&mut self) -> Vec<u32> {
        let mut all = Vec::new();
        for lane in 0..self.passed_over.len() {
            while let Some(event) = self.pop_of(lane) {
                all.push(event);
            }
            self.passed_over[lane] = 0;
        }
        all
    }
}

#[derive(Clone, Debug)]
enum Step {
    Offer { lane: usize, key: u8 },
    Pop,
    DropOldest { lane: usize },
    TakeAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lanes = 0..5_usize;
    let step = prop_oneof![
        10 => (lanes.clone(), 0..9_u8).prop_map(|(lane, key)| Step::Offer { lane, key }),
        8 => Just(Step::Pop),
        2 => lanes.prop_map(|lane| Step::DropOldest { lane }),
        1 => Just(Step::TakeAll),
    ];
    proptest::collection::vec(step, 1..200)
}

/// Offers an event, and says which it took the place of.
fn offer(store: &mut Store<u32>, spot: Spot, event: u32) -> Option<u32> {
    match store.replace(spot, event) {
        Ok(older) => Some(older),
        Err(event) => {
            store.push(spot, event);
            None
        }
    }
}

proptest! {
    #[test]
    fn the_store_does_what_its_twin_does(
        lanes in 1..=5_usize,
        aging in 1..6_usize,
        by_key: bool,
        steps in steps(),
    ) {
        let seeds = Seeds::default();
        let mut store = Store::new(lanes, aging, by_key);
        let mut twin = Twin::new(lanes, aging, by_key);
        for (event, step) in (0..).zip(steps) {
            match step {
                Step::Offer { lane, key } => {
                    let lane = lane % lanes;
                    let spot = Spot { lane, key: by_key.then(|| seeds.fingerprint(&key)) };
                    let older = offer(&mut store, spot, event);
                    prop_assert_eq!(older, twin.offer(Waiting { lane, key, event }));
                }
                Step::Pop => prop_assert_eq!(store.pop(), twin.pop()),
                Step::DropOldest { lane } => {
                    let lane = lane % lanes;
                    prop_assert_eq!(store.pop_of(lane), twin.pop_of(lane));
                }
                Step::TakeAll => prop_assert_eq!(Vec::from(store.take_all()), twin.take_all()),
            }
            prop_assert_eq!(store.len(), twin.waiting.len());
            prop_assert_eq!(store.is_empty(), twin.waiting.is_empty());
            let in_lane = |lane| twin.waiting.iter().filter(|known| known.lane == lane).count();
            for lane in 0..lanes {
                prop_assert_eq!(store.lane_len(lane), in_lane(lane));
            }
            prop_assert_eq!(store.fullest(), (0..lanes).map(in_lane).max().unwrap_or(0));
        }
    }

    #[test]
    fn no_lane_is_passed_over_more_than_its_bound(
        lanes in 2..=16_usize,
        aging in 1..40_usize,
        offers in proptest::collection::vec((0..16_usize, 0..3_usize), 1..600),
    ) {
        let mut store = Store::new(lanes, aging, false);
        let mut passed_over = vec![0; lanes];
        for (lane, pops) in offers {
            store.push(Spot { lane: lane % lanes, key: None }, 0);
            for _ in 0..pops {
                let waiting: Vec<_> = (0..lanes).map(|lane| store.lane_len(lane) > 0).collect();
                let Some((next, _)) = store.pop() else { break };
                for lane in 0..lanes {
                    let passed = lane != next && waiting[lane];
                    passed_over[lane] = if passed { passed_over[lane] + 1 } else { 0 };
                    prop_assert!(passed_over[lane] <= aging + lanes - 2, "lane {lane}");
                }
            }
        }
    }
}

#[test]
fn the_most_urgent_comes_first_and_the_rest_after_it_has_aged() {
    let mut store = Store::new(2, 3, false);
    for n in 0..10 {
        store.push(Spot { lane: 0, key: None }, n);
        store.push(Spot { lane: 1, key: None }, 100 + n);
    }
    let out: Vec<_> = std::iter::from_fn(|| store.pop())
        .map(|(_, event)| event)
        .take(9)
        .collect();
    assert_eq!(out, [0, 1, 2, 100, 3, 4, 5, 101, 6]);
}

#[test]
fn the_bound_is_reached_so_it_is_no_larger_than_need_be() {
    let (lanes, aging) = (5, 7);
    let mut store = Store::new(lanes, aging, false);
    for lane in 0..lanes {
        for n in 0..100 {
            store.push(Spot { lane, key: None }, n);
        }
    }
    let mut served = std::iter::from_fn(|| store.pop());
    let first = served.position(|(lane, _)| lane == lanes - 1);
    assert_eq!(first, Some(aging + lanes - 2));
}

#[test]
fn what_is_replaced_keeps_its_place_and_lane() {
    let seeds = Seeds::default();
    let spot = |lane, key: u8| Spot {
        lane,
        key: Some(seeds.fingerprint(&key)),
    };
    let mut store = Store::new(2, 16, true);
    assert_eq!(offer(&mut store, spot(1, 1), 10), None);
    assert_eq!(offer(&mut store, spot(1, 2), 20), None);
    assert_eq!(offer(&mut store, spot(0, 1), 11), Some(10));
    assert_eq!((store.lane_len(0), store.lane_len(1)), (0, 2));
    assert_eq!(store.pop(), Some((1, 11)));
    assert_eq!(offer(&mut store, spot(0, 1), 12), None);
    assert_eq!(store.pop(), Some((0, 12)));
    assert_eq!(store.pop(), Some((1, 20)));
}
