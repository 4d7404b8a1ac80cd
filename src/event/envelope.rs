//! What the deliveries of one emission share.

use std::sync::Arc;

use super::{Delivery, Headers};
use crate::clock::Instant;
use crate::sync::unique_id;

/// What the deliveries of one emission share, beside the event. There is none for an emission that no listener takes a delivery of.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    /// Unique in the process.
    pub(crate) id: u64,
    pub(crate) headers: Headers,
    pub(crate) correlation: Option<Arc<str>>,
    pub(crate) causation: Option<Arc<str>>,
    /// When the emission began, if anybody has asked for it.
    pub(crate) emitted: Option<Instant>,
    /// When the emission ends, whatever is done by then.
    pub(crate) deadline: Option<Instant>,
}

impl Default for Envelope {
    fn default() -> Self {
        Self {
            id: unique_id(),
            headers: Headers::default(),
            correlation: None,
            causation: None,
            emitted: None,
            deadline: None,
        }
    }
}

impl Envelope {
    /// That the event was emitted because of another.
    pub(crate) fn caused_by(&mut self, cause: &Self) {
        let id: Arc<str> = cause.id.to_string().into();
        let root = cause.correlation.as_ref().unwrap_or(&id);
        self.correlation.get_or_insert_with(|| Arc::clone(root));
        self.causation.get_or_insert(id);
        for (name, value) in cause.headers.handed_on().iter() {
            if self.headers.get(name).is_none() {
                self.headers.insert(name, value);
            }
        }
    }
}

impl Delivery {
    pub(crate) fn envelope(&self) -> &Arc<Envelope> {
        &self.call.envelope
    }
}
