//! What a listener has returned to be emitted: kept while the call may still fail, and emitted once it has not.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::station::Station;
use crate::context::because_of;
use crate::error::BoxError;
use crate::event::{Delivery, Events};
use crate::listener::{Followed, Following};
use crate::outcome::{FollowUpError, Verdict};

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
    /// Those that there was nothing to emit on for.
    refused: FollowUpError,
}

impl FollowUps {
    pub(super) fn of(station: &Arc<Station>, delivery: &Delivery) -> Self {
        let events = delivery.call().take_follow_ups();
        let onward = station.onward.as_ref().filter(|_| !events.is_empty());
        Self {
            station: Arc::clone(station),
            following: onward.map(|onward| Following::new(onward, events)),
            refused: FollowUpError::default(),
        }
    }

    /// Emits one after another, for the delivery that they follow from. What the call comes to.
    pub(super) fn poll(&mut self, delivery: &Delivery, cx: &mut Context<'_>) -> Poll<Verdict> {
        if let Some(following) = &mut self.following {
            let envelope = delivery.envelope();
            while let Some(followed) = ready!(because_of(envelope, || following.poll_next(cx))) {
                note(&mut self.refused, &followed);
            }
        }
        self.following = None;
        Poll::Ready(if !self.refused.event_types.is_empty() {
            Verdict::failed(std::mem::take(&mut self.refused))
        } else if delivery.call().is_asked_to_stop() {
            Verdict::stop()
        } else {
            Verdict::done()
        })
    }
}

/// What its own listeners did is told by its signal; that there was none to ask is told here.
fn note(refused: &mut FollowUpError, followed: &Followed) {
    if followed
        .report
        .as_ref()
        .is_none_or(|report| report.is_closed())
    {
        refused.event_types.push(followed.event_type);
        refused.bus_is_gone |= followed.report.is_none();
    }
}

impl Drop for FollowUps {
    fn drop(&mut self) {
        let lost = self.following.as_ref().and_then(Following::not_emitted);
        if let Some((events, types)) = lost {
            self.station.keeper.lost_follow_ups(events, &types);
        }
    }
}
