//! What a call fails with whose fallback has failed too.

use std::error::Error;
use std::fmt;

use crate::error::BoxError;

/// A call has failed for good, and so has its fallback.
#[derive(Debug)]
pub struct FallbackError {
    pub(super) call: BoxError,
    pub(super) fallback: BoxError,
}

impl FallbackError {
    /// Why the call failed. See [`Fallback`](crate::layer::Fallback).
    pub fn call(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.call
    }

    /// Why its fallback failed. See [`Fallback`](crate::layer::Fallback).
    pub fn fallback(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.fallback
    }
}

impl fmt::Display for FallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; and its fallback failed: {}",
            self.call, self.fallback
        )
    }
}

impl Error for FallbackError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.call.source()
    }
}
