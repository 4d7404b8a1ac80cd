//! What a listener has returned to be emitted: kept while the call may still fail, and emitted once it has not.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::station::Station;
use crate::context::because_of;
use crate::error::BoxError;
use crate::event::{Delivery, Events};
use crate::listener::Following;
use crate::outcome::{Cancellation, Cause, FollowUpError, Verdict};

/// One attempt of a listener that returns events. They are kept for the end of the call.
pub(crate) async fn follow_up(
    attempt: impl Future<Output = Result<Events, BoxError>>,
    delivery: Delivery,
) -> Verdict {
    match attempt.await {
        Ok(events) => {
            delivery.call().set_follow_ups(events);
            Verdict::done()
        }
        Err(error) => Verdict::failed(error),
    }
}

/// The events of a call that has succeeded.
pub(super) struct FollowUps {
    station: Arc<Station>,
    following: Option<Following>,
    /// The types of those whose signal is shut down, and of those that had no bus any more.
    refused: Vec<&'static str>,
    bus_is_gone: bool,
}

impl FollowUps {
    pub(super) fn of(station: &Arc<Station>, delivery: &Delivery) -> Self {
        let events = delivery.call().take_follow_ups();
        let onward = station.onward.as_ref().filter(|_| !events.is_empty());
        Self {
            station: Arc::clone(station),
            following: onward.map(|onward| Following::new(onward, events)),
            refused: Vec::new(),
            bus_is_gone: false,
        }
    }

    /// Emits one after another, for the delivery that they follow from. What the call comes to.
    pub(super) fn poll(&mut self, delivery: &Delivery, cx: &mut Context<'_>) -> Poll<Verdict> {
        if let Some(following) = &mut self.following {
            let envelope = delivery.envelope();
            while let Some(followed) = ready!(because_of(envelope, || following.poll_next(cx))) {
                // What its own listeners did is told by its signal; that there was nobody to ask is told here.
                match followed.report {
                    Some(report) if !report.is_closed() => {}
                    Some(_) => self.refused.push(followed.event_type),
                    None => {
                        self.bus_is_gone = true;
                        self.refused.push(followed.event_type);
                    }
                }
            }
            self.following = None;
        }
        Poll::Ready(if !self.refused.is_empty() {
            self.refused()
        } else if delivery.call().is_asked_to_stop() {
            Verdict::stop()
        } else {
            Verdict::done()
        })
    }

    fn refused(&mut self) -> Verdict {
        let types = std::mem::take(&mut self.refused);
        let why = if self.bus_is_gone {
            "its bus is gone"
        } else {
            "their signal is shut down"
        };
        let keeper = &self.station.keeper;
        keeper.lost_follow_ups(types.len(), &types.join(", "), why);
        if self.bus_is_gone {
            Verdict::failed(FollowUpError::new(types))
        } else {
            // Shutdown is no listener's failure.
            Verdict::not(Cause::Cancelled(Cancellation::Shutdown))
        }
    }
}

impl Drop for FollowUps {
    fn drop(&mut self) {
        let lost = self.following.as_ref().and_then(Following::not_emitted);
        if let Some((events, types)) = lost {
            let why = "the call was ended before their turn";
            self.station.keeper.lost_follow_ups(events, &types, why);
        }
    }
}
