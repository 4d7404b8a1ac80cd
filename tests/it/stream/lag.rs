//! Lag is a value, in its place in the order, and exact.

use std::sync::{Arc, Mutex};

use fanfare::{DropReason, Lagged, Overflow, Signal};
use futures::{FutureExt as _, StreamExt as _};
use proptest::prelude::*;

use super::{SECOND, drain, emit, stream_of};
use crate::support::{Captured, Log};

fn told(items: Vec<Result<u32, Lagged>>) -> Vec<String> {
    let word = |item: Result<u32, Lagged>| match item {
        Ok(n) => n.to_string(),
        Err(gap) => format!("-{}", gap.missed()),
    };
    items.into_iter().map(word).collect()
}

#[tokio::test]
async fn what_made_room_is_missing_before_what_is_left() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 2, Overflow::DropOldest).with_lag();
    emit(&signal, 1..=5).await;
    assert_eq!(stream.next().await.unwrap().unwrap_err().missed(), 3);
    emit(&signal, [6]).await;
    assert_eq!(told(drain(&mut stream)), ["-1", "5", "6"]);
    assert_eq!(stream.stream().lagged(), 4);
    emit(&signal, [7]).await;
    assert_eq!(told(drain(&mut stream)), ["7"]);
}

#[tokio::test]
async fn what_did_not_get_in_is_missing_behind_what_did() {
    for policy in [Overflow::DropNewest, Overflow::Reject] {
        let signal = Signal::<u32>::new();
        let mut stream = stream_of(&signal, 2, policy).with_lag();
        emit(&signal, 1..=5).await;
        assert_eq!(stream.next().await, Some(Ok(1)));
        emit(&signal, 6..=8).await;
        assert_eq!(
            told(drain(&mut stream)),
            ["2", "-3", "6", "-2"],
            "{policy:?}"
        );
        emit(&signal, [9]).await;
        assert_eq!(told(drain(&mut stream)), ["9"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_found_no_room_in_time_is_missing_behind_what_is_in() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 1, Overflow::WaitUpTo(SECOND)).with_lag();
    emit(&signal, 1..=3).await;
    assert_eq!(told(drain(&mut stream)), ["1", "-2"]);
}

#[tokio::test]
async fn a_gap_at_the_end_comes_before_the_end() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 1, Overflow::Reject).with_lag();
    emit(&signal, 1..=3).await;
    drop(signal);
    let all: Vec<_> = stream.by_ref().collect().await;
    assert_eq!(told(all), ["1", "-2"]);
    assert!(futures::stream::FusedStream::is_terminated(&stream));
}

#[tokio::test]
async fn a_gap_that_was_not_asked_for_is_no_item() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 2, Overflow::DropOldest);
    emit(&signal, 1..=5).await;
    assert_eq!(drain(&mut stream), [4, 5]);
    assert_eq!(stream.next().now_or_never(), None);
    // Those gaps are behind the reader: a stream that is asked later begins with what it misses from then on.
    let mut stream = stream.with_lag();
    emit(&signal, 6..=8).await;
    assert_eq!(told(drain(&mut stream)), ["-1", "7", "8"]);
    assert_eq!(stream.stream().lagged(), 4);
}

#[tokio::test]
async fn what_is_dropped_is_counted_and_shown_to_every_callback() {
    for (policy, reason, lost) in [
        (Overflow::DropOldest, DropReason::Oldest, [1, 2]),
        (Overflow::DropNewest, DropReason::Newest, [3, 4]),
    ] {
        let signal = Signal::<u32>::new();
        let (first, second) = (Log::default(), Log::default());
        let (one, two) = (first.clone(), second.clone());
        let stream = signal.listen().stream().buffer(2).overflow(policy);
        let stream = stream
            .on_dropped(move |n, why| one.push((n, why)))
            .on_dropped(move |n, why| two.push((n, why)));
        let stream = stream.build().unwrap();
        emit(&signal, 1..=4).await;
        let expected = lost.map(|n| (n, reason)).to_vec();
        assert_eq!((first.take(), second.take()), (expected.clone(), expected));
        assert_eq!((signal.stats().dropped(), stream.lagged()), (2, 2));
        drop(stream);
        assert_eq!(signal.stats().dropped(), 4);
        let unread = first.take();
        assert_eq!(unread.len(), 2);
        assert!(
            unread
                .iter()
                .all(|(_, why)| *why == DropReason::StreamDropped)
        );
    }
}

#[tokio::test]
async fn a_callback_that_panics_stops_nobody() {
    let signal = Signal::<u32>::new();
    let stream = signal.listen().stream().buffer(1);
    let mut stream = stream.on_dropped(|_, _| panic!("planned")).build().unwrap();
    for n in 1..=3 {
        assert_eq!(signal.emit(n).await.delivered(), 1);
    }
    assert_eq!((drain(&mut stream), stream.lagged()), (vec![3], 2));
}

