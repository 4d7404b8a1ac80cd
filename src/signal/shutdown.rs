//! Shutting down.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::{AnySignal, Signal};
use crate::context::without_permit;
use crate::event::Event;
use crate::registry::{Home, Metadata, Setting};
use crate::sync::{Ordering, timeout, yield_now};

/// How long a shutdown waits, after it has cancelled what was left, for that to end.
const GRACE: Duration = Duration::from_millis(100);

impl<E: Event> Signal<E> {
    /// Stops intake, waits until what is buffered and under way is done, and after `limit` drops and cancels the rest.
    ///
    /// From the call on, `emit` calls nobody and its report says [`is_closed`](crate::Report::is_closed); `enqueue` and its siblings give the event
    /// back. At the limit, events that are still buffered are dropped, and emissions cancelled: their listeners are reported as
    /// [`Cancelled`](crate::Outcome::Cancelled), never as failed. It does not wait for a [pause](crate::Pause): what a paused listener holds is dropped when all else is
    /// done, and counted as cancelled. A blocking listener's thread cannot be cancelled and may run on.
    ///
    /// Calling it twice is harmless; so is calling it from a listener, which does not wait for itself. Needs tokio's timer.
    ///
    /// # Cancel safety
    ///
    /// Intake stays closed if it is dropped; call it again to wait on.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.on(async |_| {});
    /// signal.try_enqueue(1).unwrap();
    /// let left = signal.shutdown(Duration::from_secs(10)).await;
    /// assert!(left.is_clean());
    /// assert!(signal.emit(2).await.is_closed());
    /// # }
    /// ```
    pub async fn shutdown(&self, limit: Duration) -> Shutdown {
        let this = Arc::clone(&self.inner) as Arc<dyn AnySignal>;
        shutdown(vec![this], limit, Teller::Each).await
    }

    /// Whether [`shutdown`](Self::shutdown) has been called.
    pub fn is_closed(&self) -> bool {
        self.inner.core.gate.is_closed()
    }
}

/// Who tells of a shutdown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    /// Each signal.
    Each,
    /// The caller, for all of them.
    Together,
}

/// Tells that a shutdown has begun.
pub(crate) fn tell_of_begin(home: &Home) {
    home.end_is_to_be_told.store(true, Ordering::SeqCst);
    let (before, after) = ("open".to_owned(), "shutting down".to_owned());
    home.changed(None, Setting::Shutdown, before, after);
}

/// Tells that a shutdown has ended, if it was told that it had begun and not yet that it is over.
pub(crate) fn tell_of_end(home: &Home, left: &Shutdown) {
    if !home.end_is_to_be_told.swap(false, Ordering::SeqCst) {
        return;
    }
    let (before, after) = ("shutting down".to_owned(), format!("shut down, {left}"));
    home.changed(None, Setting::Shutdown, before, after);
}

/// Shuts signals down together: one limit for all.
pub(crate) async fn shutdown(
    signals: Vec<Arc<dyn AnySignal>>,
    limit: Duration,
    told: Teller,
) -> Shutdown {
    for signal in &signals {
        if signal.close() && told == Teller::Each {
            tell_of_begin(&signal.core().home);
        }
        Arc::clone(signal).deliver_pending();
    }
    let left = without_permit(async {
        let mut left = Shutdown::default();
        if timeout(limit, drained_and_let_go(&signals, &mut left))
            .await
            .is_ok()
        {
            return left;
        }
        for signal in &signals {
            left.add(signal);
        }
        for signal in &signals {
            signal.core().drained.fire();
        }
        // What is cancelled ends when its task is polled; a blocking thread may not.
        let _ = timeout(GRACE, drained(&signals)).await;
        // An emission may have come to a paused listener before it was cancelled.
        left.add_held(&signals);
        left
    })
    .await;
    for signal in &signals {
        let core = signal.core();
        core.ended.fire();
        // Whoever ends first tells, also of one that was begun by another.
        tell_of_end(&core.home, &left.of(&core.name));
    }
    left
}

/// Waits until all is done but what paused listeners hold, which nobody waits for, and drops that.
async fn drained_and_let_go(signals: &[Arc<dyn AnySignal>], left: &mut Shutdown) {
    loop {
        drained(signals).await;
        let holding = signals.iter().any(|signal| signal.may_hold());
        left.add_held(signals);
        // One may have been resumed between the two, and have taken an event up.
        if !holding || signals.iter().all(|signal| signal.is_drained()) {
            return;
        }
    }
}

