//! Where the future of one call lives while it runs: in place, without an allocation. The one module with `unsafe`; `slot_safe.rs` is its twin without.
//!
//! A slot is a fixed buffer. [`start`](Slot::start) writes a future into it and polls it there; it stays there, pinned, until it is ready or the slot is cleared. A future
//! that is larger or more aligned than the buffer is boxed, and the box is what the buffer holds.
//!
//! # Failures
//!
//! - **A future that panics in its poll** leaves the slot occupied. Whoever catches the panic clears the slot, in a catch of its own: a panic in the drop
//!   during the unwinding of the first would end the process.
//! - **A future that panics while it is dropped** leaves the slot empty: what it held is taken out before it is dropped, so nothing is dropped twice.

#![expect(
    unsafe_code,
    reason = "a future is started, polled and dropped in place"
)]

use std::cell::UnsafeCell;
use std::future::Future;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use super::{Step, Storage};
use crate::outcome::{IntoOutcome, catch};

/// The size of the buffer in bytes. Everyday futures: a sleep 128, a mutex lock 152, a channel send 192; with a timeout around it, 304.
const SIZE: usize = 256;
/// The alignment of the buffer in bytes.
const ALIGN: usize = 16;

#[repr(C, align(16))]
struct Buffer(UnsafeCell<MaybeUninit<[u8; SIZE]>>);

/// A place for the future of one call. Not `Unpin`: the future in it must not move.
pub(crate) struct Slot {
    /// What is in the buffer; `EMPTY` if nothing is.
    held: &'static Held,
    buffer: Buffer,
    _pinned: PhantomPinned,
}

/// How to handle the future in the buffer, whose type is forgotten.
struct Held {
    /// # Safety
    ///
    /// The pointer is to the future that this was made for, pinned, alive, and borrowed by nobody else.
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<Step>,
    /// # Safety
    ///
    /// As `poll`, and the future is not used again.
    drop: unsafe fn(*mut u8),
}

static EMPTY: Held = Held {
    poll: |_, _| unreachable!("an empty slot is not polled"),
    drop: |_| {},
};

impl Held {
    const fn of<F>() -> Self
    where
        F: Future<Output: IntoOutcome>,
    {
        Self {
            poll: |place, cx| {
                // SAFETY: the caller says that `place` is a pinned, live `F` which nobody else borrows.
                let future = unsafe { Pin::new_unchecked(&mut *place.cast::<F>()) };
                future
                    .poll(cx)
                    .map(|output| Step::from(output.into_outcome()))
            },
            // SAFETY: the caller says that `place` is a live `F`, borrowed by nobody and not used again.
            drop: |place| unsafe { place.cast::<F>().drop_in_place() },
        }
    }
}

impl Slot {
    pub(crate) const fn new() -> Self {
        Self {
            held: &EMPTY,
            buffer: Buffer(UnsafeCell::new(MaybeUninit::uninit())),
            _pinned: PhantomPinned,
        }
    }

    /// Where the futures of this type live.
    pub(crate) const fn storage_of<F>() -> Storage {
        if size_of::<F>() <= SIZE && align_of::<F>() <= ALIGN {
            Storage::InPlace
        } else {
            Storage::Boxed
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        ptr::eq(self.held, &raw const EMPTY)
    }

    /// Puts the future into the slot and, given a context, polls it once. If it is ready, it is dropped and the slot is empty again; if it is pending it stays. If it panics, in its
    /// poll or drop or in turning its output into an outcome, the slot is to be [cleared](Self::clear).
    #[inline]
    pub(crate) fn start<F>(self: Pin<&mut Self>, future: F, cx: Option<&mut Context<'_>>) -> Step
    where
        F: Future<Output: IntoOutcome> + Send + 'static,
    {
        match Self::storage_of::<F>() {
            Storage::InPlace => self.start_in_place(future, cx),
            Storage::Boxed => self.start_in_place(Box::pin(future), cx),
        }
    }

    /// `Send + 'static`, since the buffer by itself says neither of what is in it.
    #[inline]
    fn start_in_place<F>(self: Pin<&mut Self>, future: F, cx: Option<&mut Context<'_>>) -> Step
    where
        F: Future<Output: IntoOutcome> + Send + 'static,
    {
        assert!(self.is_empty(), "a slot holds one future at a time");
        assert!(matches!(Self::storage_of::<F>(), Storage::InPlace));
        // SAFETY: the future in the buffer, which is what is pinned, is not moved: it is written here, and dropped where it is.
        let slot = unsafe { self.get_unchecked_mut() };
        let place = slot.place().cast::<F>();
        // SAFETY: the buffer is large and aligned enough for an `F`, by the assertion, and holds nothing, by the one before.
        unsafe { place.write(future) };
        slot.held = const { &Held::of::<F>() };
        let Some(cx) = cx else {
            return Step::Pending;
        };
        // SAFETY: written just now; it stays where it is until it is dropped, as the slot is pinned and its drop clears it; `slot.held` is all else that is
        // touched while this reference lives.
        let future = unsafe { Pin::new_unchecked(&mut *place) };
        let Poll::Ready(output) = future.poll(cx) else {
            return Step::Pending;
        };
        match output.into_outcome().into() {
            step @ Step::Not(_) => slot.end_of_failed(step),
            step => {
                // Taken out first, as in `drop_held`, whose jump is spared here: the type is known.
                slot.held = &EMPTY;
                // SAFETY: the future is alive, was written above and is not used again, as the slot is empty by now.
                unsafe { place.drop_in_place() };
                step
            }
        }
    }

    /// Polls the future in the slot; as [`start`](Self::start) does.
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Step {
        // SAFETY: the future in the buffer is not moved.
        let slot = unsafe { self.get_unchecked_mut() };
        // SAFETY: `held` was made for the future that is in the buffer, which is pinned with the slot, and borrowed by nobody while the slot is.
        let polled = unsafe { (slot.held.poll)(slot.place(), cx) };
        match polled {
            Poll::Pending => Step::Pending,
            Poll::Ready(step @ Step::Not(_)) => slot.end_of_failed(step),
            Poll::Ready(step) => {
                slot.drop_held();
                step
            }
        }
    }

    /// Drops the future in the slot, if there is one. Its drop may panic: the slot is empty then too.
    pub(crate) fn clear(self: Pin<&mut Self>) {
        // SAFETY: the future in the buffer is dropped where it is.
        unsafe { self.get_unchecked_mut() }.drop_held();
    }

    fn place(&mut self) -> *mut u8 {
        self.buffer.0.get().cast()
    }

    #[inline]
    fn drop_held(&mut self) {
        let held = self.held;
        // Taken out first: if the drop panics, nothing is dropped a second time.
        if !cfg!(fanfare_plant = "slot-dropped-first") {
            self.held = &EMPTY;
        }
        // SAFETY: `held` was made for what is in the buffer. It is not used again, as the slot is empty by now.
        unsafe { (held.drop)(self.place()) };
        self.held = &EMPTY;
    }

    /// A failure carries values of the user, whose drop may panic too: not while a panic of the future's drop unwinds.
    #[cold]
    fn end_of_failed(&mut self, step: Step) -> Step {
        match catch(|| self.drop_held()) {
            Ok(()) => step,
            Err(message) => {
                let _ = catch(|| drop(step));
                Step::panicked(message)
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.is_empty() {
            self.drop_held();
        }
    }
}