#[tokio::test]
async fn the_first_event_that_is_missed_is_logged_once_where_nobody_asked() {
    let (captured, _guard) = Captured::start();
    let lines = || -> Vec<_> {
        let lines = captured.lines();
        lines
            .into_iter()
            .filter(|line| line.contains("read too slowly"))
            .collect()
    };
    let signal = Signal::<u32>::builder().name("numbers").build();
    let plain = signal
        .listen()
        .key("slow")
        .stream()
        .buffer(1)
        .build()
        .unwrap();
    emit(&signal, 1..=5).await;
    let said = lines();
    assert_eq!(said.len(), 1, "{said:?}");
    for part in [
        "WARN",
        "signal=numbers",
        "key=\"slow\"",
        "lag.rs",
        "capacity=1",
    ] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
    drop(plain);
    let _asked = stream_of(&signal, 1, Overflow::DropOldest).with_lag();
    let told = signal.listen().stream().buffer(1).on_dropped(|_, _| ());
    let _told = told.build().unwrap();
    emit(&signal, 1..=5).await;
    assert_eq!(lines(), Vec::<String>::new());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Emit,
    Read,
}

/// A slow and obvious twin: a list of events and gaps.
#[derive(Default)]
struct Twin {
    list: Vec<Result<u32, u64>>,
}

impl Twin {
    fn held(&self) -> usize {
        self.list.iter().filter(|item| item.is_ok()).count()
    }

    fn gap(&mut self, at: usize) {
        let mut near = [at.checked_sub(1), Some(at)].into_iter().flatten();
        let known = near.find(|at| matches!(self.list.get(*at), Some(Err(_))));
        match known {
            Some(at) => self.list[at] = self.list[at].map_err(|missed| missed + 1),
            None => self.list.insert(at, Err(1)),
        }
    }

    fn emit(&mut self, event: u32, capacity: usize, policy: Overflow) {
        if self.held() < capacity {
            self.list.push(Ok(event));
        } else if policy == Overflow::DropOldest {
            let first = self.list.iter().position(Result::is_ok).unwrap();
            let _oldest = self.list.remove(first);
            self.gap(first);
            self.list.push(Ok(event));
            let merged: Vec<_> = self.list.drain(..).collect();
            for item in merged {
                match (self.list.last_mut(), item) {
                    (Some(Err(before)), Err(missed)) => *before += missed,
                    (_, item) => self.list.push(item),
                }
            }
        } else {
            self.gap(self.list.len());
        }
    }

    fn read(&mut self) -> Option<Result<u32, u64>> {
        (!self.list.is_empty()).then(|| self.list.remove(0))
    }
}

proptest! {
    #![proptest_config(crate::support::cases(128))]

    #[test]
    fn gaps_are_where_a_list_of_events_has_them(
        steps in prop::collection::vec(prop_oneof![3 => Just(Step::Emit), 2 => Just(Step::Read)], 0..60),
        capacity in 1..5_usize,
        policy in prop::sample::select(vec![Overflow::DropOldest, Overflow::DropNewest, Overflow::Reject]),
    ) {
        let signal = Signal::<u32>::new();
        let mut stream = stream_of(&signal, capacity, policy).with_lag();
        let mut twin = Twin::default();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Emit => {
                    let _ = signal.emit(next).now_or_never();
                    twin.emit(next, capacity, policy);
                    next += 1;
                }
                Step::Read => {
                    let read = stream.next().now_or_never().flatten();
                    prop_assert_eq!(read.map(|item| item.map_err(|gap| gap.missed())), twin.read());
                }
            }
        }
        let rest: Vec<_> = drain(&mut stream).into_iter().map(|item| item.map_err(|gap| gap.missed())).collect();
        prop_assert_eq!(rest, twin.list);
    }
}

/// The event's own `Drop` and `Clone` run under no lock: they may look at the stream.
#[tokio::test]
async fn an_event_may_look_at_its_stream_when_it_is_dropped() {
    struct Nosy(Arc<Mutex<Option<fanfare::WeakSignal<Nosy>>>>);
    impl Clone for Nosy {
        fn clone(&self) -> Self {
            self.look();
            Self(Arc::clone(&self.0))
        }
    }
    impl Nosy {
        fn look(&self) {
            let signal = self.0.lock().unwrap().clone();
            if let Some(signal) = signal.and_then(|signal| signal.upgrade()) {
                drop(signal.stream());
            }
        }
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            self.look();
        }
    }
    let signal = Signal::<Nosy>::new();
    let own = Arc::new(Mutex::new(Some(signal.downgrade())));
    let mut streams =
        [Overflow::DropOldest, Overflow::DropNewest, Overflow::Reject].map(|policy| {
            let builder = signal.listen().stream().buffer(1);
            builder.overflow(policy).build().unwrap()
        });
    for _ in 0..4 {
        let _ = signal.emit(Nosy(Arc::clone(&own))).await;
    }
    for stream in &mut streams {
        assert_eq!(drain(stream).len(), 1);
    }
    let _ = signal.emit(Nosy(Arc::clone(&own))).await;
    drop(streams);
    own.lock().unwrap().take();
}
