//! The handle of a registered listener.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::context::{current, without_permit};
use crate::key::Key;
use crate::registry::{Metadata, Record};

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
    record: Arc<Record>,
}

impl Subscription {
    pub(super) fn new(record: Arc<Record>) -> Self {
        Self { record }
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
        match self.record.home.upgrade() {
            Some(home) => home.remove(&self.record),
            None => false,
        }
    }

    /// Waits until the listener is removed, by whomever, and none of its calls is running: in tasks and blocking threads too. No emission that
    /// was made before can still start one. See [`Subscription`](crate::Subscription).
    ///
    /// It does not remove. A listener whose signal is gone counts as removed. Awaited from inside a call of that very listener, it does not wait for that call; it holds no permit while it waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing; it can be called again.
    pub async fn removed(&self) {
        let own = current().map_or(0, |call| {
            call.chain()
                .filter(|call| call.listener.id == self.id())
                .count()
        });
        let wait = async {
            loop {
                let mut change = std::pin::pin!(self.record.quiet.notified());
                change.as_mut().enable();
                if (self.record.is_removed() || self.record.home.strong_count() == 0)
                    && self.record.running() <= own
                {
                    return;
                }
                change.await;
            }
        };
        without_permit(wait).await;
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

    /// Whether the listener has been removed, spent or replaced. See [`Subscription`](crate::Subscription).
    pub fn is_removed(&self) -> bool {
        self.record.is_removed()
    }

    /// The listener's number, unique in the process. See [`Subscription`](crate::Subscription).
    pub fn id(&self) -> u64 {
        self.record.identity.id
    }

    /// The listener's key, if it has one. See [`Subscription`](crate::Subscription).
    pub fn key(&self) -> Option<&str> {
        self.record.identity.key.as_ref().map(Key::as_str)
    }

    /// Where it was registered. See [`Subscription`](crate::Subscription).
    pub fn location(&self) -> &'static Location<'static> {
        self.record.identity.location
    }

    /// What is known about the listener now; also after it was removed. See [`Metadata`].
    pub fn metadata(&self) -> Metadata {
        self.record.metadata()
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
