//! The log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::AuditRecord;
use super::store::Store;
use crate::clock;
use crate::dispatch::{OnLifecycle, Options};
use crate::error::{OptionError, check_count};
use crate::outcome::catch;
use crate::registry::OnChange;
use crate::sync::Mutex;

/// How many records a log may be asked to keep.
const MOST: usize = 1 << 24;
const DAY: Duration = Duration::from_secs(86_400);
/// How long a log may be asked to keep them: ten years.
const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

/// Who changed what, when: the latest changes of a bus, in memory and bounded. Cheap to clone; clones are the same log, and several buses and signals may write to one.
///
/// # Examples
///
/// ```
/// use fanfare::observe::audit::AuditLog;
/// use fanfare::{Bus, acting_as};
///
/// let log = AuditLog::new();
/// let bus = Bus::builder().audit(&log).build();
/// let sub = bus.listen::<u32>().key("billing").on(async |_| {})?;
/// acting_as("alice", || sub.disable());
///
/// let record = &log.records()[0];
/// assert_eq!((record.actor.as_deref(), record.key.as_deref()), (Some("alice"), Some("billing")));
/// assert!(record.to_string().ends_with("alice: `billing` of `u32`: calls: enabled -> disabled"));
/// # Ok::<(), fanfare::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct AuditLog {
    inner: Arc<Inner>,
    /// What writes to it: by these it is known again.
    changes: OnChange,
    moves: OnLifecycle,
}

type Redact = Arc<dyn Fn(&mut AuditRecord) + Send + Sync>;
type OnRecord = Arc<dyn Fn(&AuditRecord) + Send + Sync>;

struct Inner {
    store: Mutex<Store>,
    lifecycle: bool,
    redact: Vec<Redact>,
    on_record: Vec<OnRecord>,
}

impl AuditLog {
    /// A log with the default options. See [`AuditLog`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Starts a log with options.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fanfare::observe::audit::AuditLog;
    ///
    /// let log = AuditLog::builder().keep(1_000).keep_for(Duration::from_secs(3_600)).lifecycle().build();
    /// assert!(log.is_empty());
    /// ```
    pub fn builder() -> AuditLogBuilder {
        AuditLogBuilder::default()
    }

    /// Those that are kept, oldest first. O(n). See [`AuditLog`].
    pub fn records(&self) -> Vec<Arc<AuditRecord>> {
        self.since(0)
    }

    /// Those that are kept of this number and after, oldest first: to read on, ask for the last number that you have and one. If the first that comes has a higher number than was asked for,
    /// those between were forgotten before they were read. O(n).
    ///
    /// ```
    /// use fanfare::observe::audit::AuditLog;
    /// use fanfare::Bus;
    ///
    /// let log = AuditLog::builder().keep(2).build();
    /// let bus = Bus::builder().audit(&log).build();
    /// let sub = bus.on(async |_: u32| {});
    /// sub.disable();
    /// assert_eq!(log.since(0).len(), 1);
    /// for _ in 0..2 {
    ///     sub.enable();
    ///     sub.disable();
    /// }
    /// let next = log.since(1);
    /// assert_eq!((next[0].sequence, log.forgotten()), (3, 3)); // 1 and 2 came and went
    /// ```
    pub fn since(&self, sequence: u64) -> Vec<Arc<AuditRecord>> {
        let now = clock::now();
        let mut store = self.inner.store.lock();
        let gone = store.forget_old(now);
        let records = store.since(sequence);
        drop(store);
        drop(gone);
        records
    }

    /// How many are kept. See [`AuditLog`].
    pub fn len(&self) -> usize {
        self.looked_at(Store::len)
    }

    /// Whether none is kept. See [`AuditLog`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are kept no more: the number of the oldest that is. See [`AuditLog`].
    pub fn forgotten(&self) -> u64 {
        self.looked_at(Store::first)
    }

    fn looked_at<R>(&self, look: impl FnOnce(&Store) -> R) -> R {
        let now = clock::now();
        let mut store = self.inner.store.lock();
        let gone = store.forget_old(now);
        let seen = look(&store);
        drop(store);
        drop(gone);
        seen
    }

    fn of(inner: Inner) -> Self {
        let inner = Arc::new(inner);
        let (first, second) = (Arc::clone(&inner), Arc::clone(&inner));
        Self {
            inner,
            changes: Arc::new(move |change| first.write(AuditRecord::of_change(change))),
            moves: Arc::new(move |told| second.write(AuditRecord::of_lifecycle(told))),
        }
    }

