//! The handshakes between two atomics, under every schedule and every order that the memory model allows.
//!
//! A future is polled once: what is not ready then only proves nothing in that schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Report, Signal, Subscription};
use futures::FutureExt as _;
use loom::thread::spawn;

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    builder.check(move || {
        count.fetch_add(1, Ordering::SeqCst);
        model();
    });
    println!("{} executions", runs.load(Ordering::SeqCst));
}

/// Counts calls that began and calls that ended. Not the model's: looking at it is no step. What the last call wrote is the model's.
fn counted(signal: &Signal<u32>, times: Option<u64>) -> (Subscription, Arc<Calls>) {
    let calls = Arc::new(Calls::default());
    let seen = Arc::clone(&calls);
    let mut listen = signal.listen();
    if let Some(times) = times {
        listen = listen.times(times);
    }
    let subscription = listen.on_sync(move |_| {
        seen.began.fetch_add(1, Ordering::SeqCst);
        seen.wrote.store(true, Ordering::Relaxed);
        seen.ended.fetch_add(1, Ordering::SeqCst);
    });
    (subscription.unwrap(), calls)
}

#[derive(Default)]
struct Calls {
    began: AtomicUsize,
    ended: AtomicUsize,
    wrote: loom::sync::atomic::AtomicBool,
}

impl Calls {
    fn read(&self) -> (usize, usize) {
        let began = self.began.load(Ordering::SeqCst);
        (began, self.ended.load(Ordering::SeqCst))
    }

    /// For whoever was told that none runs any more.
    fn are_seen(&self) {
        let wrote = self.wrote.load(Ordering::Relaxed);
        let (began, ended) = self.read();
        assert_eq!(began, ended, "a call was running");
        assert_eq!(wrote, began > 0, "what a call wrote is not seen");
    }
}

fn emit(signal: &Signal<u32>) -> Report {
    let report = signal.emit(1).now_or_never();
    report.expect("its listeners do not suspend")
}

/// For an emission that borrows it in another thread.
fn leaked() -> &'static Signal<u32> {
    Box::leak(Box::default())
}

#[test]
fn a_shutdown_sees_every_emission_that_began() {
    check(2, || {
        let signal = leaked();
        let (_, calls) = counted(signal, None);
        let emitters = [1, 2].map(|_| spawn(move || emit(signal).is_closed()));
        let drained = signal.shutdown(Duration::from_secs(1)).now_or_never();
        let began = calls.read().0;
        if drained.is_some() {
            calls.are_seen();
        }
        let closed = emitters.map(|emitter| emitter.join().unwrap());
        if drained.is_some() {
            assert_eq!(calls.read().0, began, "a call began after the shutdown");
        }
        let let_in = closed.iter().filter(|closed| !**closed).count();
        assert_eq!(let_in, calls.read().0);
    });
}

fn removed(emitters: usize, preemptions: usize) {
    check(preemptions, move || {
        let signal = leaked();
        let (subscription, calls) = counted(signal, None);
        let emitters: Vec<_> = (0..emitters)
            .map(|_| spawn(move || drop(emit(signal))))
            .collect();
        subscription.remove();
        let removed = subscription.removed().now_or_never();
        let began = calls.read().0;
        if removed.is_some() {
            calls.are_seen();
        }
        for emitter in emitters {
            emitter.join().unwrap();
        }
        if removed.is_some() {
            assert_eq!(calls.read().0, began, "a call began after `removed`");
        }
    });
}

#[test]
fn removed_sees_every_call_that_began() {
    removed(2, 2);
}

/// The emission takes the version, which the removal makes an old one, and lets go of it before that looks: three switches.
#[test]
fn removed_sees_what_the_last_call_wrote() {
    removed(1, 4);
}

fn budget(times: u64, preemptions: usize) {
    check(preemptions, move || {
        let signal = leaked();
        let (_, calls) = counted(signal, Some(times));
        let emitters = [1, 2].map(|_| spawn(move || emit(signal).delivered()));
        let own = emit(signal).delivered();
        let others = emitters.map(|emitter| emitter.join().unwrap());
        let delivered = own + others.iter().sum::<usize>();
        assert_eq!(delivered as u64, times);
        assert_eq!(calls.read(), (delivered, delivered));
    });
}

#[test]
fn once_is_claimed_once() {
    budget(1, 1);
}

#[test]
fn times_is_claimed_that_often() {
    budget(2, 1);
}