async fn drained(signals: &[Arc<dyn AnySignal>]) {
    for signal in signals {
        loop {
            let mut change = std::pin::pin!(signal.core().home.quiet.notified());
            change.as_mut().enable();
            if signal.is_drained() {
                break;
            }
            #[cfg(fanfare_plant = "shutdown-listens-late")]
            change.set(signal.core().home.quiet.notified());
            if signal.core().gate.waits_for_caller() {
                yield_now().await;
            } else {
                change.await;
            }
        }
    }
}

/// What a shutdown left undone: the listeners that ran when its limit was over, the events that had not been delivered, and the emissions that waited.
///
/// [`Signal::shutdown`] has an example.
#[derive(Clone, Debug, Default)]
#[must_use = "it says what was left undone"]
pub struct Shutdown {
    unfinished: Vec<Unfinished>,
    undelivered: Vec<Undelivered>,
    waiting: Vec<Arc<str>>,
}

impl Shutdown {
    /// Adds what is left of a signal, and drops what is in its buffer.
    fn add(&mut self, signal: &Arc<dyn AnySignal>) {
        let name = || Arc::clone(&signal.core().name);
        let listeners = signal.metadata().into_iter();
        let running = listeners.filter(|listener| listener.running > 0);
        let known = self.unfinished.len();
        self.unfinished.extend(running.map(Unfinished));
        let events = signal.drop_pending() + signal.drop_held();
        if events > 0 {
            self.add_undelivered(name(), events);
        } else if self.unfinished.len() == known && !signal.is_drained() {
            self.waiting.push(name());
        }
    }

    /// What is left of one of the signals.
    fn of(&self, signal: &str) -> Self {
        let mut left = self.clone();
        left.unfinished.retain(|left| left.signal() == signal);
        left.undelivered.retain(|left| &*left.signal == signal);
        left.waiting.retain(|left| &**left == signal);
        left
    }

    /// Drops what listeners hold.
    fn add_held(&mut self, signals: &[Arc<dyn AnySignal>]) {
        for signal in signals {
            let events = signal.drop_held();
            if events > 0 {
                self.add_undelivered(Arc::clone(&signal.core().name), events);
            }
        }
    }

    fn add_undelivered(&mut self, signal: Arc<str>, events: usize) {
        let mut known = self.undelivered.iter_mut();
        match known.find(|known| Arc::ptr_eq(&known.signal, &signal)) {
            Some(known) => known.events += events,
            None => self.undelivered.push(Undelivered { signal, events }),
        }
    }

    /// Whether everything was done within the limit. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn is_clean(&self) -> bool {
        self.unfinished.is_empty() && self.undelivered.is_empty() && self.waiting.is_empty()
    }

    /// The listeners that were running at the limit. They have been cancelled, but for blocking ones. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn unfinished(&self) -> &[Unfinished] {
        &self.unfinished
    }

    /// The events that were in a buffer at the limit, or that a paused listener held. They have been dropped; `on_dropped` has seen each of the buffer, and the failure
    /// callbacks each that was held. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn undelivered(&self) -> &[Undelivered] {
        &self.undelivered
    }

    /// The names of the signals that had no listener running and no event in the buffer at the limit, and emissions all the same: those waited for a permit, or had not
    /// been polled yet. They have been cancelled. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn waiting(&self) -> impl Iterator<Item = &str> {
        self.waiting.iter().map(|signal| &**signal)
    }
}

impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing was left");
        }
        let mut separator = "left: ";
        for left in &self.unfinished {
            write!(
                f,
                "{separator}{} of `{}` ({} running)",
                left.0.identity,
                left.signal(),
                left.calls()
            )?;
            separator = "; ";
        }
        for left in &self.undelivered {
            write!(
                f,
                "{separator}{} undelivered of `{}`",
                left.events, left.signal
            )?;
            separator = "; ";
        }
        for signal in &self.waiting {
            write!(f, "{separator}emissions of `{signal}` that waited")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// A listener that was running at the limit of a shutdown. [`Signal::shutdown`] makes it.
#[derive(Clone, Debug)]
pub struct Unfinished(Metadata);

impl Unfinished {
    /// The name of its signal. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn signal(&self) -> &str {
        self.0.signal()
    }

    /// Its key, if it has one. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn key(&self) -> Option<&str> {
        self.0.key()
    }

    /// Where it was registered. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location()
    }

    /// How many of its calls were running. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn calls(&self) -> usize {
        self.0.running()
    }
}

/// Events that a shutdown did not deliver. [`Signal::shutdown`] makes it.
#[derive(Clone, Debug)]
pub struct Undelivered {
    signal: Arc<str>,
    events: usize,
}

impl Undelivered {
    /// The name of the signal. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn signal(&self) -> &str {
        &self.signal
    }

    /// How many events. See [`Signal::shutdown`](crate::Signal::shutdown).
    pub fn events(&self) -> usize {
        self.events
    }
}
