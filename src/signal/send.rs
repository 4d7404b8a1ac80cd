//! Sending events: emit, detach, enqueue.

use std::sync::Arc;

use super::Signal;
use crate::buffer::EnqueueError;
use crate::context::{is_within, without_permit};
use crate::dispatch::{Emit, Pass};
use crate::event::Event;
use crate::sync::Ordering;

/// # Sending
///
/// The verb is the guarantee: `emit` waits for the listeners, `enqueue` waits for room in the buffer, `try_enqueue` and `emit_detached` do not wait.
impl<E: Event> Signal<E> {
    /// Calls the listeners that are registered now, and waits until all of them have finished.
    ///
    /// [`Emit`] says what dropping it does, and sets a deadline or a cancellation token.
    ///
    /// # Performance
    ///
    /// In the modes that run in the emitter's task, without a pool: no lock, no allocation for listeners that finish without suspending, and no write to memory that
    /// other emitters write. The event is moved into the last listener that owns its event.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.on(async |n| if n > 9 { Err("too large") } else { Ok(()) });
    /// assert!(signal.emit(3).await.is_ok());
    /// assert_eq!(signal.emit(12).await.failed(), 1);
    /// # }
    /// ```
    #[inline(always)]
    pub fn emit(&self, event: E) -> Emit<'_, E> {
        self.inner.emit(event)
    }

    /// Emits in a task of its own, and does not wait. Failures go to the failure callbacks, or else to the log; `shutdown` waits for it.
    ///
    /// # Performance
    ///
    /// One task, which is one allocation of the emission's size, and two writes to memory that all callers share.
    ///
    /// # Errors
    ///
    /// Gives the event back: [`Closed`](EnqueueError::Closed) after shutdown, [`Full`](EnqueueError::Full) if `max_detached` are under way,
    /// [`NoRuntime`](EnqueueError::NoRuntime) outside a runtime, unless the builder was given one.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.on(async |_| {});
    /// signal.emit_detached(1).unwrap();
    /// assert!(signal.shutdown(Duration::from_secs(1)).await.is_clean());
    /// # }
    /// ```
    pub fn emit_detached(&self, event: E) -> Result<(), EnqueueError<E>> {
        self.counted(self.detach(event))
    }

    fn detach(&self, event: E) -> Result<(), EnqueueError<E>> {
        let inner = &self.inner;
        let Some(pass) = Pass::enter(&inner.core) else {
            return Err(EnqueueError::Closed(event));
        };
        let Some(handle) = inner.core.options.handle() else {
            return Err(EnqueueError::NoRuntime(event));
        };
        let Ok(place) = Arc::clone(&inner.max_detached).try_acquire_owned() else {
            return Err(EnqueueError::Full(event));
        };
        let emission = inner.detached(event, pass).run();
        handle.spawn(async move {
            // Whatever did not succeed has been told when it happened.
            emission.await;
            drop(place);
        });
        Ok(())
    }

    /// Puts the event into the bounded buffer; waits for room if it is full and the policy is [`Overflow::Wait`](crate::Overflow::Wait) or
    /// [`WaitUpTo`](crate::Overflow::WaitUpTo). The signal owns the event then:
    /// it is delivered whether or not the caller goes on.
    ///
    /// Events are emitted one at a time in their order, unless `enqueue_concurrency` says otherwise. Failures go to the failure callbacks, or
    /// else to the log.
    ///
    /// # Performance
    ///
    /// One lock, held for a push; a task is spawned if none delivers.
    ///
    /// # Errors
    ///
    /// Gives the event back: see [`EnqueueError`].
    ///
    /// # Cancel safety
    ///
    /// If it is dropped while it waits for room, the event was not enqueued, and is dropped with it. In a listener that holds a permit of a pool, it waits for that permit again once there was
    /// room: dropped then, the event was enqueued, and is delivered.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.on(async |n| println!("{n}"));
    /// for n in 0..10 {
    ///     signal.enqueue(n).await.unwrap();
    /// }
    /// assert!(signal.shutdown(Duration::from_secs(1)).await.is_clean()); // all ten were delivered
    /// # }
    /// ```
    pub async fn enqueue(&self, event: E) -> Result<(), EnqueueError<E>> {
        let inner = &self.inner;
        let accepted = match inner.buffer.try_push(event) {
            Err(EnqueueError::Full(event)) if inner.buffer.overflow().waits() => {
                if is_within(|call| call.signal == inner.core.id) {
                    Err(EnqueueError::WouldDeadlock(event))
                } else if !inner.deliver_pending() {
                    Err(EnqueueError::NoRuntime(event))
                } else {
                    // Whoever makes room may need the permit of the listener that waits here. What is taken is accepted before that waits for its permit again, and may be dropped.
                    without_permit(async {
                        let pushed = inner.buffer.push_when_free(event).await;
                        pushed.map(|pushed| inner.accept(pushed))
                    })
                    .await
                }
            }
            pushed => pushed.map(|pushed| inner.accept(pushed)),
        };
        self.counted(accepted)
    }

    /// Puts the event into the bounded buffer without waiting. Works outside a runtime: the event is delivered as soon as a call is made inside one.
    ///
    /// # Performance
    ///
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Errors
    ///
    /// Gives the event back: [`Full`](EnqueueError::Full) for the policies that refuse, [`Closed`](EnqueueError::Closed) after shutdown.
    ///
    /// # Examples
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::builder().buffer(1).build();
    /// signal.try_enqueue(1).unwrap();
    /// let refused = signal.try_enqueue(2).unwrap_err();
    /// assert!(refused.is_full());
    /// assert_eq!(refused.into_event(), 2);
    /// ```
    pub fn try_enqueue(&self, event: E) -> Result<(), EnqueueError<E>> {
        let pushed = self.inner.buffer.try_push(event);
        self.counted(pushed.map(|pushed| self.inner.accept(pushed)))
    }

    pub(super) fn counted(
        &self,
        result: Result<(), EnqueueError<E>>,
    ) -> Result<(), EnqueueError<E>> {
        if result.is_err() {
            self.inner
                .core
                .counters
                .refused
                .fetch_add(1, Ordering::Relaxed);
        }
        result
    }
}
