//! The bus: who listens, and what goes wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare::layer::{CircuitBreaker, DeadLetter, DeadLetters, Fault, Retry};
use fanfare::{Bus, Metrics, Overflow, Pool, RegisterError};
use tokio::time::sleep;

use crate::quake::Quake;

/// From here on somebody is told.
const SIGNIFICANT: f64 = 2.5;
const MS: Duration = Duration::from_millis(1);

/// What follows from a quake that is worth it.
#[derive(Clone)]
pub struct Alert {
    pub place: String,
}

pub fn bus() -> Result<(Bus, DeadLetters), RegisterError> {
    let letters = DeadLetters::new(100_000);
    let bus = Bus::builder()
        .name("quakes")
        .metrics(Metrics::Timed)
        .slow_after(20 * MS)
        .pool(Pool::builder(16).name("workers").build())
        // What fails is in the counters; the callback keeps it out of the log.
        .on_failure(|_| {})
        .signal::<Quake>(|signal| {
            let signal = signal
                .name("quake")
                .buffer(256)
                .overflow(Overflow::DropOldest);
            signal.enqueue_concurrency(8)
        })
        .signal::<Alert>(|signal| signal.name("alert"))
        .build();
    let listen = bus.listen::<Quake>().key("statistics");
    let felt = AtomicU64::new(0);
    listen.on_sync(move |quake| {
        felt.fetch_add(quake.felt, Ordering::Relaxed);
    })?;
    archive(&bus)?;
    let triage = bus.listen::<Quake>().key("triage");
    triage.follow(async |quake: Quake| {
        let alert = Alert { place: quake.place };
        (quake.magnitude >= SIGNIFICANT).then_some(alert)
    })?;
    page(&bus, &letters)?;
    Ok((bus, letters))
}

/// Takes two milliseconds for each, is late for some, and panics now and then.
fn archive(bus: &Bus) -> Result<(), RegisterError> {
    let faults = Fault::new().panic(0.02).delay(0.05, 30 * MS).seed(8);
    let listen = bus.listen::<Quake>().key("archive").fault(faults);
    listen.on(async |_| sleep(2 * MS).await)?;
    Ok(())
}

/// Fails every fourth time, and hangs now and then; is tried again, given up, and left alone for a while when it fails too often.
fn page(bus: &Bus, letters: &DeadLetters) -> Result<(), RegisterError> {
    let faults = Fault::new().fail(0.25).hang(0.02).seed(4);
    let breaker = CircuitBreaker::new()
        .window_calls(20)
        .failure_rate(0.4)
        .open_for(100 * MS);
    bus.listen::<Alert>()
        .key("page")
        .dead_letter(DeadLetter::keep(letters))
        .retry(Retry::constant(5 * MS).max_attempts(3))
        .circuit_breaker(breaker)
        .timeout(25 * MS)
        .fault(faults)
        .on(async |alert| drop(std::hint::black_box(alert.place)))?;
    Ok(())
}
