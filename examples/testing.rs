//! Testing a listener: it is a function of its state and an event, and an emission says what it did.
//!
//! `cargo test --example testing` runs the tests below.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{BoxError, RegisterError, Signal, Subscription};

#[derive(Clone, Debug)]
struct PaymentTaken {
    account: &'static str,
    cents: u64,
}

/// What the listener works on.
#[derive(Default)]
struct Ledger {
    balances: Mutex<HashMap<&'static str, u64>>,
}

impl Ledger {
    fn balance(&self, account: &str) -> u64 {
        let balances = self.balances.lock().expect("booking does not panic");
        balances.get(account).copied().unwrap_or(0)
    }
}

/// The listener: an async function that can be called, and tested, without a bus.
async fn book(ledger: Arc<Ledger>, payment: PaymentTaken) -> Result<(), BoxError> {
    if payment.cents == 0 {
        return Err("a payment of nothing".into());
    }
    // The bank answers after a while.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut balances = ledger.balances.lock().expect("booking does not panic");
    *balances.entry(payment.account).or_default() += payment.cents;
    Ok(())
}

/// Registers it: what the service does at its start, and each test too.
fn register(
    payments: &Signal<PaymentTaken>,
    ledger: &Arc<Ledger>,
) -> Result<Subscription, RegisterError> {
    let ledger = Arc::clone(ledger);
    payments
        .listen()
        .key("book")
        .try_on(async move |payment| book(ledger, payment).await)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), RegisterError> {
    let (payments, ledger) = (Signal::new(), Arc::new(Ledger::default()));
    register(&payments, &ledger)?;
    let report = payments
        .emit(PaymentTaken {
            account: "rent",
            cents: 70_000,
        })
        .await;
    println!("{report}; the balance is {}", ledger.balance("rent"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use fanfare::Outcome;

    use super::*;

    fn payment(cents: u64) -> PaymentTaken {
        PaymentTaken {
            account: "rent",
            cents,
        }
    }

    /// The function by itself, on a paused clock: two seconds pass in no time.
    #[tokio::test(start_paused = true)]
    async fn a_payment_is_booked() {
        let ledger = Arc::new(Ledger::default());
        book(Arc::clone(&ledger), payment(100)).await.unwrap();
        assert_eq!(ledger.balance("rent"), 100);
    }

    /// Through a signal: the report says what the listener did.
    #[tokio::test(start_paused = true)]
    async fn a_payment_of_nothing_is_a_failure_with_a_reason() {
        let (payments, ledger) = (Signal::new(), Arc::new(Ledger::default()));
        register(&payments, &ledger).unwrap();
        let report = payments.emit(payment(0)).await;
        let failure = report.failures().next().unwrap();
        assert_eq!(failure.key(), Some("book"));
        assert_eq!(failure.cause().to_string(), "failed: a payment of nothing");
        assert_eq!(ledger.balance("rent"), 0);
    }

    /// What a deadline does to it: nothing is booked by half.
    #[tokio::test(start_paused = true)]
    async fn a_slow_bank_times_out_and_books_nothing() {
        let (payments, ledger) = (Signal::new(), Arc::new(Ledger::default()));
        let booked = register(&payments, &ledger).unwrap();
        let report = payments
            .emit(payment(100))
            .timeout(Duration::from_secs(1))
            .await;
        assert_eq!(report.count(Outcome::TimedOut), 1);
        assert_eq!(ledger.balance("rent"), 0);
        assert_eq!(booked.metadata().running(), 0);
    }

    /// Many at once: the sum is exact.
    #[tokio::test(start_paused = true)]
    async fn concurrent_payments_add_up() {
        let (payments, ledger) = (Signal::new(), Arc::new(Ledger::default()));
        register(&payments, &ledger).unwrap();
        let emissions = (1..=100).map(|cents| payments.emit(payment(cents)));
        for report in futures::future::join_all(emissions).await {
            assert!(report.is_ok(), "{report}");
        }
        assert_eq!(ledger.balance("rent"), 5_050);
    }
}
