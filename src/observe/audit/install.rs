//! Where a log is written to from.

use super::AuditLog;
use crate::bus::BusBuilder;
use crate::event::Event;
use crate::signal::SignalBuilder;

/// # Audit
///
/// Feature `metrics`.
impl BusBuilder {
    /// Writes what is changed at run time in the bus and its signals to an audit log, and shutdowns; with [`lifecycle`](super::AuditLogBuilder::lifecycle) the listeners that come and go too. Default:
    /// none.
    pub fn audit(mut self, log: &AuditLog) -> Self {
        log.install(self.options());
        self
    }
}

/// # Audit
///
/// Feature `metrics`.
impl<E: Event> SignalBuilder<E> {
    /// Writes what is changed at run time in the signal to an audit log as well as to that of its bus; if both are the same log, once. Default: to that of its bus. See [`BusBuilder::audit`].
    pub fn audit(mut self, log: &AuditLog) -> Self {
        log.install(self.options());
        self
    }
}
