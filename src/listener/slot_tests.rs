//! The slot and its safe twin, held to the same behaviour.

#![allow(
    clippy::items_after_statements,
    reason = "a future by hand stands where it is used"
)]

use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::panic_any;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

#[cfg(not(fanfare_safe_slot))]
use self::slot_safe::Slot as Twin;
use super::{Slot as Built, Step, Storage};
use crate::outcome::{Cause, catch};

#[cfg(not(fanfare_safe_slot))]
#[path = "slot_safe.rs"]
mod slot_safe;

/// Counts how often it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Panics when it is dropped, after it has counted.
struct PanicsInDrop(Arc<AtomicUsize>);

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("in the drop");
    }
}

#[derive(Debug)]
struct ErrorThatPanicsInDrop;

impl Drop for ErrorThatPanicsInDrop {
    fn drop(&mut self) {
        panic!("in the drop of the error");
    }
}

impl std::fmt::Display for ErrorThatPanicsInDrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error")
    }
}

impl std::error::Error for ErrorThatPanicsInDrop {}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn word(step: &Step) -> String {
    match step {
        Step::Done => "done".to_owned(),
        Step::Break => "break".to_owned(),
        Step::Pending => "pending".to_owned(),
        Step::NotPlain | Step::Refused(_) => unreachable!("a slot does not say so"),
        Step::Not(cause) => cause.to_string(),
    }
}

