//! The right of one listener to run.

use super::Pool;
use crate::sync::OwnedSemaphorePermit;

/// The right of one listener to run; dropping it gives it back.
pub(crate) struct Permit {
    pool: Pool,
    permit: Option<OwnedSemaphorePermit>,
}

impl Permit {
    pub(super) fn new(pool: Pool, permit: OwnedSemaphorePermit) -> Self {
        pool.0.load.take();
        Self {
            pool,
            permit: Some(permit),
        }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.pool.0.load.give();
        if let Some(permit) = self.permit.take() {
            if self.pool.0.limit.pay_debt() || cfg!(fanfare_plant = "permit-lost") {
                permit.forget();
            }
        }
    }
}