    /// Adds what writes to it to the callbacks of a bus or a signal, unless it is there already.
    pub(super) fn install(&self, options: &mut Options) {
        let callbacks = &mut options.on_change;
        if !callbacks.iter().any(|it| Arc::ptr_eq(it, &self.changes)) {
            callbacks.push(Arc::clone(&self.changes));
        }
        let callbacks = &mut options.on_lifecycle;
        let known = callbacks.iter().any(|it| Arc::ptr_eq(it, &self.moves));
        if self.inner.lifecycle && !known {
            callbacks.push(Arc::clone(&self.moves));
        }
    }
}

impl Inner {
    /// Redacts, keeps and tells. No lock is held while code of the user's runs.
    fn write(&self, mut record: AuditRecord) {
        for redact in &self.redact {
            let bare = record.bare();
            // What it says may quote what was to be left out.
            if catch(|| redact(&mut record)).is_err() {
                record = bare;
                tracing::error!("a redaction of an audit log panicked");
            }
        }
        let now = clock::now();
        let mut store = self.store.lock();
        let added = store.add(record, now);
        drop(store);
        for sink in &self.on_record {
            if let Err(message) = catch(|| sink(&added.record)) {
                tracing::error!(%message, "an `on_record` callback of an audit log panicked");
            }
        }
    }
}

impl Default for AuditLog {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

/// Options of an [`AuditLog`]. Each has a default and a limit; what makes no sense is refused by name in [`build`](Self::build).
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct AuditLogBuilder {
    most: usize,
    age: Duration,
    lifecycle: bool,
    redact: Vec<Redact>,
    on_record: Vec<OnRecord>,
}

impl Default for AuditLogBuilder {
    fn default() -> Self {
        Self {
            most: 10_000,
            age: 30 * DAY,
            lifecycle: false,
            redact: Vec::new(),
            on_record: Vec::new(),
        }
    }
}

impl AuditLogBuilder {
    /// How many records are kept; the oldest go first. Default: 10,000; from 1 to 16,777,216. See [`AuditLog`].
    pub fn keep(mut self, records: usize) -> Self {
        self.most = records;
        self
    }

    /// How long a record is kept. One that is as old is never seen again; its memory is given back when the log is next read or written to. Default: 30 days; above zero, at most 3,650 days.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Keeps a record of each listener that comes or goes too, which can be many. Default: changes and shutdowns alone. See [`Lifecycle`](crate::Lifecycle).
    pub fn lifecycle(mut self) -> Self {
        self.lifecycle = true;
        self
    }

    /// Changes each record before it is kept or told: to leave out what is personal, in `before` and `after` too, which can quote a key. All are called, in order. Its number, which it is given after, cannot be changed. Default: none.
    ///
    /// ```
    /// use fanfare::observe::audit::AuditLog;
    /// use fanfare::Bus;
    ///
    /// let log = AuditLog::builder().redact(|record| record.key = record.key.take().map(|_| "(key)".to_owned())).build();
    /// let bus = Bus::builder().audit(&log).build();
    /// bus.listen::<u32>().key("customer-4711").on(async |_| {})?.disable();
    /// assert_eq!(log.records()[0].key.as_deref(), Some("(key)"));
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn redact(mut self, redact: impl Fn(&mut AuditRecord) + Send + Sync + 'static) -> Self {
        self.redact.push(Arc::new(redact));
        self
    }

    /// Adds a callback that is given each record once it is kept: to ship it. Called when no lock is held, by whoever makes the change, so it should be quick: send it to a task of its own.
    /// Of two changes at once the second may be given first. Numbers are in the order in which records were written, which for two changes at once need not be that of the changes. Default: none, and nothing leaves the process.
    pub fn on_record(mut self, sink: impl Fn(&AuditRecord) + Send + Sync + 'static) -> Self {
        self.on_record.push(Arc::new(sink));
        self
    }

    /// Makes the log.
    ///
    /// # Panics
    ///
    /// Where [`try_build`](Self::try_build) returns an error.
    #[track_caller]
    pub fn build(self) -> AuditLog {
        match self.try_build() {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes the log, or says which option makes no sense.
    ///
    /// # Errors
    ///
    /// The first option whose value is outside its limits.
    pub fn try_build(self) -> Result<AuditLog, OptionError> {
        check_count("keep", self.most, MOST, "it takes 1 to 16,777,216 records")?;
        if self.age.is_zero() || self.age > LONGEST {
            return Err(OptionError::new(
                "keep_for",
                format_args!("{:?}", self.age),
                "it takes a time above zero, at most 3,650 days",
            ));
        }
        Ok(AuditLog::of(Inner {
            store: Mutex::new(Store::new(self.most, self.age)),
            lifecycle: self.lifecycle,
            redact: self.redact,
            on_record: self.on_record,
        }))
    }
}

impl fmt::Debug for AuditLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLogBuilder")
            .field("keep", &self.most)
            .field("keep_for", &self.age)
            .field("lifecycle", &self.lifecycle)
            .finish_non_exhaustive()
    }
}
