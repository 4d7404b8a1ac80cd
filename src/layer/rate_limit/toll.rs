//! The limit, as one of emissions.

use std::any::Any;
use std::sync::Arc;

use super::RateLimit;
use super::store::{Store, Taken};
use crate::layer::live::Live as _;
use crate::listener::{Toll, Waits};
use crate::outcome::Cause;

/// What stands before the emissions of a signal, or of a bus.
struct Door(Arc<Store>);

impl RateLimit {
    /// The limit of all emissions that pay here. One that is [`shared`](Self::shared) is that of whoever else shares it.
    pub(crate) fn toll(&self) -> Arc<dyn Toll> {
        Arc::new(Door(self.made()))
    }
}

impl Toll for Door {
    fn pay(&self, event: &(dyn Any + Send + Sync)) -> Result<Option<Waits>, Cause> {
        let Self(store) = self;
        let key = store.key_in(event);
        match store.take(key).map_err(Cause::of)? {
            Taken::Pass => Ok(None),
            Taken::Wait(turn, mut reservation) => Ok(Some(Box::pin(async move {
                reservation.wait(turn).await;
                reservation.pass();
            }))),
        }
    }

    fn words(&self) -> String {
        self.0.words()
    }
}
