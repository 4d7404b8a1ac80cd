//! The options in effect, in words.

use std::fmt;

use super::{AnySignal as _, Inner};
use crate::dispatch::{OnError, Order};
use crate::event::Event;

/// The options of a signal as they are in effect, for a person: `Display` prints them a line each.
///
/// # Examples
///
/// ```
/// let signal = fanfare::Signal::<u32>::builder().pool(fanfare::Pool::new(4)).build();
/// let text = signal.describe().to_string();
/// assert!(text.contains("dispatch: parallel"), "{text}");
/// assert!(text.contains("panics: "), "{text}");
/// ```
#[derive(Clone, Debug)]
pub struct Description {
    signal: String,
    lines: Vec<(&'static str, String)>,
}

impl Description {
    pub(super) fn of<E: Event>(inner: &Inner<E>) -> Self {
        let core = &inner.core;
        let options = &core.options;
        let order = match options.order {
            Order::Fifo => "oldest first",
            Order::Lifo => "newest first",
        };
        let on_error = match options.on_error {
            OnError::Continue => "go on",
            OnError::Stop => "stop",
        };
        let pool = options
            .pool
            .as_ref()
            .map_or("none".to_owned(), |pool| format!("{} permits", pool.size()));
        let (pool, keyed) = if options.own_lanes {
            ("none but the lanes".to_owned(), Some(pool))
        } else {
            (pool.clone(), core.keyed.as_ref().map(|_| pool))
        };
        let panics = if cfg!(panic = "abort") {
            "abort the process: it is built with panic = \"abort\", so no listener is isolated"
        } else {
            "contained in the listener and reported"
        };
        let failures = match options.on_failure.len() {
            0 => "logged".to_owned(),
            n => format!("told to {n} callbacks"),
        };
        let mut lines = vec![
            ("event", core.event_type.to_owned()),
            (
                "listeners",
                inner.registry.snapshot().entries.len().to_string(),
            ),
            ("dispatch", options.mode().to_string()),
            ("order", order.to_owned()),
            ("on error", on_error.to_owned()),
            ("pool", pool),
            (
                "buffer",
                format!(
                    "{} events, {:?} when full, {} at once",
                    options.buffer, options.overflow, options.enqueue_concurrency
                ),
            ),
            ("background", format!("at most {}", options.max_background)),
            ("detached", format!("at most {}", options.max_detached)),
            ("recursion limit", options.recursion_limit.to_string()),
            ("dead events", format!("{:?}", options.dead_events)),
            ("failures", failures),
            ("panics", panics.to_owned()),
        ];
        lines.extend(inner.buffer.words());
        if let Some(permits) = keyed {
            lines.push(("keyed", format!("each key in order, {permits} for lanes")));
        }
        for toll in &options.tolls {
            lines.push(("emission limit", toll.words()));
        }
        if let Some(most) = options.replay {
            lines.push(("replay", format!("the last {most}")));
        }
        if !inner.layers.is_empty() {
            lines.push(("layers", inner.layers.words().join(" > ")));
        }
        for listener in inner.metadata() {
            let who = &listener.identity;
            if let Some(switched) = &listener.switched {
                lines.push(("switched", format!("{who}: {switched}")));
            }
            if let Some(rollout) = listener.rollout() {
                lines.push(("rollout", format!("of {who}: {rollout}")));
            }
            if !listener.layers().is_empty() {
                lines.push((
                    "layers",
                    format!("of {who}: {}", listener.layers().join(" > ")),
                ));
            }
        }
        Self {
            signal: core.name.to_string(),
            lines,
        }
    }

    /// The signal's name. See [`Description`](crate::Description).
    pub fn signal(&self) -> &str {
        &self.signal
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal `{}`", self.signal)?;
        for (name, value) in &self.lines {
            write!(f, "\n  {name}: {value}")?;
        }
        Ok(())
    }
}
