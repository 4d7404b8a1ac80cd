//! Many registrations in one step.

use std::fmt;
use std::panic::Location;

use super::listen::Target;
use super::{ListenBuilder, Signal};
use crate::event::Event;
use crate::registry::{Insert, RegisterError};
use crate::sync::Mutex;

/// Listeners that are registered together: all of them in one version of the registry, or none.
///
/// # Performance
///
/// n listeners one by one copy the list n times, O(n^2); a batch copies it once, O(n).
///
/// # Examples
///
/// ```
/// use fanfare::Signal;
///
/// let signal = Signal::<u32>::new();
/// let batch = signal.batch();
/// for tenant in 0..1_000 {
///     batch.listen().key(format!("tenant-{tenant}")).on(async |_| {})?;
/// }
/// assert!(signal.is_empty());
/// batch.commit()?;
/// assert_eq!(signal.len(), 1_000);
/// # Ok::<(), fanfare::RegisterError>(())
/// ```
#[must_use = "nothing is registered until `commit` is called"]
pub struct Batch<E: Event> {
    signal: Signal<E>,
    staged: Mutex<Vec<Insert<E>>>,
}

impl<E: Event> Signal<E> {
    /// Starts a batch of registrations. See [`Batch`].
    pub fn batch(&self) -> Batch<E> {
        Batch {
            signal: self.clone(),
            staged: Mutex::default(),
        }
    }
}

impl<E: Event> Batch<E> {
    /// Adds a listener to the batch. Its subscription is valid at once: removed before `commit`, the listener stays out. See [`Batch`](crate::Batch).
    #[track_caller]
    pub fn listen(&self) -> ListenBuilder<'_, E> {
        ListenBuilder::new(Target::Batch(self), Location::caller())
    }

    /// Registers all of them.
    ///
    /// # Errors
    ///
    /// [`RegisterError::DuplicateKey`], if a key is taken, in the signal or twice in the batch. Then none is registered.
    pub fn commit(self) -> Result<(), RegisterError> {
        let staged = std::mem::take(&mut *self.staged.lock());
        self.signal.inner.insert(&staged)
    }

    pub(super) fn signal(&self) -> &Signal<E> {
        &self.signal
    }

    pub(super) fn stage(&self, insert: Insert<E>) {
        self.staged.lock().push(insert);
    }
}

impl<E: Event> fmt::Debug for Batch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("signal", &self.signal.name())
            .finish_non_exhaustive()
    }
}
