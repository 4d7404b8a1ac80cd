//! Batches: rows for a database that is slow to reach, one bad row that fails alone, and a listener that comes late.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters, RateLimit};
use fanfare::{Batches, Signal};

const ROWS: u64 = 1_000;
const BATCH: usize = 100;
const KEPT: usize = 10;
/// What one trip to the database takes, however many rows it carries.
const TRIP: Duration = Duration::from_millis(5);

#[derive(Clone)]
struct Row {
    id: u64,
    amount: i64,
}

/// A table that takes no row with a negative amount.
#[derive(Default)]
struct Table {
    rows: AtomicU64,
    trips: AtomicUsize,
}

impl Table {
    /// Inserts all rows in one trip, and says of each what became of it.
    async fn insert(&self, rows: Vec<Row>) -> Vec<Result<(), String>> {
        tokio::time::sleep(TRIP).await;
        self.trips.fetch_add(1, Ordering::Relaxed);
        let insert = |row: &Row| {
            if row.amount < 0 {
                return Err(format!("row {} has the amount {}", row.id, row.amount));
            }
            self.rows.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        rows.iter().map(insert).collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let limit = RateLimit::per_second(1_000_000);
    let handle = limit.handle();
    let rows = Signal::<Row>::builder()
        .name("rows")
        .replay(KEPT)
        .emission_limit(limit)
        .build();

    let (table, letters) = (Arc::new(Table::default()), DeadLetters::new(100));
    let database = Arc::clone(&table);
    rows.listen()
        .key("insert")
        .dead_letter(DeadLetter::keep(&letters))
        .on_batch(
            Batches::of(BATCH).within(Duration::from_millis(20)),
            async move |rows: Vec<Row>| database.insert(rows).await,
        )?;

    // An emission that is awaited has the outcome of its own row.
    let row = |id, amount| rows.emit(Row { id, amount });
    let (good, bad, other) = tokio::join!(row(0, 5), row(1, -5), row(2, 5));
    let failure = bad.failures().next().map(ToString::to_string);
    println!(
        "three rows in one trip: {good}; {}; {other}",
        failure.ok_or("the bad row was taken")?
    );

    // The others go through the buffer, and nobody waits for them.
    for id in 3..ROWS {
        rows.enqueue(Row { id, amount: 5 }).await?;
    }

    // A listener that comes late begins with what the signal has kept.
    let late = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&late);
    rows.listen().key("late").replay().on_sync(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
    })?;

    let left = rows.shutdown(Duration::from_secs(10)).await;
    if !left.is_clean() {
        return Err(left.to_string().into());
    }
    let (trips, inserted) = (
        table.trips.load(Ordering::Relaxed),
        table.rows.load(Ordering::Relaxed),
    );
    println!(
        "{inserted} rows are in the table, {} row is a dead letter",
        letters.len()
    );
    println!("{trips} trips; one by one it would have been {ROWS}");
    println!("{} emissions passed the limit", handle.passed());
    let late = late.load(Ordering::Relaxed);
    println!("the late listener saw {late} rows, the last {KEPT} of before among them");
    if (inserted, letters.len(), handle.passed()) != (ROWS - 1, 1, ROWS) || late < KEPT {
        return Err("a row was lost".into());
    }
    println!("\nOK: one bad row failed alone, and no row was lost");
    Ok(())
}
