//! The watch, against a slow and obvious twin.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::watch::{Probed, RECENT, STALLS, Sample, Watch};
use super::workers::Told;
use crate::clock::{self, Instant};

const MS: Duration = Duration::from_millis(1);
const STALL_AFTER: Duration = Duration::from_millis(50);
const EARLIER: SystemTime = SystemTime::UNIX_EPOCH;

fn sample(at: Instant, probe: Probed, workers: Vec<Told>) -> Sample {
    Sample {
        at,
        time: EARLIER + Duration::from_secs(1_000),
        workers,
        alive_tasks: 3,
        queue_depth: 2,
        probe,
    }
}

fn watch() -> Watch {
    Watch::new(STALL_AFTER, EARLIER)
}

fn told(parks: u64, busy_ms: u32) -> Told {
    Told {
        parks,
        busy: MS * busy_ms,
    }
}

#[test]
fn a_probe_that_waits_is_a_stall_from_the_threshold_on_and_grows_until_it_is_polled() {
    let (start, mut watch) = (clock::now(), watch());
    let mut look = |ms: u32, probe| {
        watch.look(&sample(start + MS * ms, probe, Vec::new()));
        watch.reading()
    };
    let since = start + MS * 100;
    let waiting = Probed::Waiting { since };
    assert_eq!(look(149, waiting).stalled_for(), None);
    let reading = look(150, waiting);
    assert_eq!(reading.stalled_for(), Some(STALL_AFTER));
    assert_eq!(
        (reading.stall_count, reading.stalled_time),
        (1, STALL_AFTER)
    );
    assert_eq!(reading.alive_tasks, 2, "the probe aside");
    assert_eq!(reading.stalls[0].began, since);
    let at = reading.taken_at - STALL_AFTER;
    assert_eq!(reading.stalls[0].began_at, at, "the same as a time of day");
    assert_eq!(look(250, waiting).stalled_for(), Some(MS * 150));
    let delay = MS * 170;
    let reading = look(350, Probed::Polled { since, delay });
    assert_eq!(reading.stalled_for(), None);
    assert_eq!((reading.stall_count, reading.stalled_time), (1, delay));
    assert!(reading.stalls[0].over && reading.stalls[0].lasted == delay);
    assert_eq!(reading.recent_delays, [delay]);
    assert_eq!((reading.alive_tasks, reading.queue_depth), (3, 2));
}

#[test]
fn a_worker_is_blocked_that_is_awake_and_does_not_get_on() {
    let (start, mut watch) = (clock::now(), watch());
    let mut look = |ms: u32, workers: &[Told]| {
        let probe = Probed::First;
        watch.look(&sample(start + MS * ms, probe, workers.to_vec()));
        let reading = watch.reading();
        (reading.blocked_workers, reading.blocked_for)
    };
    let none = (0, Duration::ZERO);
    let parked = told(7, 10);
    assert_eq!(look(0, &[told(4, 10), parked]), none);
    assert_eq!(look(49, &[told(4, 10), parked]), none, "not long enough");
    assert_eq!(look(50, &[told(4, 10), parked]), (1, STALL_AFTER));
    assert_eq!(look(150, &[told(4, 10), parked]), (1, MS * 150));
    assert_eq!(look(250, &[told(4, 240), parked]), none, "it got on");
    assert_eq!(look(350, &[told(5, 241), parked]), none, "it parked");
    assert_eq!(look(450, &[told(5, 241), told(8, 10)]), none);
    assert_eq!(look(550, &[told(5, 241), told(8, 10)]), (1, MS * 100));
    assert_eq!(look(650, &[told(6, 241), told(8, 10)]), (1, MS * 200));
    assert_eq!(look(750, &[told(6, 241), told(8, 10)]), (2, MS * 300));
}

#[test]
fn the_share_of_busy_time_has_what_a_blocked_worker_has_not_told() {
    let (start, mut watch) = (clock::now(), watch());
    let mut look = |ms: u32, workers: &[Told]| {
        let probe = Probed::First;
        watch.look(&sample(start + MS * ms, probe, workers.to_vec()));
        let reading = watch.reading();
        ((reading.busy * 100.0).round(), reading.busy_time)
    };
    let parked = told(1, 0);
    assert_eq!(look(0, &[told(2, 10), parked]), (0.0, MS * 10));
    assert_eq!(look(100, &[told(4, 50), parked]), (20.0, MS * 50));
    assert_eq!(look(200, &[told(4, 50), parked]), (50.0, MS * 50));
    // What it tells in the end is of before too.
    assert_eq!(look(300, &[told(5, 250), parked]), (50.0, MS * 250));
    assert_eq!(look(400, &[told(5, 250), parked]), (0.0, MS * 250));
}

#[test]
fn a_runtime_that_is_no_more_is_neither_stalled_nor_blocked() {
    let (start, mut watch) = (clock::now(), watch());
    let waiting = Probed::Waiting { since: start };
    for ms in [0, 100] {
        watch.look(&sample(start + MS * ms, waiting, vec![told(2, 0)]));
    }
    assert_eq!(watch.reading().blocked_workers, 1);
    assert!(!watch.reading().ended);
    watch.look(&sample(start + MS * 200, Probed::Gone, vec![told(2, 0)]));
    let reading = watch.reading();
    assert!(reading.ended);
    assert_eq!((reading.stalled_for(), reading.blocked_workers), (None, 0));
    assert_eq!((reading.stall_count, reading.stalled_time), (1, MS * 100));
}

proptest! {
    /// Each probe waits for some looks, and is polled after some delay: the twin keeps the delays, and reads all from them.
    #[test]
    fn it_says_what_the_list_of_all_delays_says(
        probes in prop::collection::vec((0_u32..5, 0_u32..100), 1..200),
    ) {
        let (start, mut watch) = (clock::now(), watch());
        let (mut at, mut delays) = (start, Vec::new());
        for (looks, more) in probes {
            let since = at;
            for look in 1..=looks {
                at += MS * 40;
                watch.look(&sample(at, Probed::Waiting { since }, Vec::new()));
                let stalled = (look >= 2).then_some(MS * 40 * look);
                prop_assert_eq!(watch.reading().stalled_for(), stalled);
            }
            let delay = MS * (40 * looks + more);
            at = since + delay;
            watch.look(&sample(at, Probed::Polled { since, delay }, Vec::new()));
            delays.push(delay);
        }
        let reading = watch.reading();
        let stalls: Vec<_> = delays.iter().copied().filter(|delay| *delay >= STALL_AFTER).collect();
        prop_assert_eq!(&reading.delays, &delays.iter().copied().collect());
        let recent = &delays[delays.len().saturating_sub(RECENT)..];
        prop_assert_eq!(&reading.recent_delays[..], recent);
        prop_assert_eq!(reading.stall_count, stalls.len() as u64);
        prop_assert_eq!(reading.stalled_time, stalls.iter().sum());
        let kept = &stalls[stalls.len().saturating_sub(STALLS)..];
        let lasted: Vec<_> = reading.stalls.iter().map(|stall| stall.lasted).collect();
        prop_assert_eq!(&lasted[..], kept);
        prop_assert_eq!(reading.stalled_for(), None);
    }
}
