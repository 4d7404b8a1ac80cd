//! A shop whose events follow from events, and an operator who switches its listeners while it works.
//!
//! An order leads to a payment, a payment to a parcel, and a payment that has failed for good to a reminder. Meanwhile the warehouse closes: its listener is paused, holds its parcels, and
//! has them delivered when it opens again. The card terminal gets slow, and its timeout and retry are changed. Every switch and change is told to an observer. At the end each order is a parcel
//! or a reminder, or the example ends with an error.
//!
//! `cargo run --example shop`

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare::layer::{Change, Fallback, Retry};
use fanfare::{BoxError, Bus, Cause, One, Outcome, Pause};

const ORDERS: u64 = 300;

#[derive(Clone)]
struct OrderPlaced {
    id: u64,
}

#[derive(Clone)]
struct Paid {
    order: u64,
}

/// A payment has failed for good.
#[derive(Clone)]
struct Unpaid {
    order: u64,
    why: String,
}

/// The terminal declines a card: whoever tries again is declined again.
#[derive(Debug)]
struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the terminal is busy")
    }
}

impl Error for Busy {}

/// The card terminal: every seventh order takes two attempts, every fiftieth is never paid.
struct Terminal {
    attempts: AtomicU64,
}

impl Terminal {
    async fn charge(&self, order: u64, attempt: u32) -> Result<(), BoxError> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
        match order {
            order if order % 50 == 0 => Err("card declined".into()),
            order if order % 7 == 0 && attempt == 1 => Err(Busy.into()),
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct Counts {
    parcels: AtomicU64,
    reminders: AtomicU64,
}

fn open(terminal: &Arc<Terminal>, counts: &Arc<Counts>) -> Result<Bus, Box<dyn Error>> {
    let bus = Bus::builder()
        .on_change(|change| println!("  changed: {change}"))
        .build();
    let unpaid = Fallback::event(|order: &OrderPlaced, cause: &Cause| {
        One(Unpaid {
            order: order.id,
            why: cause.to_string(),
        })
    });
    let charges = Arc::clone(terminal);
    // What it returns is emitted when it has succeeded, once, whatever attempts that took.
    bus.listen::<OrderPlaced>()
        .key("terminal")
        .timeout(Duration::from_secs(1))
        .retry(Retry::constant(Duration::from_millis(2)).max_attempts(3))
        .fallback(unpaid)
        .with_delivery()
        .try_follow(async move |order, delivery| {
            charges.charge(order.id, delivery.attempt()).await?;
            Ok(One(Paid { order: order.id }))
        })?;

    let packed = Arc::clone(counts);
    bus.listen::<Paid>().key("warehouse").with_delivery().on(
        async move |paid: Paid, delivery| {
            // A parcel knows the order that it belongs to, two events back.
            assert_eq!(
                delivery.correlation_id(),
                Some(&*format!("order-{}", paid.order))
            );
            packed.parcels.fetch_add(1, Ordering::Relaxed);
        },
    )?;

    let reminded = Arc::clone(counts);
    bus.on(async move |unpaid: Unpaid| {
        if unpaid.order == 50 {
            println!("  order {} is not paid: {}", unpaid.order, unpaid.why);
        }
        reminded.reminders.fetch_add(1, Ordering::Relaxed);
    });
    Ok(bus)
}

/// Takes orders as a transaction does: they are emitted when it is committed, and not at all if it is rolled back.
async fn take_orders(
    bus: &Bus,
    ids: std::ops::Range<u64>,
    committed: bool,
) -> Result<usize, BoxError> {
    let work = bus.try_defer(async move |scope| {
        for id in ids {
            scope.push(OrderPlaced { id });
        }
        if committed {
            Ok(())
        } else {
            Err("rolled back".into())
        }
    });
    let emitted = work.await?;
    Ok(emitted
        .reports()
        .iter()
        .map(|report| report.count(Outcome::Done))
        .sum())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let terminal = Arc::new(Terminal {
        attempts: AtomicU64::new(0),
    });
    let counts = Arc::new(Counts::default());
    let bus = open(&terminal, &counts)?;
    let parcels = || counts.parcels.load(Ordering::Relaxed);

    println!("orders come in, each in its own emission");
    for id in 1..=ORDERS / 3 {
        let report = bus
            .emit(OrderPlaced { id })
            .correlation_id(format!("order-{id}"))
            .await;
        report.into_result()?;
    }
    println!("  {} parcels", parcels());

    println!("the warehouse closes: its parcels wait");
    bus.signal::<Paid>()
        .pause("warehouse", Pause::until_resumed().buffer(1_000))?;
    let before = parcels();
    for id in ORDERS / 3 + 1..=ORDERS * 2 / 3 {
        let report = bus
            .emit(OrderPlaced { id })
            .correlation_id(format!("order-{id}"))
            .await;
        report.into_result()?;
    }
    let held = bus
        .signal::<Paid>()
        .metadata("warehouse")
        .map_or(0, |warehouse| warehouse.held());
    println!("  {} parcels packed, {held} waiting", parcels() - before);

    println!("the terminal gets slow: more time and attempts for each order");
    bus.signal::<OrderPlaced>().change(
        "terminal",
        Change::new()
            .timeout(Duration::from_secs(5))
            .retry(Retry::constant(Duration::from_millis(1)).max_attempts(5)),
    )?;
    bus.signal::<Paid>().resume("warehouse")?;
    for id in ORDERS * 2 / 3 + 1..=ORDERS {
        let report = bus
            .emit(OrderPlaced { id })
            .correlation_id(format!("order-{id}"))
            .await;
        report.into_result()?;
    }

    println!("a transaction that is rolled back emits nothing");
    let rolled_back = take_orders(&bus, ORDERS + 1..ORDERS + 10, false).await;
    println!("  {}", rolled_back.expect_err("it is rolled back"));

    let left = bus.shutdown(Duration::from_secs(10)).await;
    let reminders = counts.reminders.load(Ordering::Relaxed);
    println!(
        "{} orders: {} parcels, {reminders} reminders; {left}",
        ORDERS,
        parcels()
    );
    if parcels() + reminders != ORDERS || !left.is_clean() {
        return Err("an order is neither a parcel nor a reminder".into());
    }
    Ok(())
}
