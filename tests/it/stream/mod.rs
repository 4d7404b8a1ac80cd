//! Streams and sinks: what is read, what is missed, and when it ends.

mod around;
mod ends;
mod lag;
mod next;
mod order;
mod policies;
mod reading;
mod sink;
mod threads;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use fanfare::{Cause, EventStream, Overflow, Rejection, Report, Signal};
use futures::{FutureExt as _, Stream, StreamExt as _};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Every policy.
pub(crate) const POLICIES: [Overflow; 5] = [
    Overflow::DropOldest,
    Overflow::DropNewest,
    Overflow::Reject,
    Overflow::Wait,
    Overflow::WaitUpTo(SECOND),
];

/// A stream with a buffer of this size and this policy.
fn stream_of(signal: &Signal<u32>, capacity: usize, overflow: Overflow) -> EventStream<u32> {
    let builder = signal.listen().stream().buffer(capacity);
    builder.overflow(overflow).build().unwrap()
}

/// What can be read without waiting.
fn drain<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    let read = poll_fn(|cx| {
        let mut all = Vec::new();
        while let Poll::Ready(Some(item)) = stream.poll_next_unpin(cx) {
            all.push(item);
        }
        Poll::Ready(all)
    });
    // A reader that has read much gives way to other tasks first.
    let read = tokio::task::coop::unconstrained(read).now_or_never();
    read.expect("it is ready at once")
}

async fn emit(signal: &Signal<u32>, events: impl IntoIterator<Item = u32>) {
    for n in events {
        let _ = signal.emit(n).await;
    }
}

/// How full the stream was that the only listener of a report is, if it was refused by that.
fn stream_full(report: &Report) -> Option<usize> {
    match report.entries() {
        [entry] => match entry.cause() {
            Cause::Rejected(Rejection::StreamFull { capacity }) => Some(*capacity),
            _ => None,
        },
        _ => None,
    }
}
