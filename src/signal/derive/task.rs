//! The task of a stage that may give something out later. It runs while there is something to wait for.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::machine::Machine;
use super::source::Handed;
use super::timed::{Look, Shared};
use crate::clock::Instant;
use crate::dispatch::Core;
use crate::event::Event;
use crate::outcome::catch;
use crate::sync::sleep_until;

/// Starts the task. Without a runtime there is none.
pub(super) fn start<T: Event, M: Machine>(shared: &Arc<Shared<M, T>>) {
    let task = Task {
        shared: Arc::clone(shared),
        ended: false,
    };
    if let Some(handle) = shared.core.options.handle() {
        handle.spawn(task.run());
    }
}

/// Field order is drop order. A task that is dropped before it has ended was never started, or its runtime has ended.
struct Task<M: Machine, T: Event> {
    shared: Arc<Shared<M, T>>,
    ended: bool,
}

impl<M: Machine, T: Event> Drop for Task<M, T> {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.without_task();
        }
    }
}

impl<M: Machine, T: Event> Task<M, T> {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            // Made before it looks: whoever changes something after is heard.
            let woken = shared.wake.notified();
            let mut open = live(&shared.core);
            let before = open.len();
            open.retain(|root| !root.closing.has_fired());
            // For as long as a shutdown goes on: what it waits for is not to wait for more events.
            let closing = open.len() < before;
            let Some(look) = shared.look(closing) else {
                self.ended = true;
                return;
            };
            if look.out.is_empty() {
                wait(woken, look.deadline, &open).await;
            } else {
                deliver(&shared, look).await;
            }
        }
    }
}

/// The sources whose shutdown may be yet to come or goes on. One that has ended is nothing to the events of the others; when all have, they are as they were at their end.
fn live(core: &Core) -> Vec<&Core> {
    let roots = || core.roots().iter().map(|root| &**root);
    let live: Vec<&Core> = roots().filter(|root| !root.ended.has_fired()).collect();
    if live.is_empty() {
        return roots().collect();
    }
    live
}

async fn wait(woken: impl Future<Output = ()>, deadline: Option<Instant>, open: &[&Core]) {
    let due = async {
        match deadline {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
    };
    let closing = any(open.iter().map(|root| root.closing.fires()));
    tokio::select! {
        () = woken => {}
        () = due => {}
        () = closing => {}
    }
}

/// Delivers what came out, unless a shutdown has waited long enough: then its listeners are cancelled.
async fn deliver<T: Event, M: Machine>(shared: &Shared<M, T>, look: Look<M::Out>) {
    let Look { out, passes, .. } = look;
    // The events are cloned for the windows that they are in.
    let handed = catch(|| shared.hand_on(out)).unwrap_or_else(|message| {
        tracing::error!(signal = %shared.core.name, %message, "the clone of an event panicked");
        Handed::done()
    });
    let live = live(&shared.core);
    let drained = any(live.iter().map(|root| root.drained.fires()));
    tokio::select! {
        biased;
        // What did not succeed has been told when it happened.
        _ = handed.wait() => {}
        () = drained => {}
    }
    drop(passes);
}

/// Ready when one of them is.
async fn any<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut futures: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    poll_fn(|cx| {
        let mut futures = futures.iter_mut();
        if futures.any(|future| future.as_mut().poll(cx).is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
