//! Gradual rollout: a new price list from 1% of the customers to all of them, while orders come in.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use fanfare::{Rollout, Signal};

const CUSTOMERS: u64 = 10_000;
/// Orders of each of the two emitters in each step.
const ORDERS: u64 = 5_000;
const STEPS: [f64; 6] = [0.01, 0.05, 0.10, 0.25, 0.50, 1.0];

#[derive(Clone)]
struct OrderPlaced {
    id: usize,
    customer: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Prices {
    Old,
    New,
}

/// What the listeners have done, order by order and customer by customer.
struct Books {
    /// How often each order was priced.
    priced: Vec<AtomicU8>,
    /// By which list each customer was priced last.
    list: Vec<AtomicU8>,
}

impl Books {
    fn new() -> Arc<Self> {
        let orders = STEPS.len() as u64 * (2 * ORDERS + CUSTOMERS);
        Arc::new(Self {
            priced: (0..orders).map(|_| AtomicU8::new(0)).collect(),
            list: (0..CUSTOMERS).map(|_| AtomicU8::new(0)).collect(),
        })
    }

    fn price(&self, order: &OrderPlaced, prices: Prices) {
        self.priced[order.id].fetch_add(1, Ordering::Relaxed);
        self.list[place(order.customer)].store(prices as u8, Ordering::Relaxed);
    }

    /// Those who have the new prices.
    fn on_new(&self) -> Vec<bool> {
        let new = |list: &AtomicU8| list.load(Ordering::Relaxed) == Prices::New as u8;
        self.list.iter().map(new).collect()
    }

    /// The first of so many orders that was not priced just once.
    fn first_wrong(&self, orders: usize) -> Option<usize> {
        let mut priced = self.priced[..orders].iter();
        priced.position(|times| times.load(Ordering::Relaxed) != 1)
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).expect("there are not so many")
}

fn count(customers: impl Iterator<Item = bool>) -> usize {
    customers.filter(|is| *is).count()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let orders = Signal::<OrderPlaced>::builder()
        .name("orders")
        .on_change(|change| println!("  {change}"))
        .build();
    let books = Books::new();

    // Both sides are there before the first customer is: the rollout begins at zero.
    let pricing = Rollout::by_key(0.0, |order: &OrderPlaced| order.customer.to_be_bytes());
    let pricing = pricing.salt("new-pricing");
    for (key, prices, side) in [
        ("pricing-v1", Prices::Old, pricing.rest()),
        ("pricing-v2", Prices::New, pricing.clone()),
    ] {
        let books = Arc::clone(&books);
        let listener = async move |order: OrderPlaced| {
            // The other emitter, and whoever sets the fraction, have time to come between.
            tokio::task::yield_now().await;
            books.price(&order, prices);
        };
        orders.listen().key(key).rollout(&side).on(listener)?;
    }

    let mut next = 0;
    let mut before = books.on_new();
    let mut table = Vec::new();
    for fraction in STEPS {
        // Orders come in while the fraction is changed.
        let emitters = [next, next + place(ORDERS)].map(|first| {
            let orders = orders.clone();
            tokio::spawn(async move {
                for n in 0..ORDERS {
                    let (id, customer) = (first + place(n), n * 7_919 % CUSTOMERS);
                    let _ = orders.emit(OrderPlaced { id, customer }).await;
                }
            })
        });
        tokio::task::yield_now().await;
        pricing.set(fraction)?;
        for emitter in emitters {
            emitter.await?;
        }
        next += 2 * place(ORDERS);

        // Then every customer orders once, to see who is where.
        for customer in 0..CUSTOMERS {
            let _ = orders.emit(OrderPlaced { id: next, customer }).await;
            next += 1;
        }
        let after = books.on_new();
        let moved = |from| {
            before
                .iter()
                .zip(&after)
                .map(move |(b, a)| (*b, *a) == (from, !from))
        };
        let (to_new, back) = (count(moved(false)), count(moved(true)));
        let on_new = count(after.iter().copied());
        table.push(format!(
            "{:>8} {:>8} {:>8} {:>12} {:>10}",
            format!("{}%", fraction * 100.0),
            on_new,
            after.len() - on_new,
            to_new,
            back
        ));

        if back != 0 {
            return Err(format!("{back} customers went back to the old prices").into());
        }
        if let Some(order) = books.first_wrong(next) {
            return Err(format!("order {order} was not priced just once").into());
        }
        let share = f64::from(u32::try_from(on_new)?) / f64::from(u32::try_from(CUSTOMERS)?);
        if (share - fraction).abs() > 0.01 {
            return Err(format!("{share} of the customers instead of {fraction}").into());
        }
        before = after;
    }

    println!("\nfraction      new      old  moved to new  moved back");
    for row in &table {
        println!("{row}");
    }
    println!("\nOK: each of {next} orders was priced just once, and nobody went back");
    Ok(())
}
