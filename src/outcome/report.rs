//! What one emission did.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::{Cause, Counts, Outcome};
use crate::key::{Identity, Key};

/// What one emission did: a count of every outcome, and an entry for each listener that was not [`Outcome::Done`].
///
/// It may be dropped: a failure is told to the failure callbacks, or else logged, when it happens. [`into_result`](Self::into_result) makes it an error.
/// Entries are in the order in which listeners are called: stage, priority, registration. A report of an emission in which all went well
/// owns no memory.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Outcome, Signal};
///
/// let signal = Signal::<u32>::new();
/// signal.on(async |_| {});
/// signal.listen().key("db").on(async |_| Err::<(), _>("no connection")).unwrap();
///
/// let report = signal.emit(1).await;
/// assert_eq!((report.delivered(), report.failed(), report.skipped()), (1, 1, 0));
/// assert_eq!(report.count(Outcome::Failed), 1);
/// for failure in report.failures() {
///     assert_eq!(failure.key(), Some("db"));
///     assert_eq!(failure.cause().to_string(), "failed: no connection");
/// }
/// let error = report.into_result().unwrap_err();
/// assert!(error.to_string().contains("`db` failed: no connection"));
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Report {
    /// Two words, so that a report of nothing but successes is handed back in registers.
    done: u32,
    closed: bool,
    rest: Option<Box<Rest>>,
}

/// What did not succeed.
#[derive(Debug, Default)]
struct Rest {
    counts: Counts,
    entries: Vec<ReportEntry>,
    waited: Duration,
}

impl Report {
    pub(crate) fn closed() -> Self {
        Self {
            closed: true,
            ..Self::default()
        }
    }

    /// All listeners succeeded.
    #[inline]
    pub(crate) fn of_done(listeners: usize) -> Self {
        Self {
            done: u32::try_from(listeners).unwrap_or(u32::MAX),
            closed: false,
            rest: None,
        }
    }

    /// How many listeners were called and succeeded. See [`Report`](crate::Report).
    pub fn delivered(&self) -> usize {
        self.done as usize
    }

    /// How many listeners did not succeed: failed, panicked, timed out, rejected or cancelled. As many as [`failures`](Self::failures) lists.
    pub fn failed(&self) -> usize {
        self.rest.as_ref().map_or(0, |rest| rest.counts.failures())
    }

    /// How many listeners were passed over on purpose. See [`Report`](crate::Report).
    pub fn skipped(&self) -> usize {
        self.count(Outcome::Skipped)
    }

    /// How many listeners had this outcome. See [`Report`](crate::Report).
    pub fn count(&self, outcome: Outcome) -> usize {
        if outcome == Outcome::Done {
            return self.delivered();
        }
        self.rest.as_ref().map_or(0, |rest| rest.counts.of(outcome))
    }

    /// How many listeners the emission saw. See [`Report`](crate::Report).
    pub fn listeners(&self) -> usize {
        self.delivered() + self.rest.as_ref().map_or(0, |rest| rest.counts.total())
    }

    /// Whether nobody was listening. See [`Report`](crate::Report).
    pub fn is_empty(&self) -> bool {
        self.listeners() == 0
    }

    /// Whether no listener failed. True for an emission that nobody listened to, false for one on a closed signal. See [`Report`](crate::Report).
    pub fn is_ok(&self) -> bool {
        !self.closed && self.failed() == 0
    }

    /// Whether the signal or bus had been shut down, so that nobody was called. See [`Report`](crate::Report).
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// How long the emission waited before its first listener, where emissions are [limited](crate::SignalBuilder::emission_limit). Zero where they are not. See [`Report`](crate::Report).
    pub fn waited(&self) -> Duration {
        self.rest
            .as_ref()
            .map_or(Duration::ZERO, |rest| rest.waited)
    }

    /// Every listener that was not [`Outcome::Done`], skipped ones included.
    pub fn entries(&self) -> &[ReportEntry] {
        self.rest.as_ref().map_or(&[], |rest| &rest.entries)
    }

    /// The listeners that did not succeed: the entries whose outcome [is a failure](Outcome::is_failure). See [`Report`](crate::Report).
    pub fn failures(&self) -> impl Iterator<Item = &ReportEntry> {
        self.entries()
            .iter()
            .filter(|entry| entry.outcome().is_failure())
    }

