//! The delivery that code runs for: what an emission that is made there inherits from.

use std::sync::Arc;

use crate::event::Envelope;

scoped_tls_hkt::scoped_thread_local!(static CAUSE: for<'a> &'a Arc<Envelope>);

/// A checker's threads take turns on one thread, in the middle of `code` too: there nothing is inherited.
const MODELLED: bool = cfg!(any(fanfare_loom, fanfare_shuttle));

/// Runs `code` for a delivery of this emission.
pub(crate) fn because_of<R>(envelope: &Arc<Envelope>, code: impl FnOnce() -> R) -> R {
    if MODELLED {
        return code();
    }
    CAUSE.set(envelope, code)
}

/// The emission whose delivery this code runs for, if it runs for one.
pub(crate) fn cause() -> Option<Arc<Envelope>> {
    (!MODELLED && CAUSE.is_set()).then(|| CAUSE.with(Arc::clone))
}
