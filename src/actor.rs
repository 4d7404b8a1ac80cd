//! On whose behalf something is changed.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

thread_local! {
    static ACTOR: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Says on whose behalf this code changes things: what it changes in the meantime, on this thread, has the actor in [`Changed::actor`](crate::Changed::actor) and
/// [`Lifecycle::actor`](crate::Lifecycle::actor). The innermost counts. [`while_acting_as`] is the same for a future.
///
/// It counts for all that the thread does meanwhile: with a `block_on` inside of the closure, for every task that is polled on the thread before it returns. Say it of the future instead:
/// `runtime.block_on(while_acting_as("alice", work))`.
///
/// What the program decides by itself has none: a pool that scales, a failure policy that disables, a pause that is over, a listener that is spent.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use fanfare::{Signal, acting_as};
///
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&log);
/// let signal = Signal::<u32>::builder().on_change(move |change| sink.lock().unwrap().push(change.actor().map(str::to_owned))).build();
/// let sub = signal.on(async |_| {});
/// acting_as("alice", || sub.disable());
/// sub.enable();
/// assert_eq!(*log.lock().unwrap(), [Some("alice".to_owned()), None]);
/// ```
pub fn acting_as<R>(actor: impl Into<Arc<str>>, code: impl FnOnce() -> R) -> R {
    within(Some(actor.into()), code)
}

/// The same as [`acting_as`] for a future: it counts while the future is polled, and not for tasks that it spawns.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use fanfare::{Bus, while_acting_as};
///
/// let bus = Bus::builder().on_change(|change| assert_eq!(change.actor(), Some("deploy 7"))).build();
/// while_acting_as("deploy 7", bus.shutdown(std::time::Duration::from_secs(1))).await;
/// # }
/// ```
pub fn while_acting_as<F: Future>(actor: impl Into<Arc<str>>, future: F) -> ActingAs<F> {
    ActingAs {
        future,
        actor: actor.into(),
    }
}

/// Runs code that nobody is behind.
pub(crate) fn acting_alone<R>(code: impl FnOnce() -> R) -> R {
    within(None, code)
}

/// On whose behalf this thread changes things now.
pub(crate) fn actor() -> Option<Arc<str>> {
    // A thread that ends has nobody behind it.
    ACTOR
        .try_with(|actor| actor.borrow().clone())
        .ok()
        .flatten()
}

/// Runs code on this one's behalf, or on nobody's.
pub(crate) fn within<R>(actor: Option<Arc<str>>, code: impl FnOnce() -> R) -> R {
    let _restore = Restore(swap(actor));
    code()
}

fn swap(actor: Option<Arc<str>>) -> Option<Arc<str>> {
    ACTOR
        .try_with(|now| std::mem::replace(&mut *now.borrow_mut(), actor))
        .ok()
        .flatten()
}

/// Who was acting before.
struct Restore(Option<Arc<str>>);

impl Drop for Restore {
    fn drop(&mut self) {
        drop(swap(self.0.take()));
    }
}

pin_project! {
    /// The future of [`while_acting_as`].
    #[must_use = "a future does nothing unless it is awaited"]
    pub struct ActingAs<F> {
        #[pin]
        future: F,
        actor: Arc<str>,
    }
}

impl<F: Future> Future for ActingAs<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        within(Some(Arc::clone(this.actor)), || this.future.poll(cx))
    }
}

impl<F> fmt::Debug for ActingAs<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActingAs")
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}
