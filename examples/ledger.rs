//! A bank's ledger: bookings of many accounts, each account in order, over a database that fails now and then.
//!
//! What a booking does depends on what came before it: interest on the balance of the day, a withdrawal that is refused if there is too little. So the balances prove the order. They are
//! compared with those of a plain loop over the same bookings; the example ends with an error if one differs, and shows what becomes of them without `keyed_by`.
//!
//! `cargo run --release --example ledger [BOOKINGS] [ACCOUNTS] [SEED]`

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fanfare::layer::Retry;
use fanfare::{Outcome, Signal, SignalBuilder};

/// One attempt in so many fails: the database is busy.
const BUSY: u32 = 50;
const LANES: usize = 32;

/// An event: one line of an account's statement.
#[derive(Clone, Copy)]
struct Booking {
    account: usize,
    what: What,
    /// How many attempts the database refuses.
    refusals: u32,
}

#[derive(Clone, Copy)]
enum What {
    Deposit(i64),
    /// Refused if there is less.
    Withdrawal(i64),
    /// In tenths of a percent.
    Interest(i64),
}

impl What {
    fn of(self, balance: i64) -> i64 {
        match self {
            Self::Deposit(cents) => balance + cents,
            Self::Withdrawal(cents) if cents > balance => balance,
            Self::Withdrawal(cents) => balance - cents,
            Self::Interest(tenths) => balance + balance * tenths / 1_000,
        }
    }
}

/// What the database says that is busy.
#[derive(Debug)]
struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database is busy")
    }
}

impl Error for Busy {}

/// The database: a balance for each account, and how often it was asked.
struct Database {
    balances: Vec<Mutex<i64>>,
    attempts: AtomicU64,
}

impl Database {
    fn new(accounts: usize) -> Arc<Self> {
        Arc::new(Self {
            balances: (0..accounts).map(|_| Mutex::new(0)).collect(),
            attempts: AtomicU64::new(0),
        })
    }

    /// Reads the balance, thinks, and writes it: what goes wrong if two bookings of an account do so at once, or in the wrong order, shows in the balance.
    async fn book(&self, booking: Booking, attempt: u32) -> Result<(), Busy> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let before = self.balance(booking.account);
        tokio::task::yield_now().await;
        if attempt <= booking.refusals {
            return Err(Busy);
        }
        let balance = self.balances[booking.account].lock();
        *balance.expect("nobody panics") = booking.what.of(before);
        Ok(())
    }

    fn balance(&self, account: usize) -> i64 {
        *self.balances[account].lock().expect("nobody panics")
    }
}

/// What came of one run.
struct Run {
    name: &'static str,
    attempts: u64,
    wrong: usize,
    took: Duration,
}

/// Books everything through a signal, and compares the balances with those that are right.
async fn run(
    name: &'static str,
    signal: SignalBuilder<Booking>,
    bookings: &[Booking],
    right: &[i64],
) -> Result<Run, Box<dyn Error>> {
    let database = Database::new(right.len());
    let signal: Signal<Booking> = signal.buffer(16_384).build();
    let books = Arc::clone(&database);
    signal
        .listen()
        .key("ledger")
        // The account's next booking waits while this one does; those of other accounts do not.
        .retry(Retry::constant(Duration::from_millis(1)).max_attempts(10))
        .with_delivery()
        .try_on(async move |booking, delivery| {
            books.book(booking, delivery.attempt()).await?;
            Ok(())
        })?;

    let began = Instant::now();
    for booking in bookings {
        signal.enqueue(*booking).await?;
    }
    let left = signal.shutdown(Duration::from_secs(600)).await;
    if !left.is_clean() || signal.stats().count(Outcome::Done) != bookings.len() as u64 {
        return Err(format!("not every booking was made: {left}").into());
    }
    let wrong = |account: &usize| database.balance(*account) != right[*account];
    Ok(Run {
        name,
        attempts: database.attempts.load(Ordering::Relaxed),
        wrong: (0..right.len()).filter(wrong).count(),
        took: began.elapsed(),
    })
}

fn draw(bookings: usize, accounts: usize, seed: u64) -> Vec<Booking> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let one = |_| Booking {
        account: dice.usize(0..accounts),
        what: match dice.u32(0..10) {
            0 => What::Interest(dice.i64(1..30)),
            1..=4 => What::Withdrawal(dice.i64(1..50_000)),
            _ => What::Deposit(dice.i64(1..30_000)),
        },
        refusals: match dice.u32(0..BUSY) {
            0 => dice.u32(1..4),
            _ => 0,
        },
    };
    (0..bookings).map(one).collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [bookings, accounts, seed] = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("error: {why}\nusage: ledger [BOOKINGS, from 1] [ACCOUNTS, from 1] [SEED]");
            std::process::exit(2);
        }
    };
    let all = draw(bookings, accounts, seed as u64);
    let mut right = vec![0; accounts];
    for booking in &all {
        right[booking.account] = booking.what.of(right[booking.account]);
    }

    let keyed = Signal::builder()
        .keyed_by(|booking: &Booking| booking.account)
        .lanes(LANES);
    let keyed = run("keyed by account, 32 lanes", keyed, &all, &right).await?;
    let crowd = Signal::builder().enqueue_concurrency(LANES);
    let crowd = run("32 at once, in no order", crowd, &all, &right).await?;

    println!("{bookings} bookings of {accounts} accounts\n");
    println!("| {:<26} | attempts | balances that are wrong | took |", "");
    println!("|{}|---:|---:|---:|", "-".repeat(28));
    for run in [&keyed, &crowd] {
        let Run {
            name,
            attempts,
            wrong,
            took,
        } = run;
        println!(
            "| {name:<26} | {attempts} | {wrong} | {:.2} s |",
            took.as_secs_f64()
        );
    }
    if keyed.wrong > 0 {
        eprintln!("error: {} balances are wrong", keyed.wrong);
        std::process::exit(1);
    }
    println!("\nevery balance is what its bookings make of it, in their order");
    Ok(())
}

fn options() -> Result<[usize; 3], String> {
    let mut options = std::env::args().skip(1);
    let mut number = |name: &str, default: usize, least: usize| match options.next() {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(number) if number >= least => Ok(number),
            _ => Err(format!(
                "{name} is a number from {least}, and `{text}` is none"
            )),
        },
    };
    let all = [
        number("BOOKINGS", 50_000, 1)?,
        number("ACCOUNTS", 500, 1)?,
        number("SEED", 5, 0)?,
    ];
    match options.next() {
        None => Ok(all),
        Some(more) => Err(format!("`{more}` is one option too many")),
    }
}
