//! The chain of calls.

use std::cell::RefCell;
use std::iter;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Lease;
use crate::key::Identity;

/// One call of a listener, and the call that it came from.
pub(crate) struct CallContext {
    pub(crate) listener: Arc<Identity>,
    /// The permit that the listener runs on, if its signal has a pool.
    pub(crate) lease: Option<Arc<Lease>>,
    pub(crate) parent: Option<Arc<CallContext>>,
    /// 1 for a listener of an emission that no listener made.
    pub(crate) depth: usize,
}

impl CallContext {
    /// This call and those around it, innermost first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |call| call.parent.as_deref())
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<CallContext>>> = const { RefCell::new(None) };
}

/// The call that this code runs in, if a listener is being polled on this thread.
pub(crate) fn current() -> Option<Arc<CallContext>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Makes `call` the current one until the guard is dropped.
pub(crate) fn enter(call: Arc<CallContext>) -> Entered {
    Entered {
        outer: CURRENT.replace(Some(call)),
        _not_send: PhantomData,
    }
}

/// While it lives, a call is the current one of this thread.
pub(crate) struct Entered {
    outer: Option<Arc<CallContext>>,
    _not_send: PhantomData<*const ()>,
}

impl Entered {
    /// Drops the guard and gives the call back, which saves who goes on with it a reference of its own.
    pub(crate) fn leave(mut self) -> Arc<CallContext> {
        let call = CURRENT.replace(self.outer.take());
        std::mem::forget(self);
        call.expect("guards are dropped innermost first, so the call is the current one")
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
    }
}
