//! What several modules use.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use fanfare::{Dispatch, Event, Pool, SignalBuilder};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Metadata, Subscriber};

/// Every mode, without a pool and with pools of one and three.
pub(crate) fn setups() -> Vec<Setup> {
    let modes = [
        Dispatch::Concurrent,
        Dispatch::Parallel,
        Dispatch::Sequential,
    ];
    let pools = [None, Some(1), Some(3)];
    modes
        .into_iter()
        .flat_map(|mode| pools.map(|pool| Setup { mode, pool }))
        .collect()
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) mode: Dispatch,
    pub(crate) pool: Option<usize>,
}

impl Setup {
    pub(crate) fn builder<E: Event>(self) -> SignalBuilder<E> {
        let builder = SignalBuilder::default().dispatch(self.mode);
        match self.pool {
            Some(size) => builder.pool(Pool::new(size)),
            None => builder,
        }
    }
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A subscriber that keeps events as lines: "WARN message key=value ..".
#[derive(Clone, Default)]
pub(crate) struct Log(Ledger);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.take()
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if event.metadata().target().starts_with("fanfare") {
            let mut line = event.metadata().level().to_string();
            event.record(&mut Line(&mut line));
            self.0.note(line);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}
