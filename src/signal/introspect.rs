//! Asking a signal about itself.

use super::{AnySignal as _, Description, Signal};
use crate::dispatch::Stats;
use crate::event::Event;
use crate::registry::{Host as _, Metadata};

/// # Introspection
///
/// None of these waits for a registration or an emission.
impl<E: Event> Signal<E> {
    /// The signal's name: the event type's, unless the builder gave another. See [`Signal::keys`](crate::Signal::keys).
    pub fn name(&self) -> &str {
        &self.inner.core.name
    }

    /// How many listeners are registered. O(1). See [`Signal::keys`](crate::Signal::keys).
    pub fn len(&self) -> usize {
        self.inner.registry.snapshot().entries.len()
    }

    /// Whether nobody listens. O(1). See [`Signal::keys`](crate::Signal::keys).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys, in the order of calls. Listeners without a key do not show. O(n).
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.listen().key("b").on(async |_| {})?;
    /// signal.listen().key("a").priority(1).on(async |_| {})?;
    /// assert_eq!(signal.keys(), ["a", "b"]);
    /// assert!(signal.contains_key("a"));
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn keys(&self) -> Vec<String> {
        let snapshot = self.inner.registry.snapshot();
        let keys = snapshot
            .entries
            .iter()
            .filter_map(|entry| entry.record().key());
        keys.map(|key| key.as_str().to_owned()).collect()
    }

    /// Whether a listener has this key. O(1), no lock. See [`keys`](Self::keys).
    pub fn contains_key(&self, key: &str) -> bool {
        self.inner.registry.snapshot().get(key).is_some()
    }

    /// What is known about the listener with this key. O(n) if there were emissions since one was last asked for. See [`Metadata`].
    pub fn metadata(&self, key: &str) -> Option<Metadata> {
        self.inner.registry.settle();
        self.inner
            .registry
            .snapshot()
            .get(key)
            .map(|entry| entry.metadata())
    }

    /// What is known about every listener, in the order of calls. O(n). See [`Metadata`].
    pub fn listeners(&self) -> Vec<Metadata> {
        self.inner.metadata()
    }

    /// What the signal has done. See [`Stats`].
    pub fn stats(&self) -> Stats {
        self.inner.core.stats()
    }

    /// How many events the buffer holds, and how many it can hold, in all its lanes. See [`Signal::keys`](crate::Signal::keys).
    pub fn buffered(&self) -> (usize, usize) {
        (self.inner.buffer.len(), self.inner.buffer.capacity())
    }

    /// Whether the buffer has reached its high mark, and not fallen to the low one since. See [`SignalBuilder::watermarks`](crate::SignalBuilder::watermarks).
    pub fn is_under_pressure(&self) -> bool {
        self.inner.buffer.is_under_pressure()
    }

    /// The options in effect, as text. See [`Description`].
    pub fn describe(&self) -> Description {
        self.inner.describe()
    }

    /// Removes the listener with this key. False if there is none. O(n). [`Subscription::remove`](crate::Subscription::remove) says what that means
    /// for calls that run.
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.listen().key("audit").on(async |_| {})?;
    /// assert!(signal.remove("audit"));
    /// assert!(!signal.remove("audit"));
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn remove(&self, key: &str) -> bool {
        self.inner.registry.remove_key(key)
    }

    /// Removes every listener, and says how many there were. Emissions that have begun skip those whose turn has not come.
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.on(async |_| {});
    /// assert_eq!(signal.clear(), 1);
    /// assert!(signal.is_empty());
    /// ```
    pub fn clear(&self) -> usize {
        self.inner.registry.clear()
    }
}
