//! What the buffer does under load: which events it keeps, in which order they come out, who waits, and what is counted.

mod accounting;
mod latest;
mod lost;
mod options;
mod priorities;
mod ready;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use fanfare::{DropReason, Event, Signal, SignalBuilder};
use tokio::sync::Semaphore;

use crate::support::Log;

const LONG: Duration = Duration::from_secs(1_000_000);

/// A signal whose only listener takes an event for each permit, and keeps a list.
struct Slow<E: Event> {
    signal: Signal<E>,
    permits: Arc<Semaphore>,
    seen: Log<E>,
    dropped: Log<(E, DropReason)>,
}

impl<E: Event> Slow<E> {
    fn new(builder: SignalBuilder<E>) -> Self {
        let (seen, dropped) = (Log::default(), Log::default());
        let list = dropped.clone();
        let signal = builder
            .on_dropped(move |event, reason| list.push((event, reason)))
            .build();
        let permits = Arc::new(Semaphore::new(0));
        let (next, list) = (Arc::clone(&permits), seen.clone());
        signal.on(async move |event| {
            next.acquire().await.unwrap().forget();
            list.push(event);
        });
        Self {
            signal,
            permits,
            seen,
            dropped,
        }
    }

    /// Lets the listener take so many more.
    async fn take(&self, events: usize) {
        self.permits.add_permits(events);
        crate::support::settle().await;
    }

    /// Everything that is delivered, up to the end.
    async fn finish(&self) -> Vec<E> {
        self.permits.add_permits(1 << 20);
        assert!(self.signal.shutdown(LONG).await.is_clean());
        self.seen.take()
    }
}
