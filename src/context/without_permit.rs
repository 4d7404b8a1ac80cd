//! Waiting without holding a permit.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Loan, within};

/// Waits for `future` without holding the permit of the listener that awaits it.
///
/// An emission that a listener awaits does this by itself. Use it for every other long wait inside a listener of a signal with a pool: a spawned
/// task that itself needs the pool, a long sleep, a lock that another listener holds. The permit goes back to the pool when `future` suspends
/// and is taken again before the listener goes on. Outside a listener, or without a pool, it just awaits.
///
/// # Cancel safety
///
/// As cancel safe as `future`. If it is dropped before it is ready, the listener takes a permit at once if one is free, else it goes on to its next
/// await point and waits there for one.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::time::Duration;
/// use fanfare::{Bus, Pool, without_permit};
///
/// let pool = Pool::new(1);
/// let bus = Bus::builder().pool(pool.clone()).build();
/// let seen = pool.clone();
/// bus.on(async move |_: u32| {
///     assert_eq!(seen.in_use(), 1);
///     without_permit(tokio::time::sleep(Duration::from_secs(3600))).await; // others run meanwhile
///     assert_eq!(seen.in_use(), 1);
/// });
/// assert_eq!(bus.emit(1_u32).await.delivered(), 1);
/// # }
/// ```
pub fn without_permit<F: IntoFuture>(future: F) -> WithoutPermit<F::IntoFuture> {
    WithoutPermit {
        loan: None,
        started: false,
        output: None,
        future: Box::pin(future.into_future()),
    }
}

/// The future of [`without_permit`].
#[must_use = "futures do nothing unless awaited"]
pub struct WithoutPermit<F: Future> {
    loan: Option<Loan>,
    started: bool,
    output: Option<F::Output>,
    future: Pin<Box<F>>,
}

impl<F: Future> std::fmt::Debug for WithoutPermit<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithoutPermit").finish_non_exhaustive()
    }
}

impl<F: Future> Unpin for WithoutPermit<F> {}

impl<F: Future> Future for WithoutPermit<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if !this.started {
            this.started = true;
            let lease = within(|outer| outer.lease().cloned());
            this.loan = lease.map(Loan::new);
        }
        if this.output.is_none() {
            match this.future.as_mut().poll(cx) {
                Poll::Ready(output) => this.output = Some(output),
                Poll::Pending => {
                    if let Some(loan) = &mut this.loan {
                        loan.lend();
                    }
                    return Poll::Pending;
                }
            }
        }
        if let Some(loan) = &mut this.loan {
            ready!(loan.poll_return(cx));
        }
        Poll::Ready(this.output.take().expect("polled after it was ready"))
    }
}
