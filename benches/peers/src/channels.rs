//! Channels: whoever sends is done when the event is in the channel, and nobody awaits the receivers or hears what came of them.
//!
//! The receivers are tasks. At most [`CHUNK`] events are sent at once, then the sender waits until every receiver has had the last of them: so all
//! events are received when the time is taken, no receiver lags behind, and what the wait costs is shared by many events.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare::{Dispatch, Signal};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, broadcast};
use tokio_events::EventBus;

use crate::case::{Case, forever};
use crate::count::{Tick, count};

pub(crate) const BROADCAST: &str = "`tokio::sync::broadcast`";

/// How many events are sent before the receivers are waited for, and the capacity of every channel whose capacity can be chosen.
const CHUNK: usize = 1_024;

pub(crate) fn cases(runtime: &Runtime, n: usize) -> Vec<Case> {
    let _inside = runtime.enter();
    vec![
        tokio_broadcast(n),
        async_broadcast(n),
        tokio_events(runtime, n),
        enqueue(n),
        emit(n),
    ]
}

/// What sender and receivers of a case share.
struct Receivers {
    number: usize,
    /// How many have not had the last event of the chunk.
    missing: AtomicUsize,
    drained: Notify,
}

impl Receivers {
    fn new(number: usize) -> &'static Self {
        forever(Self {
            number,
            missing: AtomicUsize::new(0),
            drained: Notify::new(),
        })
    }

    fn received(&self, receiver: usize, tick: Tick) {
        count(receiver, tick);
        // Releases the counts of this receiver, and acquires those of the others for the sender.
        if tick.last && self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.drained.notify_one();
        }
    }

    async fn deliver<F, Fut, T, E>(&self, events: u64, send: F)
    where
        F: Fn(Tick) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Debug,
    {
        let mut left = events;
        while left > 0 {
            let chunk = left.min(CHUNK as u64);
            left -= chunk;
            // The channel releases it to the receivers.
            self.missing.store(self.number, Ordering::Relaxed);
            for place in 1..=chunk {
                let last = place == chunk;
                send(Tick { last }).await.expect("the receivers are there");
            }
            self.drained.notified().await;
        }
    }
}

fn tokio_broadcast(n: usize) -> Case {
    let receivers = Receivers::new(n);
    let sender = forever(broadcast::Sender::new(CHUNK));
    for receiver in 0..n {
        let mut events = sender.subscribe();
        tokio::spawn(async move {
            loop {
                let tick = events.recv().await.expect("no receiver lags behind");
                receivers.received(receiver, tick);
            }
        });
    }
    Case::whole(BROADCAST, n, |events| {
        receivers.deliver(events, |tick| ready(sender.send(tick)))
    })
}

fn async_broadcast(n: usize) -> Case {
    let receivers = Receivers::new(n);
    let (sender, first) = async_broadcast::broadcast(CHUNK);
    let sender = forever(sender);
    let rest = (1..n).map(|_| sender.new_receiver()).collect::<Vec<_>>();
    for (receiver, mut events) in [first].into_iter().chain(rest).enumerate() {
        tokio::spawn(async move {
            loop {
                let tick = events.recv_direct().await.expect("the sender is there");
                receivers.received(receiver, tick);
            }
        });
    }
    Case::whole("`async-broadcast`", n, |events| {
        receivers.deliver(events, |tick| sender.broadcast_direct(tick))
    })
}

impl tokio_events::Event for Tick {
    fn event_type() -> &'static str {
        "tick"
    }

    fn serialize_event(&self) -> tokio_events::Result<Vec<u8>> {
        Ok(vec![u8::from(self.last)])
    }

    fn deserialize_event(bytes: &[u8]) -> tokio_events::Result<Self> {
        Ok(Self { last: bytes == [1] })
    }
}

/// Its publisher awaits a place in a queue; a task takes events from there to the queues of the handlers, each of which is a task.
fn tokio_events(runtime: &Runtime, n: usize) -> Case {
    let receivers = Receivers::new(n);
    let bus = runtime.block_on(async {
        let bus = EventBus::builder().build().await;
        let bus = forever(bus.expect("a bus in memory"));
        for receiver in 0..n {
            let handler = move |tick| async move { receivers.received(receiver, tick) };
            let subscribed = bus.subscribe(handler).await;
            // A handle that is dropped takes its handler with it.
            forever(subscribed.expect("the bus is open"));
        }
        bus
    });
    Case::whole("`tokio-events`", n, |events| {
        receivers.deliver(events, |tick| bus.publish(tick))
    })
}

/// Fanfare's own way of not waiting: a bounded buffer, emptied by a task that awaits the listeners of one event before the next.
fn enqueue(n: usize) -> Case {
    let receivers = Receivers::new(n);
    let signal = listened(n, receivers);
    Case::whole("**fanfare**, `enqueue`", n, |events| {
        receivers.deliver(events, |tick| signal.enqueue(tick))
    })
}

/// The other guarantee, for comparison: each event is awaited.
fn emit(n: usize) -> Case {
    let receivers = Receivers::new(n);
    let signal = listened(n, receivers);
    Case::whole("**fanfare**, `emit`, awaited", n, move |events| {
        receivers.deliver(events, move |tick| async move {
            signal.emit(tick).await.into_result()
        })
    })
}

fn listened(n: usize, receivers: &'static Receivers) -> &'static Signal<Tick> {
    let builder = Signal::builder()
        .dispatch(Dispatch::Concurrent)
        .buffer(CHUNK)
        .max_listeners(n);
    let signal = forever(builder.build());
    (0..n).for_each(|receiver| {
        drop(signal.on(async move |tick| receivers.received(receiver, tick)));
    });
    signal
}
