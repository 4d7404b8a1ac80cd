//! The probe: a task that does nothing but note when it was polled.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::watch::Probed;
use crate::clock::Instant;
use crate::sync::{AtomicU64, Handle, Ordering};

/// A probe that was spawned.
pub(super) struct Probe {
    since: Instant,
    /// Nanoseconds after that, and one; zero before.
    polled: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Probe {
    pub(super) fn spawn(runtime: &Handle) -> Self {
        let since = now();
        let polled = Arc::new(AtomicU64::new(0));
        let note = Arc::clone(&polled);
        let task = runtime.spawn(async move {
            let nanos = now().saturating_duration_since(since).as_nanos();
            let nanos = u64::try_from(nanos).unwrap_or(u64::MAX - 1);
            note.store(nanos + 1, Ordering::Relaxed);
        });
        Self {
            since,
            polled,
            task,
        }
    }

    pub(super) fn look(&self) -> Probed {
        // In this order: a task that has finished has noted it before, and tokio's own state of the task, which `is_finished` acquires, carries the note here.
        let finished = self.task.is_finished();
        let since = self.since;
        match self.polled.load(Ordering::Relaxed).checked_sub(1) {
            Some(nanos) => Probed::Polled {
                since,
                delay: Duration::from_nanos(nanos),
            },
            None if finished => Probed::Gone,
            None => Probed::Waiting { since },
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Now, in real time: a runtime whose clock is paused is watched as any other.
pub(super) fn now() -> Instant {
    Instant::from_std(std::time::Instant::now())
}
