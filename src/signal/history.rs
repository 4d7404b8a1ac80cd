//! The last events of a signal, for those who come late.
//!
//! An event is put in together with the number of the list that its emission sees, and a listener is registered together with a look at what is in, both under one lock. An emission sees
//! a listener if its list has it, so each event is either replayed to a late listener or emitted to it: never both, never neither.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Inner, Signal};
use crate::event::Event;
use crate::outcome::catch;
use crate::registry::{HeldEvent, Insert, RegisterError};
use crate::sync::Mutex;

/// The last events, oldest first.
type Kept<E> = VecDeque<Arc<E>>;

pub(crate) struct History<E> {
    kept: Mutex<Kept<E>>,
    most: usize,
}

impl<E: Event> History<E> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            kept: Mutex::default(),
            most,
        }
    }

    /// Keeps a clone of the event, and does under the lock what decides which listeners the emission sees.
    pub(super) fn keep<R>(&self, event: &E, signal: &str, list: impl FnOnce() -> R) -> R {
        // The clone and the drop are the user's code: not under the lock.
        let clone = match catch(|| Arc::new(event.clone())) {
            Ok(clone) => clone,
            Err(message) => {
                tracing::error!(signal, %message, "an event is not kept for late listeners, since its `Clone` panicked");
                return list();
            }
        };
        #[cfg(fanfare_plant = "kept-apart")]
        let list = {
            let list = list();
            || list
        };
        let mut kept = self.kept.lock();
        let oldest = (kept.len() == self.most).then(|| kept.pop_front());
        kept.push_back(clone);
        let list = list();
        drop(kept);
        if let Err(message) = catch(|| drop(oldest)) {
            tracing::error!(signal, %message, "an event that was kept for late listeners panicked while it was dropped");
        }
        list
    }

    /// What is kept, oldest first, up to the last `most`.
    fn last(&self, most: usize) -> Vec<Arc<E>> {
        let kept = self.kept.lock();
        last(&kept, most).cloned().collect()
    }
}

fn last<E>(kept: &Kept<E>, most: usize) -> impl ExactSizeIterator<Item = &Arc<E>> {
    kept.range(kept.len().saturating_sub(most)..)
}

impl<E: Event> Inner<E> {
    /// The number of the list that an emission sees of a signal that keeps its events, this one too.
    #[inline(never)]
    pub(super) fn number_kept(&self, history: &History<E>, event: &E) -> u64 {
        let number = || self.registry.number();
        if self.core.gate.is_closed() {
            number()
        } else {
            history.keep(event, &self.core.name, number)
        }
    }

    /// Registers listeners, and shows what is kept to whoever is to have it: in one step, between the emissions that see them and those that do not.
    ///
    /// `show` is called under the lock, so it runs none of the user's code, and drops none.
    pub(super) fn insert_with_kept<R>(
        &self,
        inserts: &[Insert<E>],
        show: impl FnOnce(&Kept<E>) -> R,
    ) -> Result<usize, RegisterError> {
        let none = Kept::new();
        self.registry.insert(inserts, || {
            let kept = self.history.as_ref().map(|history| history.kept.lock());
            let shown = show(kept.as_deref().unwrap_or(&none));
            #[cfg(fanfare_plant = "listens-after-replay")]
            let kept = drop(kept);
            (kept, shown)
        })
    }

    /// Gives what is kept to those of these listeners that have asked for it.
    pub(super) fn replay(inserts: &[Insert<E>], room: usize, kept: &Kept<E>) {
        for insert in inserts {
            let Some(most) = insert.replay else { continue };
            let events = last(kept, most).map(|event| HeldEvent {
                event: Arc::clone(event) as _,
                envelope: None,
                // No filter has been asked.
                wanted_by: 0,
            });
            insert.entry.record().begin_with(events, room);
        }
    }
}

/// # Late listeners
impl<E: Event> Signal<E> {
    /// A clone of the last event that was emitted, if the signal keeps any: see [`SignalBuilder::replay`](crate::SignalBuilder::replay).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let level = fanfare::Signal::<u32>::builder().sticky().build();
    /// assert_eq!(level.last(), None);
    /// let _ = level.emit(7).await;
    /// assert_eq!(level.last(), Some(7));
    /// # }
    /// ```
    pub fn last(&self) -> Option<E> {
        let last = self.inner.history.as_ref()?.last(1).pop()?;
        Some(Arc::unwrap_or_clone(last))
    }

    /// Clones of what the signal keeps, oldest first: see [`SignalBuilder::replay`](crate::SignalBuilder::replay). Empty for a signal that keeps nothing. O(n).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<u32>::builder().replay(2).build();
    /// for n in 0..5 {
    ///     let _ = signal.emit(n).await;
    /// }
    /// assert_eq!(signal.history(), [3, 4]);
    /// # }
    /// ```
    pub fn history(&self) -> Vec<E> {
        let Some(history) = &self.inner.history else {
            return Vec::new();
        };
        let kept = history.last(usize::MAX);
        kept.into_iter().map(Arc::unwrap_or_clone).collect()
    }
}
