//! One call: an event comes, waits for its batch, and has its outcome.

use std::future::poll_fn;
use std::sync::Arc;

use super::IntoBatchOutcome;
use super::gather::Gather;
use crate::context::{count_within, without_permit};
use crate::event::Delivery;
use crate::outcome::{Cause, Rejection, Verdict};
use crate::sync::yield_now;

/// Called with the event that the delivery is of.
pub(super) fn call<E, F, Fut>(
    gather: Arc<Gather<E, F, Fut>>,
    delivery: &Delivery,
    event: E,
) -> impl Future<Output = Verdict> + Send + use<E, F, Fut>
where
    E: Send + Sync + 'static,
    F: FnOnce(Vec<E>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoBatchOutcome> + Send + 'static,
{
    let call = Arc::clone(delivery.call());
    async move {
        let own = call.listener.identity.id;
        // This call is one of them.
        if count_within(|call| call.listener == own) > 1 {
            return Verdict::not(Cause::Rejected(Rejection::WouldDeadlock));
        }
        let mut seat = gather.sit(event);
        if call.envelope.unattended && call.ask_to_defer() {
            // Whoever drives the call takes it to the background here, so that the next event can come.
            yield_now().await;
        }
        // The calls that it waits for may need its permit.
        let outcome = without_permit(poll_fn(|cx| seat.poll_wait(cx))).await;
        if let Some(verdict) = outcome {
            return verdict;
        }
        poll_fn(|cx| seat.poll_lead(cx)).await;
        let own = poll_fn(|cx| seat.poll_wait(cx)).await;
        own.expect("its batch has ended")
    }
}
