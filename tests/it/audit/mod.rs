//! The audit log: what is recorded, who is named, and how long it is kept.

mod actor;
mod records;
mod retention;

use std::sync::Arc;

use fanfare::observe::audit::{AuditLog, AuditRecord};

/// What each record says, without its time.
fn lines(records: &[Arc<AuditRecord>]) -> Vec<String> {
    let line = |record: &Arc<AuditRecord>| {
        let text = record.to_string();
        let mut words = text.splitn(3, ' ');
        let (number, _, rest) = (words.next(), words.next(), words.next());
        format!("{} {}", number.unwrap(), rest.unwrap())
    };
    records.iter().map(line).collect()
}

fn all(log: &AuditLog) -> Vec<String> {
    lines(&log.records())
}
