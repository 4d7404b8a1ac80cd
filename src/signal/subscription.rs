//! The handle of a registered listener.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::Pause;
use crate::context::{count_within, is_within, without_permit};
use crate::error::OptionError;
use crate::key::Key;
#[cfg(feature = "metrics")]
use crate::registry::Record;
use crate::registry::{Listed, Metadata};
use crate::sync::yield_now;

/// The handle of a registered listener. Dropping it leaves the listener in place, as a `JoinHandle` leaves its task; [`scoped`](Self::scoped)
/// makes the guard that removes on drop. Cheap to clone.
///
/// A handle is of one registration: it never removes a later listener of the same key.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let signal = fanfare::Signal::<u32>::new();
/// let sub = signal.on(async |_| {});
/// assert!(sub.remove());   // no emission that begins from here on calls it
/// assert!(!sub.remove());  // harmless
/// sub.removed().await;     // no call of it is running any more
/// # }
/// ```
#[derive(Clone)]
pub struct Subscription {
    pub(super) listed: Arc<dyn Listed>,
}

impl Subscription {
    pub(super) fn new(listed: Arc<dyn Listed>) -> Self {
        Self { listed }
    }

    /// Removes the listener. True if this call did. May be called from anywhere, the listener itself included.
    ///
    /// After it returns, no emission that begins later calls the listener, and an emission that began before skips it if its turn has not come.
    /// Calls that run go on: [`removed`](Self::removed) waits for them.
    ///
    /// # Performance
    ///
    /// O(n): the list is copied.
    pub fn remove(&self) -> bool {
        let record = self.listed.record();
        record.home.host().is_some_and(|host| host.remove(record))
    }

    /// Waits until the listener is removed, by whomever, and none of its calls is running: in tasks and blocking threads too. No emission that
    /// was made before can still start one. See [`Subscription`](crate::Subscription).
    ///
    /// It does not remove. A listener whose signal is gone counts as removed. An emission that was made and has not been polled yet may still call: poll it or drop
    /// it before you wait here in the same task. Awaited from inside a call of that very listener, it does not wait for that call; it holds no permit while it waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing; it can be called again.
    pub async fn removed(&self) {
        let record = self.listed.record();
        let home = &record.home;
        let own = count_within(|call| call.listener == record.id && call.marked);
        let wait = async {
            let mut before = None;
            loop {
                let mut change = std::pin::pin!(home.quiet.notified());
                change.as_mut().enable();
                if record.is_removed() || home.host().is_none() {
                    // Whoever is polled from here on sees the removal.
                    let before = before.get_or_insert_with(|| home.renew());
                    let marks_first =
                        cfg!(fanfare_plant = "marks-before-versions") && record.running() <= own;
                    let own_holds = |version| count_within(|call| call.version == version);
                    // In this order: whoever had one in hand and goes on is marked before it is gone.
                    if before.are_gone(own_holds) && (marks_first || record.running() <= own) {
                        return;
                    }
                    if is_within(|call| before.has(call.version)) {
                        // The last of the others to leave does not wake anybody while this code, in the middle of a poll, has a hold too.
                        yield_now().await;
                        continue;
                    }
                }
                change.await;
            }
        };
        without_permit(wait).await;
    }

    /// Calls the listener no more, until [`enable`](Self::enable): its emissions report it as skipped. Calls that run go on, and what it [holds](Pause) stays held. True if
    /// that changed anything.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<u32>::new();
    /// let sub = signal.on(async |_| {});
    /// sub.disable();
    /// assert_eq!(signal.emit(1).await.skipped(), 1);
    /// assert!(sub.enable());
    /// assert_eq!(signal.emit(2).await.delivered(), 1);
    /// # }
    /// ```
    pub fn disable(&self) -> bool {
        self.listed.record().disable()
    }

    /// Calls the listener no more for a time, or until it is [resumed](Self::resume). What comes meanwhile is skipped, or held up to a bound: see [`Pause`]. Calls that run go
    /// on; while held events are delivered, one that has been taken up is called. True if that changed anything.
    ///
    /// Of two pauses the longer counts, and one that holds goes on holding, with the later bound. A listener that is disabled stays disabled.
    ///
    /// # Errors
    ///
    /// A buffer below 1 or above 16,777,216 is refused by name.
    pub fn pause(&self, pause: impl Into<Pause>) -> Result<bool, OptionError> {
        let pause = pause.into();
        pause.check()?;
        Ok(self.listed.record().pause(pause.time, pause.buffer))
    }

    /// Ends a pause: the listener is called again, first with what it [holds](Pause). True if there was one; a listener that is disabled stays so.
    pub fn resume(&self) -> bool {
        self.listed.record().resume()
    }

    /// Calls the listener again, first with what it [holds](Pause). True if it was disabled or paused.
    pub fn enable(&self) -> bool {
        self.listed.record().enable()
    }

    /// Whether it is called: neither disabled nor paused. See [`disable`](Self::disable).
    pub fn is_enabled(&self) -> bool {
        self.listed.record().off().is_none()
    }

    /// Makes a guard that removes the listener when it is dropped.
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::new();
    /// {
    ///     let _guard = signal.on(async |_| {}).scoped();
    ///     assert_eq!(signal.len(), 1);
    /// }
    /// assert!(signal.is_empty());
    /// ```
    pub fn scoped(self) -> Scoped {
        Scoped { subscription: self }
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn record(&self) -> &Record {
        self.listed.record()
    }

    /// Whether the listener has been removed, spent or replaced. See [`Subscription`](crate::Subscription).
    pub fn is_removed(&self) -> bool {
        self.listed.record().is_removed()
    }

    /// The listener's number, unique in the process. See [`Subscription`](crate::Subscription).
    pub fn id(&self) -> u64 {
        self.listed.record().id
    }

    /// The listener's key, if it has one. See [`Subscription`](crate::Subscription).
    pub fn key(&self) -> Option<&str> {
        self.listed.record().key().map(Key::as_str)
    }

    /// Where it was registered. See [`Subscription`](crate::Subscription).
    pub fn location(&self) -> &'static Location<'static> {
        self.listed.record().location
    }

    /// What is known about the listener now; also after it was removed. See [`Metadata`].
    pub fn metadata(&self) -> Metadata {
        if let Some(host) = self.listed.record().home.host() {
            host.settle();
        }
        self.listed.metadata()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id())
            .field("key", &self.key())
            .field("removed", &self.is_removed())
            .finish_non_exhaustive()
    }
}

/// A guard that removes its listener when it is dropped. [`Subscription::scoped`] makes it.
#[derive(Debug)]
#[must_use = "the listener is removed when the guard is dropped"]
pub struct Scoped {
    subscription: Subscription,
}

impl Scoped {
    /// The subscription. See [`Subscription`](crate::Subscription).
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

impl Drop for Scoped {
    fn drop(&mut self) {
        self.subscription.remove();
    }
}
