//! A subscriber that keeps spans and events.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The fields of a span or an event, as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    /// "-" if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("-", String::as_str)
    }

    /// Those of these names, as "name=value".
    pub(super) fn only(&self, names: &[&str]) -> String {
        let shown = names
            .iter()
            .map(|name| format!("{name}={}", self.get(name)));
        shown.collect::<Vec<_>>().join(" ")
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) name: &'static str,
    pub(super) level: Level,
    pub(super) fields: Fields,
    /// Its place among all spans.
    pub(super) parent: Option<usize>,
    pub(super) is_open: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) level: Level,
    pub(super) fields: Fields,
    /// The place of the span that it is in.
    pub(super) span: Option<usize>,
}

/// All that was seen.
#[derive(Debug, Default)]
struct Seen {
    spans: Vec<Span>,
    lines: Vec<Line>,
}

/// Keeps what this thread opens and logs while its guard lives.
#[derive(Clone, Default)]
pub(super) struct Capture(Arc<Mutex<Seen>>);

impl Capture {
    pub(super) fn start() -> (Self, DefaultGuard) {
        Self::filtered("trace")
    }

    /// Keeps what this filter lets through.
    pub(super) fn filtered(filter: &str) -> (Self, DefaultGuard) {
        // While there are two, whatever is opened for the first time ever, on any thread, asks all whether they listen.
        static SECOND: LazyLock<Dispatch> =
            LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));
        LazyLock::force(&SECOND);
        let capture = Self::default();
        let filter = EnvFilter::new(filter);
        let subscriber = tracing_subscriber::registry().with(filter);
        let guard = set_default(subscriber.with(capture.clone()));
        tracing::callsite::rebuild_interest_cache();
        (capture, guard)
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().spans.clone()
    }

    /// The spans of this name.
    pub(super) fn named(&self, name: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| span.name == name);
        spans
    }

    /// The lines that say this.
    pub(super) fn lines(&self, message: &str) -> Vec<Line> {
        let seen = self.0.lock().unwrap();
        let lines = seen.lines.iter();
        let said = |line: &&Line| line.fields.get("message") == message;
        lines.filter(said).cloned().collect()
    }

    /// The names of a span and of those around it, outermost last: "deliver audit < emit orders".
    pub(super) fn path(&self, from: Option<usize>) -> String {
        let seen = self.0.lock().unwrap();
        let mut next = from;
        let path = std::iter::from_fn(|| {
            let span = &seen.spans[next?];
            next = span.parent;
            let whose = match span.name {
                "deliver" => span.fields.get("listener"),
                _ => span.fields.get("signal"),
            };
            Some(format!("{} {whose}", span.name))
        });
        path.collect::<Vec<_>>().join(" < ")
    }

    /// The messages of all lines of our own, each with its path.
    pub(super) fn said(&self, message: &str) -> Vec<String> {
        let lines = self.lines(message);
        lines.iter().map(|line| self.path(line.span)).collect()
    }

    /// Each span with those around it, in the order in which they were opened.
    pub(super) fn paths(&self) -> Vec<String> {
        let spans = 0..self.0.lock().unwrap().spans.len();
        spans.map(|place| self.path(Some(place))).collect()
    }

    #[track_caller]
    pub(super) fn assert_all_closed(&self) {
        let open: Vec<_> = self.spans().into_iter().filter(|it| it.is_open).collect();
        assert!(open.is_empty(), "{open:?}");
    }

    pub(super) fn clear(&self) {
        *self.0.lock().unwrap() = Seen::default();
    }
}

/// Where a span is among all that were seen.
struct Place(usize);

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = context.span(id).unwrap();
        let parent = span.parent();
        let parent = parent.and_then(|it| it.extensions().get::<Place>().map(|place| place.0));
        let mut seen = self.0.lock().unwrap();
        seen.spans.push(Span {
            name: span.name(),
            level: *span.metadata().level(),
            fields,
            parent,
            is_open: true,
        });
        span.extensions_mut().insert(Place(seen.spans.len() - 1));
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let place = span.extensions().get::<Place>().unwrap().0;
        record.record(&mut self.0.lock().unwrap().spans[place].fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = context.event_span(event);
        let span = span.and_then(|it| it.extensions().get::<Place>().map(|place| place.0));
        let level = *event.metadata().level();
        let line = Line {
            level,
            fields,
            span,
        };
        self.0.lock().unwrap().lines.push(line);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let place = span.extensions().get::<Place>().unwrap().0;
        self.0.lock().unwrap().spans[place].is_open = false;
    }
}

/// Logs what its name says.
pub(super) fn log(name: &str) {
    tracing::info!("{name}");
}
