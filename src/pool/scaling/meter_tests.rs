use super::*;

const TICK: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3_600);
const HOUR_NANOS: u64 = 3_600_000_000_000;

/// A pool of eight, so old, whose load is half of it.
async fn half_busy(age: Duration) -> (Pool, [crate::pool::Permit; 4]) {
    let pool = Pool::new(8);
    let permits = [(); 4].map(|()| pool.try_acquire().unwrap());
    tokio::time::advance(age).await;
    (pool, permits)
}

fn utilisation(meter: &mut Meter, pool: &Pool) -> f64 {
    meter.read(pool, &Handle::current()).utilisation
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_half_busy_however_long_it_has_been() {
    // 64 bits hold 584 years in nanoseconds, of all permits together.
    for years in [1, 140, 150, 290, 300, 580] {
        let age = Duration::from_secs(31_557_600 * years);
        let (pool, permits) = half_busy(age).await;
        let mut meter = Meter::new(&pool, &Handle::current());
        for _ in 0..3 {
            tokio::time::advance(TICK).await;
            let busy = utilisation(&mut meter, &pool);
            assert!((busy - 0.5).abs() < 1e-9, "{busy} after {years} years");
        }
        drop(permits);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_is_read_between_two_writes_says_what_the_one_before_said() {
    let (pool, _permits) = half_busy(HOUR).await;
    let _waiting = pool.0.load.wait();
    tokio::time::advance(TICK).await;
    let runtime = Handle::current();
    let mut meter = Meter::new(&pool, &runtime);
    let mut wait = TICK;
    // In ticks 2 and 6 somebody stops between two writes, and goes on after the tick or the one that follows.
    for tick in 0..10 {
        tokio::time::advance(TICK).await;
        wait += TICK;
        if [2, 6].contains(&tick) {
            pool.0.load.tear(HOUR_NANOS);
        }
        let stats = meter.read(&pool, &runtime);
        if [2, 7].contains(&tick) {
            pool.0.load.tear(HOUR_NANOS.wrapping_neg());
        }
        let utilisation = stats.utilisation;
        assert!((utilisation - 0.5).abs() < 1e-9, "{utilisation} at {tick}");
        // A wait may look long in the second tick of a stop: what there was before it is not known by then.
        let right = stats.wait <= wait && stats.wait + TICK >= wait;
        assert!(right || tick == 7, "{stats:?} at {tick}");
    }
    assert_eq!(meter.wait, wait);
}

#[tokio::test(start_paused = true)]
async fn ticks_that_begin_between_two_writes_are_right_from_the_second_on() {
    let (pool, _permits) = half_busy(HOUR).await;
    pool.0.load.tear(HOUR_NANOS);
    let mut meter = Meter::new(&pool, &Handle::current());
    pool.0.load.tear(HOUR_NANOS.wrapping_neg());
    for _ in 0..3 {
        tokio::time::advance(TICK).await;
        let busy = utilisation(&mut meter, &pool);
        assert!((busy - 0.5).abs() < 1e-9, "{busy}");
    }
}