macro_rules! behaviour {
    ($name:ident, $slot:ty) => {
        mod $name {
            use super::*;

            type Slot = $slot;

            fn cx() -> Context<'static> {
                Context::from_waker(Waker::noop())
            }

            /// Starts the future in a new slot, polls it until it ends, and says each step.
            fn steps<F>(future: F) -> Vec<String>
            where
                F: Future<Output: crate::outcome::IntoOutcome> + Send + 'static,
            {
                let mut slot = pin!(Slot::new());
                let mut seen = vec![word(&slot.as_mut().start(future, Some(&mut cx())))];
                while !slot.is_empty() {
                    seen.push(word(&slot.as_mut().poll(&mut cx())));
                }
                seen
            }

            #[test]
            fn what_is_ready_leaves_it_empty() {
                assert_eq!(steps(ready(())), ["done"]);
                assert_eq!(steps(async { Err::<(), _>("no") }), ["failed: no"]);
                let stop = std::ops::ControlFlow::<()>::Break(());
                assert_eq!(steps(ready(stop)), ["break"]);
            }

            #[test]
            fn what_refers_to_itself_goes_on_where_it_was() {
                let text = async {
                    let local = [7_u8; 100];
                    let own = &local;
                    yield_once().await;
                    assert_eq!(own, &[7; 100]);
                    yield_once().await;
                    assert!(std::ptr::eq(own, &raw const local));
                };
                assert_eq!(steps(text), ["pending", "pending", "done"]);
            }

            #[test]
            fn a_slot_is_used_again_and_again() {
                let drops = Arc::new(AtomicUsize::new(0));
                let mut slot = pin!(Slot::new());
                for n in 0..100 {
                    let held = Dropped(Arc::clone(&drops));
                    let future = async move {
                        let _held = held;
                        if n % 2 == 1 {
                            yield_once().await;
                        }
                    };
                    let step = slot.as_mut().start(future, Some(&mut cx()));
                    if matches!(step, Step::Pending) {
                        assert!(matches!(slot.as_mut().poll(&mut cx()), Step::Done));
                    }
                    assert!(slot.is_empty());
                    assert_eq!(drops.load(Ordering::Relaxed), n + 1);
                }
            }

            #[test]
            fn what_was_only_put_is_polled_later() {
                let mut slot = pin!(Slot::new());
                assert!(matches!(
                    slot.as_mut().start(ready(()), None),
                    Step::Pending
                ));
                assert!(!slot.is_empty());
                assert!(matches!(slot.as_mut().poll(&mut cx()), Step::Done));
            }

            #[test]
            fn what_is_pending_is_dropped_once_with_the_slot_or_when_it_is_cleared() {
                let drops = Arc::new(AtomicUsize::new(0));
                let start = |slot: Pin<&mut Slot>| {
                    let held = Dropped(Arc::clone(&drops));
                    let future = async move {
                        let _held = held;
                        pending::<()>().await;
                    };
                    assert!(matches!(slot.start(future, Some(&mut cx())), Step::Pending));
                };
                {
                    let mut slot = pin!(Slot::new());
                    start(slot.as_mut());
                }
                assert_eq!(drops.load(Ordering::Relaxed), 1);
                let mut slot = pin!(Slot::new());
                start(slot.as_mut());
                slot.as_mut().clear();
                assert!(slot.is_empty());
                slot.as_mut().clear();
                assert_eq!(drops.load(Ordering::Relaxed), 2);
            }

            #[test]
            fn a_busy_slot_takes_no_second_future() {
                let mut slot = pin!(Slot::new());
                slot.as_mut().start(pending::<()>(), Some(&mut cx()));
                let second = catch(|| slot.as_mut().start(ready(()), Some(&mut cx())));
                assert!(second.unwrap_err().contains("one future at a time"));
                assert!(!slot.is_empty());
            }

            #[test]
            fn a_panic_in_the_poll_leaves_what_is_to_be_cleared() {
                let drops = Arc::new(AtomicUsize::new(0));
                for late in [false, true] {
                    let held = Dropped(Arc::clone(&drops));
                    let mut slot = pin!(Slot::new());
                    let future = async move {
                        let _held = held;
                        if late {
                            yield_once().await;
                        }
                        panic_any("in the poll");
                    };
                    let mut polled = catch(|| slot.as_mut().start(future, Some(&mut cx())));
                    if late {
                        polled = catch(|| slot.as_mut().poll(&mut cx()));
                    }
                    assert_eq!(&*polled.unwrap_err(), "in the poll");
                    slot.as_mut().clear();
                    assert!(slot.is_empty());
                    assert_eq!(steps(ready(())), ["done"]);
                }
                assert_eq!(drops.load(Ordering::Relaxed), 2);
            }

            #[test]
            fn a_panic_in_the_poll_and_one_in_the_drop_are_two() {
                let drops = Arc::new(AtomicUsize::new(0));
                let held = PanicsInDrop(Arc::clone(&drops));
                // As a state machine by hand: an async block drops what it holds while its panic unwinds, which ends the process wherever it runs.
                struct Panics(Option<PanicsInDrop>);
                impl Future for Panics {
                    type Output = ();
                    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                        panic!("in the poll, with {}", self.0.is_some());
                    }
                }
                let mut slot = pin!(Slot::new());
                let polled = catch(|| slot.as_mut().start(Panics(Some(held)), Some(&mut cx())));
                assert_eq!(&*polled.unwrap_err(), "in the poll, with true");
                let cleared = catch(|| slot.as_mut().clear());
                assert_eq!(&*cleared.unwrap_err(), "in the drop");
                assert!(slot.is_empty());
                assert_eq!(drops.load(Ordering::Relaxed), 1);
            }

            #[test]
            fn a_panic_in_the_drop_of_what_was_ready_drops_nothing_twice() {
                let drops = Arc::new(AtomicUsize::new(0));
                for late in [false, true] {
                    let held = PanicsInDrop(Arc::clone(&drops));
                    struct Ready(PanicsInDrop, bool);
                    impl Future for Ready {
                        type Output = ();
                        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                            assert!(self.0.0.load(Ordering::Relaxed) < 9);
                            if std::mem::take(&mut self.1) {
                                return Poll::Pending;
                            }
                            Poll::Ready(())
                        }
                    }
                    let mut slot = pin!(Slot::new());
                    let future = Ready(held, late);
                    let mut polled = catch(|| slot.as_mut().start(future, Some(&mut cx())));
                    if late {
                        polled = catch(|| slot.as_mut().poll(&mut cx()));
                    }
                    // The twin has said so in its step, the other unwinds: a call that panicked, either way.
                    match polled {
                        Ok(Step::Not(cause)) => assert!(matches!(*cause, Cause::Panicked(_))),
                        Ok(step) => unreachable!("{step:?}"),
                        Err(message) => assert_eq!(&*message, "in the drop"),
                    }
                    slot.as_mut().clear();
                    assert!(slot.is_empty());
                }
                assert_eq!(drops.load(Ordering::Relaxed), 2);
            }

            #[test]
            fn a_failure_whose_error_panics_in_its_drop_survives_a_panic_in_the_drop_of_the_future()
            {
                let drops = Arc::new(AtomicUsize::new(0));
                struct Fails(PanicsInDrop);
                impl Future for Fails {
                    type Output = Result<(), ErrorThatPanicsInDrop>;
                    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
                        assert_eq!(self.0.0.load(Ordering::Relaxed), 0);
                        Poll::Ready(Err(ErrorThatPanicsInDrop))
                    }
                }
                let future = Fails(PanicsInDrop(Arc::clone(&drops)));
                assert_eq!(steps(future), ["panicked: in the drop"]);
                assert_eq!(drops.load(Ordering::Relaxed), 1);
            }

            #[test]
            fn futures_of_every_size_and_alignment_run() {
                #[repr(align(64))]
                #[derive(Clone, Copy)]
                struct Aligned(u8);
                let aligned = async {
                    let held = Aligned(7);
                    let place = (&raw const held).addr();
                    yield_once().await;
                    assert_eq!((place % 64, held.0), (0, 7));
                    assert_eq!(place, (&raw const held).addr());
                };
                assert_eq!(steps(aligned), ["pending", "done"]);
                let large = async {
                    let held = [7_u8; 10_000];
                    yield_once().await;
                    assert_eq!(held, [7; 10_000]);
                };
                assert_eq!(steps(large), ["pending", "done"]);
                assert_eq!(steps(sized::<0>()), ["pending", "done"]);
                assert_eq!(steps(sized::<240>()), ["pending", "done"]);
                assert_eq!(steps(sized::<255>()), ["pending", "done"]);
                assert_eq!(steps(sized::<257>()), ["pending", "done"]);
                // Of no size at all.
                struct Nothing;
                impl Future for Nothing {
                    type Output = ();
                    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
                        Poll::Ready(())
                    }
                }
                assert_eq!(steps(Nothing), ["done"]);
            }

            #[test]
            fn a_waker_may_be_used_after_the_end() {
                let kept: Arc<std::sync::Mutex<Option<Waker>>> = Arc::default();
                let keep = Arc::clone(&kept);
                let future = poll_fn(move |cx| {
                    *keep.lock().unwrap() = Some(cx.waker().clone());
                    Poll::Ready(())
                });
                assert_eq!(steps(future), ["done"]);
                kept.lock().unwrap().take().unwrap().wake();
            }
        }
    };
}

async fn sized<const N: usize>() {
    let held = [7_u8; N];
    let sum = Cell::new(0_usize);
    yield_once().await;
    sum.set(held.iter().map(|byte| usize::from(*byte)).sum());
    assert_eq!(sum.get(), 7 * N);
}

behaviour!(as_built, Built);
#[cfg(not(fanfare_safe_slot))]
behaviour!(as_its_twin, Twin);

#[test]
fn the_storage_is_as_the_size_and_alignment_say() {
    #[repr(align(32))]
    struct Aligned;
    let of = |fits: bool| {
        if fits && cfg!(not(fanfare_safe_slot)) {
            Storage::InPlace
        } else {
            Storage::Boxed
        }
    };
    assert_eq!(Built::storage_of::<()>(), of(true));
    assert_eq!(Built::storage_of::<[u8; 256]>(), of(true));
    assert_eq!(Built::storage_of::<u128>(), of(true));
    assert_eq!(Built::storage_of::<[u8; 257]>(), of(false));
    assert_eq!(Built::storage_of::<Aligned>(), of(false));
    #[cfg(not(fanfare_safe_slot))]
    assert_eq!(Twin::storage_of::<()>(), Storage::Boxed);
}