    /// Turns the report into a `Result`, for `?`.
    ///
    /// # Errors
    ///
    /// [`EmitError`], which names every listener that did not succeed, if there is one, or if the signal was closed.
    pub fn into_result(self) -> Result<Self, EmitError> {
        if self.is_ok() {
            Ok(self)
        } else {
            Err(EmitError(self))
        }
    }
}

impl fmt::Display for Report {
    /// "3 done, 1 failed, 1 skipped"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.closed {
            return f.write_str("closed: nobody was called");
        }
        write!(f, "{} done", self.delivered())?;
        for outcome in Outcome::ALL.into_iter().skip(1) {
            if self.count(outcome) > 0 {
                write!(f, ", {} {outcome}", self.count(outcome))?;
            }
        }
        Ok(())
    }
}

/// One listener that was not [`Outcome::Done`]: who it is, what happened, and how long it took where that was measured.
#[derive(Clone, Debug)]
pub struct ReportEntry {
    pub(crate) index: usize,
    pub(crate) who: Arc<Identity>,
    pub(crate) cause: Cause,
    pub(crate) duration: Option<Duration>,
}

impl ReportEntry {
    /// The listener's key, if it has one. See [`Report`](crate::Report).
    pub fn key(&self) -> Option<&str> {
        self.who.key.as_ref().map(Key::as_str)
    }

    /// The number of the listener, the same as `Subscription::id` gives. See [`Report`](crate::Report).
    pub fn id(&self) -> u64 {
        self.who.id
    }

    /// The name of the signal that emitted. See [`Report`](crate::Report).
    pub fn signal(&self) -> &str {
        &self.who.signal
    }

    /// The place in the source where the listener was registered. See [`Report`](crate::Report).
    pub fn location(&self) -> &'static Location<'static> {
        self.who.location
    }

    /// What the listener did. See [`Report`](crate::Report).
    pub fn outcome(&self) -> Outcome {
        self.cause.outcome()
    }

    /// Why. See [`Report`](crate::Report).
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// How long the listener took, where that was measured. See [`Report`](crate::Report).
    ///
    /// Without `timing(Timing::On)`: a listener that ran as a task, from the start of its call; one that suspended in the emitter's task, from its
    /// first suspension; `None` for one that finished or failed in its first poll.
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }
}

impl fmt::Display for ReportEntry {
    /// "`audit` failed: no connection"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.who, self.cause)
    }
}

/// At least one listener of an emission did not succeed, or the signal was closed. `Display` names each listener with its cause.
///
/// There is no `source`: an emission can have many causes, and [`report`](Self::report) has them all. Trying again can help if the causes
/// say so; the event itself is gone, and the listeners that succeeded would be called again.
#[derive(Debug)]
pub struct EmitError(Report);

impl EmitError {
    /// The report that this error was made of. See [`Report`](crate::Report).
    pub fn report(&self) -> &Report {
        &self.0
    }

    /// Gives the report back. See [`Report`](crate::Report).
    pub fn into_report(self) -> Report {
        self.0
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.0;
        if report.is_closed() {
            return f.write_str("the signal is closed: nobody was called");
        }
        write!(f, "{} of {} listeners", report.failed(), report.listeners())?;
        for (n, failure) in report.failures().enumerate() {
            if n == 0 {
                write!(f, " of `{}` did not succeed: ", failure.signal())?;
            } else {
                f.write_str("; ")?;
            }
            write!(f, "{failure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for EmitError {}

/// A report in the making: entries come as listeners finish, in any order.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    report: Report,
}

impl Tally {
    #[inline]
    pub(crate) fn done(&mut self, listeners: usize) {
        let listeners = u32::try_from(listeners).unwrap_or(u32::MAX);
        self.report.done = self.report.done.saturating_add(listeners);
    }

    pub(crate) fn not_done(&mut self, entry: ReportEntry) {
        let rest = self.report.rest.get_or_insert_default();
        rest.counts.add(entry.outcome());
        rest.entries.push(entry);
    }

    /// The emission had to wait for its turn.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.report.rest.get_or_insert_default().waited = time;
    }

    /// The report, its entries in the order of the list.
    pub(crate) fn finish(&mut self) -> Report {
        let mut report = std::mem::take(&mut self.report);
        if let Some(rest) = &mut report.rest {
            rest.entries.sort_by_key(|entry| entry.index);
        }
        report
    }

    /// How many have succeeded, and how many had another outcome, if any had.
    pub(crate) fn counts(&self) -> (u64, Option<&Counts>) {
        let rest = self.report.rest.as_ref();
        (self.report.done.into(), rest.map(|rest| &rest.counts))
    }
}
