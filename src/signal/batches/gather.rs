//! What the calls of one listener share.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use super::outcome::{all, let_go};
use super::sheet::{At, Cancelled, Lead, Next, Sheets};
use super::{Batches, IntoBatchOutcome};
use crate::clock::{self, Instant};
use crate::listener::Keeper;
use crate::outcome::{Cause, Verdict, catch};
use crate::sync::{Mutex, sleep_until};

pub(super) struct Gather<E, F, Fut> {
    sheets: Mutex<Sheets<E, Fut>>,
    config: Batches,
    listener: F,
    keeper: Arc<dyn Keeper>,
}

impl<E, F, Fut> Gather<E, F, Fut> {
    pub(super) fn new(config: Batches, listener: F, keeper: Arc<dyn Keeper>) -> Self {
        Self {
            sheets: Mutex::new(Sheets::new(config.size, config.at_once)),
            config,
            listener,
            keeper,
        }
    }

    /// Puts an event into the open batch.
    pub(super) fn sit(self: Arc<Self>, event: E) -> Seat<E, F, Fut> {
        let now = clock::now();
        // A time beyond the clock's range is as good as for ever.
        let due = now.checked_add(self.config.within);
        let due = due.unwrap_or_else(|| now + std::time::Duration::from_secs(1 << 30));
        let at = self.sheets.lock().add(event, due);
        Seat {
            gather: self,
            at,
            patience: None,
            polled: None,
            events: 0,
            told: false,
        }
    }
}

/// What ends the wait for others.
type Patience = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Ready when the time is up, or a shutdown begins.
async fn patience(due: Instant, keeper: Arc<dyn Keeper>) {
    let sleep = std::pin::pin!(sleep_until(due));
    match keeper.closing() {
        Some(closing) => drop(futures_util::future::select(sleep, closing).await),
        None => sleep.await,
    }
}

/// One call's place in its batch.
pub(super) struct Seat<E, F, Fut> {
    gather: Arc<Gather<E, F, Fut>>,
    at: At,
    /// While it waits for others on behalf of its batch.
    patience: Option<Patience>,
    /// What the listener returned, while this call polls it.
    polled: Option<Pin<Box<Fut>>>,
    /// For how many events.
    events: usize,
    /// The next batch may begin beside this one, and its leader knows.
    told: bool,
}

impl<E, F, Fut> Seat<E, F, Fut> {
    /// Ready with the outcome, or with `None` when this call is to deliver the batch.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Verdict>> {
        loop {
            // Wakers are anyone's code: not under the lock.
            let mut waker = Some(cx.waker().clone());
            let next = self.gather.sheets.lock().look(self.at, &mut waker);
            drop(waker);
            match next {
                Next::Over(verdict) => return Poll::Ready(Some(verdict)),
                Next::Lead => {
                    self.patience = None;
                    return Poll::Ready(None);
                }
                Next::Wait => {
                    self.patience = None;
                    return Poll::Pending;
                }
                Next::Gather(due) => {
                    let keeper = &self.gather.keeper;
                    let made = || Box::pin(patience(due, Arc::clone(keeper))) as Patience;
                    ready!(self.patience.get_or_insert_with(made).as_mut().poll(cx));
                    self.gather.sheets.lock().due(self.at);
                }
            }
        }
    }
}

impl<E, F, Fut> Seat<E, F, Fut>
where
    F: FnOnce(Vec<E>) -> Fut + Clone,
    Fut: Future<Output: IntoBatchOutcome>,
{
    /// Calls the listener, or goes on with the call of one that led before. Ready when it has ended, and every call of the batch has its outcome.
    pub(super) fn poll_lead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ended = match self.begin() {
            Ok(()) => {
                let polled = self.polled.as_mut().expect("it has just begun");
                let polled = catch(|| {
                    polled
                        .as_mut()
                        .poll(cx)
                        .map(Fut::Output::into_batch_outcome)
                });
                let outcome = match polled {
                    Ok(Poll::Ready(outcome)) => Ok(outcome),
                    Ok(Poll::Pending) => {
                        self.let_next_begin();
                        return Poll::Pending;
                    }
                    Err(message) => Err(message),
                };
                let dropped = catch(|| self.polled = None);
                outcome.and_then(|outcome| dropped.map(|()| outcome))
            }
            Err(message) => Err(message),
        };
        // The errors are the listener's: their code may panic.
        let verdicts = ended.and_then(|outcome| catch(|| outcome.verdicts(self.events)));
        let verdicts =
            verdicts.unwrap_or_else(|message| all(&Cause::Panicked(message), self.events));
        let (wakes, nobodys) = self.gather.sheets.lock().end(self.at, verdicts);
        wakes.into_iter().for_each(Waker::wake);
        nobodys.into_iter().for_each(let_go);
        Poll::Ready(())
    }

    /// Once this batch has begun: its listener was called, and what that returned was polled.
    fn let_next_begin(&mut self) {
        if !mem::replace(&mut self.told, true) {
            let next = self.gather.sheets.lock().called(self.at);
            next.into_iter().for_each(Waker::wake);
        }
    }

    /// Calls the listener, if no call has. The message, if that panics.
    fn begin(&mut self) -> Result<(), Arc<str>> {
        if self.polled.is_some() {
            return Ok(());
        }
        let lead = self.gather.sheets.lock().lead(self.at);
        match lead {
            Lead::Future(future, events) => {
                (self.polled, self.events) = (Some(future), events);
                self.told = true;
            }
            Lead::Events(events) => {
                self.events = events.len();
                let listener = &self.gather.listener;
                self.polled = Some(catch(|| Box::pin(listener.clone()(events)))?);
            }
        }
        Ok(())
    }
}

impl<E, F, Fut> Drop for Seat<E, F, Fut> {
    fn drop(&mut self) {
        let left = self.gather.sheets.lock().leave(self.at, self.polled.take());
        let over = !matches!(left.cancelled, Cancelled::No);
        if let Cancelled::Late(future) = left.cancelled {
            if let Err(message) = catch(|| drop(future)) {
                tracing::error!(%message, "a listener of batches that was cancelled panicked while it was dropped");
            }
        }
        let next = over.then(|| self.gather.sheets.lock().end_cancelled(self.at));
        for waker in left.wakes.into_iter().chain(next.flatten()) {
            waker.wake();
        }
        drop(left.rest);
    }
}
