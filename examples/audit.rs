//! Audit: who switched what, as JSON lines, with the customers' names left out.

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use fanfare::layer::{Change, Decision, FailurePolicy};
use fanfare::observe::audit::{AuditLog, AuditRecord};
use fanfare::{Bus, acting_as, while_acting_as};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Order {
    total: u64,
}

#[derive(Clone)]
struct Refund;

/// Listeners of one customer have keys as `customer-4711`: the log is to know that there is one, and not which. What a shutdown has left names them too.
fn without_customers(record: &mut AuditRecord) {
    let AuditRecord {
        key, before, after, ..
    } = record;
    for text in [key, before, after].into_iter().flatten() {
        *text = withheld(text);
    }
}

/// The text without the numbers of customers.
fn withheld(text: &str) -> String {
    let mut parts = text.split("customer-");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        clean.push_str("customer-(withheld)");
        clean.push_str(rest);
    }
    clean
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Whoever makes a change only sends: what is slow about shipping is done elsewhere.
    let (ship, shipped) = mpsc::channel();
    let log = AuditLog::builder()
        .keep(100)
        .keep_for(24 * 60 * 60 * SECOND)
        .lifecycle()
        .redact(without_customers)
        .on_record(move |record| drop(ship.send(record.clone())))
        .build();
    let bus = Bus::builder().name("shop").audit(&log).build();

    let billing = bus.listen::<Order>().key("billing").timeout(SECOND);
    let billing = billing.on(async |order| assert!(order.total > 0))?;
    let gives_up = FailurePolicy::new().otherwise(Decision::Disable);
    let customer = bus.listen::<Order>().key("customer-4711");
    let customer = customer.failure_policy(gives_up);
    customer.on(async |_| Err::<(), _>("no such address"))?;
    let slow = bus.listen::<Refund>().key("customer-4712");
    slow.on(async |_| std::future::pending::<()>().await)?;

    acting_as("alice", || {
        billing.disable();
        billing.change(Change::new().timeout(5 * SECOND))
    })?;
    acting_as("bob", || billing.enable());
    let report = bus.emit(Order { total: 120 }).await;
    assert_eq!((report.delivered(), report.failed()), (1, 1));
    // A call is left running, and what the shutdown says of it names the listener.
    bus.emit_detached(Refund)?;
    let left = while_acting_as("deploy 7", bus.shutdown(SECOND / 10)).await;
    assert!(left.to_string().contains("customer-4712"), "{left}");

    for record in shipped.try_iter() {
        let line = serde_json::to_string(&record)?;
        assert!(!line.contains("-471"), "{line}");
        println!("{line}");
    }
    for record in log.records() {
        eprintln!("{record}");
    }
    Ok(())
}
