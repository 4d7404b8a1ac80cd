//! Places of a buffer that are kept for an event to come.

use std::sync::Arc;

use super::marks::IsClosed;
use crate::sync::{OwnedSemaphorePermit, Semaphore};

/// A place in each lane, the most urgent last. Dropped, they are free again.
#[derive(Debug)]
pub(crate) struct Places {
    /// Of the most urgent lane, which is the only one of most buffers.
    urgent: OwnedSemaphorePermit,
    others: Vec<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn try_collect(rooms: &[Arc<Semaphore>]) -> Option<Self> {
        let (urgent, others) = rooms.split_first()?;
        let place = |room: &Arc<Semaphore>| Arc::clone(room).try_acquire_owned().ok();
        let others = others.iter().rev().map(place).collect::<Option<_>>()?;
        Some(Self {
            urgent: place(urgent)?,
            others,
        })
    }

    /// The least urgent first: its lane is the likeliest to be full, and no urgent event is to be kept out by a place that is not used meanwhile.
    pub(super) async fn collect(rooms: &[Arc<Semaphore>]) -> Result<Self, IsClosed> {
        let (urgent, others) = rooms.split_first().expect("there is a lane");
        let mut places = Vec::new();
        for room in others.iter().rev() {
            let place = Arc::clone(room).acquire_owned().await;
            places.push(place.map_err(|_| IsClosed)?);
        }
        let urgent = Arc::clone(urgent).acquire_owned().await;
        Ok(Self {
            urgent: urgent.map_err(|_| IsClosed)?,
            others: places,
        })
    }

    pub(super) fn into_lane(mut self, lane: usize) -> OwnedSemaphorePermit {
        match lane {
            0 => self.urgent,
            lane => self.others.swap_remove(self.others.len() - lane),
        }
    }
}
