//! How events come together.

use std::time::Duration;

use fanfare::{Batches, Bus, OptionError, Pool, RegisterError, Report, Signal};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{SECOND, listen, of};
use crate::support::{Gauge, Log, MODES};

#[tokio::test(start_paused = true)]
async fn a_batch_is_delivered_when_it_is_full() {
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let (log, _) = listen(&signal, of(3));
        let began = Instant::now();
        let reports = join_all((0..6).map(|n| signal.emit(n))).await;
        assert!(
            reports.iter().all(|report| report.delivered() == 1),
            "{mode}"
        );
        assert!(began.elapsed().is_zero(), "{mode}");
        assert_eq!(log.take(), [[0, 1, 2], [3, 4, 5]], "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_delivered_when_its_first_event_has_waited_long_enough() {
    let signal = Signal::<u32>::new();
    let (log, _) = listen(&signal, of(10));
    let began = Instant::now();
    let late = async |after: u32, n| {
        sleep(after * SECOND / 10).await;
        let report = signal.emit(n).await;
        assert_eq!(report.delivered(), 1);
        began.elapsed()
    };
    let times = tokio::join!(late(0, 0), late(5, 1), late(9, 2), late(11, 3));
    let first = SECOND;
    assert_eq!(times, (first, first, first, 21 * SECOND / 10));
    assert_eq!(log.take(), [vec![0, 1, 2], vec![3]]);
}

#[tokio::test(start_paused = true)]
async fn the_default_wait_is_a_tenth_of_a_second() {
    let bus = Bus::new();
    bus.on_batch(Batches::of(10), async |_: Vec<u32>| {});
    let began = Instant::now();
    assert!(bus.emit(1_u32).await.is_ok());
    assert_eq!(began.elapsed(), SECOND / 10);
}

#[tokio::test(start_paused = true)]
async fn options_that_make_no_sense_are_refused_by_name() {
    let signal = Signal::<u32>::new();
    let refused = [
        (Batches::of(0), "of", "0"),
        (Batches::of(65_537), "of", "65537"),
        (of(1).at_once(0), "at_once", "0"),
        (of(1).at_once(65_537), "at_once", "65537"),
        (of(1).within(Duration::ZERO), "within", "0ns"),
    ];
    for (batches, option, value) in refused {
        let refused = signal.listen().on_batch(batches, async |_| {});
        let error: OptionError = match refused.unwrap_err() {
            RegisterError::Option(error) => error,
            other => panic!("{other}"),
        };
        assert_eq!((error.option(), error.value()), (option, value));
    }
    assert!(signal.is_empty());
    signal.on_batch(of(65_536).at_once(65_536), async |_| {});
}

#[tokio::test(start_paused = true)]
async fn batches_are_delivered_in_order_and_so_many_at_once() {
    for at_once in [1, 2, 5] {
        let signal = Signal::<u32>::new();
        let (log, gauge) = (Log::default(), Gauge::default());
        let (seen, running) = (log.clone(), gauge.clone());
        let slow = async move |events: Vec<u32>| {
            seen.push(events[0]);
            let _inside = running.enter();
            // Later ones are quicker.
            sleep(SECOND * (20 - events[0])).await;
        };
        signal.on_batch(of(2).at_once(at_once), slow);
        let began = Instant::now();
        let reports = join_all((0..10).map(|n| signal.emit(n))).await;
        assert!(reports.iter().all(Report::is_ok));
        assert_eq!(gauge.peak(), at_once);
        assert_eq!(log.take(), [0, 2, 4, 6, 8]);
        let longest = began.elapsed();
        let expected = match at_once {
            1 => 20 + 18 + 16 + 14 + 12,
            2 => 18 + 16 + 12,
            _ => 20,
        };
        assert!(longest <= SECOND * expected, "{at_once}: {longest:?}");
        assert!(longest >= SECOND * 20, "{at_once}: {longest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_batch_holds_no_permit_and_what_delivers_it_has_one() {
    for mode in MODES {
        for size in [1, 2] {
            let pool = Pool::new(size);
            let builder = Signal::<u32>::builder().pool(pool.clone()).dispatch(mode);
            let signal = builder.build();
            let gauge = Gauge::default();
            let (running, seen) = (gauge.clone(), pool.clone());
            let slow = async move |events: Vec<u32>| {
                let _inside = running.enter();
                assert_eq!(events.len(), 5);
                assert!(seen.in_use() >= 1);
                sleep(SECOND).await;
            };
            signal.on_batch(of(5).within(60 * SECOND), slow);
            let began = Instant::now();
            let reports = join_all((0..10).map(|n| signal.emit(n))).await;
            assert!(reports.iter().all(Report::is_ok), "{mode}, {size}");
            assert_eq!(began.elapsed(), 2 * SECOND, "{mode}, {size}");
            assert_eq!((gauge.total(), pool.in_use()), (2, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_listeners_and_two_signals_have_batches_of_their_own() {
    let signal = Signal::<u32>::new();
    let (all, _) = listen(&signal, of(4));
    let odd = Log::default();
    let seen = odd.clone();
    let listen = signal.listen().filter(|n| n % 2 == 1);
    let it = async move |events: Vec<u32>| seen.push(events);
    listen.on_batch(of(2), it).unwrap();
    join_all((0..4).map(|n| signal.emit(n))).await;
    assert_eq!(
        (all.take(), odd.take()),
        (vec![vec![0, 1, 2, 3]], vec![vec![1, 3]])
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_time_is_up_takes_events_until_its_turn() {
    let signal = Signal::<u32>::new();
    let (log, began) = (Log::default(), Instant::now());
    let seen = log.clone();
    signal.on_batch(of(3), async move |events: Vec<u32>| {
        seen.push((began.elapsed().as_secs(), events));
        sleep(10 * SECOND).await;
    });
    let emit = async |n: u32| {
        sleep(2 * n * SECOND).await;
        assert!(signal.emit(n).await.is_ok());
    };
    // The second batch is full before its turn comes, the third one never is.
    tokio::join!(emit(0), emit(1), emit(2), emit(3), emit(4), emit(9));
    let expected = [(1, vec![0]), (11, vec![1, 2, 3]), (21, vec![4, 9])];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn no_batch_has_two_events_of_one_key() {
    let signal = Signal::<u32>::builder().keyed_by(|n| n % 2).build();
    let (log, _) = listen(&signal, of(4));
    for n in 0..6 {
        signal.try_enqueue(n).unwrap();
    }
    sleep(4 * SECOND).await;
    assert_eq!(log.take(), [[0, 1], [2, 3], [4, 5]]);
}
