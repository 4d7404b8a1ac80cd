use super::*;

const TICK: Duration = Duration::from_millis(100);

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
