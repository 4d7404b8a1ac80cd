//! The machines against slow, obvious twins.

use std::time::Duration;

use proptest::prelude::*;

use super::by_count::ByCount;
use super::by_time::ByTime;
use super::debounce::Debounce;
use super::machine::{Machine, Moved, Span};
use crate::clock::{self, Instant};

/// When each event comes, in milliseconds: its number is its place.
fn times() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0..40_u64, 0..60).prop_map(|gaps| {
        let mut now = 0;
        let mut add = |gap| {
            // Mostly at once or a little later, and sometimes much.
            now += if gap > 35 { gap * 10 } else { gap / 4 };
            now
        };
        gaps.into_iter().map(&mut add).collect()
    })
}

fn at(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

/// Runs the machine, with a look at its deadlines or with none but those of the events.
fn run<M: Machine<Item = usize>>(
    mut machine: M,
    start: Instant,
    times: &[u64],
    prompt: bool,
    end: Option<u64>,
) -> Moved<usize, M::Out> {
    let mut moved = Moved::new();
    let last = times.last().copied().unwrap_or(0);
    for (n, &time) in times.iter().enumerate() {
        while let Some(due) = machine
            .deadline()
            .filter(|due| prompt && *due <= at(start, time))
        {
            machine.tick(due, &mut moved);
        }
        machine.push(n, at(start, time), &mut moved);
    }
    if let Some(after) = end {
        machine.flush(at(start, last + after), &mut moved);
        assert!(machine.deadline().is_none(), "it starts anew");
    }
    while let Some(due) = machine.deadline() {
        machine.tick(due, &mut moved);
    }
    if end.is_some() || times.is_empty() {
        assert_eq!(machine.pending(), 0);
    }
    moved
}

/// The windows of so much time, from what they are said to be.
fn windows_by_time(times: &[u64], length: u64, step: u64) -> Vec<(u64, u64, Vec<usize>)> {
    let mut windows = Vec::new();
    let within = |from: u64, to: u64| {
        let times = times.iter().enumerate();
        let inside = times.filter(move |(_, time)| (from..to).contains(*time));
        inside.map(|(n, _)| n).collect::<Vec<_>>()
    };
    let mut from = 0;
    while let Some(&first) = times.iter().find(|time| **time >= from) {
        let mut end = first + step;
        loop {
            let began = end.saturating_sub(length).max(first);
            windows.push((began, end, within(began, end)));
            let next = end + step;
            if within(next.saturating_sub(length).max(first), end).is_empty() {
                break;
            }
            end = next;
        }
        from = end;
    }
    windows
}

proptest! {
    #[test]
    fn windows_by_time_are_those_of_the_twin(
        times in times(), length in 1..50_u64, part in 1..5_u64, prompt: bool
    ) {
        let (start, step) = (clock::now(), length.div_ceil(part));
        let millis = Duration::from_millis;
        let machine = ByTime::new(millis(length), millis(step), 1_000);
        let moved = run(machine, start, &times, prompt, None);
        let expected = windows_by_time(&times, length, step).into_iter();
        let expected: Vec<_> = expected.map(|(began, ended, items)| Span {
            items, began: at(start, began), ended: at(start, ended), missed: 0,
        }).collect();
        prop_assert_eq!(moved.out, expected);
        prop_assert_eq!(moved.held_back, 0);
    }

    #[test]
    fn windows_by_time_that_are_ended_early_miss_nothing(
        times in times(), length in 1..50_u64, part in 1..5_u64, after in 0..20_u64
    ) {
        let (start, step) = (clock::now(), length.div_ceil(part));
        let millis = Duration::from_millis;
        let machine = ByTime::new(millis(length), millis(step), 1_000);
        let moved = run(machine, start, &times, true, Some(after));
        let mut seen: Vec<_> = moved.out.into_iter().flat_map(|span| span.items).collect();
        seen.sort_unstable();
        if step == length {
            prop_assert_eq!(&seen, &(0..times.len()).collect::<Vec<_>>());
        }
        seen.dedup();
        prop_assert_eq!(seen, (0..times.len()).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_window_has_no_room_for_is_counted(times in times(), length in 1..50_u64, most in 1..5_usize) {
        let length = Duration::from_millis(length);
        let moved = run(ByTime::new(length, length, most), clock::now(), &times, true, None);
        let mut items = 0;
        for span in &moved.out {
            prop_assert!(span.items.len() <= most);
            prop_assert!(span.items.is_sorted());
            prop_assert!(span.missed == 0 || span.items.len() == most);
            items += span.items.len() + usize::try_from(span.missed).unwrap();
        }
        let missed = moved.out.iter().map(|span| span.missed).sum::<u64>();
        prop_assert_eq!((items, missed), (times.len(), moved.held_back));
    }

    #[test]
    fn windows_by_count_are_those_of_the_twin(events in 0..50_usize, size in 1..12_usize, part in 1..5_usize, ended: bool) {
        let every = size.div_ceil(part);
        let times: Vec<u64> = (0..events as u64).collect();
        let start = clock::now();
        let moved = run(ByCount::new(size, every), start, &times, true, ended.then_some(1));
        let mut ends: Vec<usize> = (1..=events).filter(|n| n % every == 0).collect();
        if ended && events % every != 0 {
            ends.push(events);
        }
        let spans = ends.into_iter().map(|end| (end.saturating_sub(size)..end).collect::<Vec<_>>());
        let out: Vec<_> = moved.out.iter().map(|span| span.items.clone()).collect();
        if every == size {
            // Each event is in one window.
            prop_assert_eq!(out.concat(), (0..out.concat().len()).collect::<Vec<_>>());
            prop_assert!(out.iter().rev().skip(1).all(|window| window.len() == size));
        } else {
            prop_assert_eq!(out, spans.collect::<Vec<_>>());
        }
        for span in moved.out {
            prop_assert_eq!(span.began, at(start, span.items[0] as u64));
        }
    }

    #[test]
    fn a_debounce_gives_out_what_nothing_follows_in_time(times in times(), quiet in 1..30_u64, prompt: bool) {
        let machine = Debounce::new(Duration::from_millis(quiet));
        let moved = run(machine, clock::now(), &times, prompt, None);
        let followed = |n: usize| times.get(n + 1).is_some_and(|next| *next < times[n] + quiet);
        let (gone, out): (Vec<_>, Vec<_>) = (0..times.len()).partition(|n| followed(*n));
        prop_assert_eq!(moved.out, out);
        prop_assert_eq!(moved.held_back, gone.len() as u64);
        prop_assert_eq!(moved.gone, gone);
    }
}
