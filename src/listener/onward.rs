//! The way onward from a listener: to the signals of the events that it has returned.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, ready};
use std::vec::IntoIter;

use crate::event::{Erased, Events};
use crate::outcome::Report;

/// An emission whose event type is not known.
pub(crate) type AnyEmission = Pin<Box<dyn Future<Output = Report> + Send>>;

/// Where events of any type can be emitted: a bus.
pub(crate) trait Onward: Send + Sync {
    /// Emits to the listeners of the event's type. The emission keeps its signal alive, and not the bus.
    fn emit(&self, event: Erased) -> AnyEmission;
}

/// Events that are emitted one after another, each once the one before is done.
pub(crate) struct Following {
    onward: Weak<dyn Onward>,
    rest: IntoIter<Erased>,
    emitted: Option<(&'static str, AnyEmission)>,
}

/// What came of one of them.
pub(crate) struct Followed {
    pub(crate) event_type: &'static str,
    /// `None` if there is nothing to emit on any more.
    pub(crate) report: Option<Report>,
}

impl Following {
    pub(crate) fn new(onward: &Weak<dyn Onward>, events: Events) -> Self {
        Self {
            onward: Weak::clone(onward),
            rest: events.into_vec().into_iter(),
            emitted: None,
        }
    }

    /// What came of the next event. Ready with `None` if there is no further one.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Followed>> {
        loop {
            if let Some((event_type, emitted)) = &mut self.emitted {
                let report = ready!(emitted.as_mut().poll(cx));
                let event_type = *event_type;
                self.emitted = None;
                return Poll::Ready(Some(Followed {
                    event_type,
                    report: Some(report),
                }));
            }
            let Some(event) = self.rest.next() else {
                return Poll::Ready(None);
            };
            let event_type = event.event_type;
            let Some(onward) = self.onward.upgrade() else {
                return Poll::Ready(Some(Followed {
                    event_type,
                    report: None,
                }));
            };
            self.emitted = Some((event_type, onward.emit(event)));
        }
    }

    /// The types of those whose turn has not come, in a list for a person, and how many there are.
    pub(crate) fn not_emitted(&self) -> Option<(usize, String)> {
        let left = self.rest.as_slice();
        let types: Vec<_> = left.iter().map(|event| event.event_type).collect();
        (!left.is_empty()).then(|| (types.len(), types.join(", ")))
    }
}
