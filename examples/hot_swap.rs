//! Keys and hot swap: replacing a listener while emissions run, with none that sees both or neither.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare::{RegisterError, Signal};

#[derive(Clone)]
struct PriceAsked {
    net: u64,
}

#[derive(Default)]
struct Answers {
    old: AtomicU64,
    new: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), RegisterError> {
    let asked = Signal::<PriceAsked>::builder().name("price asked").build();
    let answers = Arc::new(Answers::default());

    let counter = Arc::clone(&answers);
    let old = asked.listen().key("vat").on(async move |price| {
        assert_eq!(price.net * 120 / 100, 120);
        counter.old.fetch_add(1, Ordering::Relaxed);
    })?;

    // A key is unique. The refusal says who has it.
    let refused = asked
        .listen()
        .key("vat")
        .on(async |_| {})
        .expect_err("the key is taken");
    println!("refused: {refused}");

    // Two emitters that never pause.
    let emitters: Vec<_> = (0..2)
        .map(|_| {
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut exactly_one = true;
                for _ in 0..10_000 {
                    let report = asked.emit(PriceAsked { net: 100 }).await;
                    exactly_one &= report.delivered() == 1 && report.listeners() == 1;
                    tokio::task::yield_now().await;
                }
                exactly_one
            })
        })
        .collect();

    tokio::time::sleep(Duration::from_millis(2)).await;
    let counter = Arc::clone(&answers);
    asked.listen().key("vat").replace().on(async move |price| {
        assert_eq!(price.net * 125 / 100, 125);
        counter.new.fetch_add(1, Ordering::Relaxed);
    })?;

    // The old one is gone when this returns: what it used can be freed.
    old.removed().await;
    let before = answers.old.load(Ordering::Relaxed);

    for emitter in emitters {
        assert!(emitter.await.expect("the emitter does not panic"));
    }
    let (old_calls, new_calls) = (
        answers.old.load(Ordering::Relaxed),
        answers.new.load(Ordering::Relaxed),
    );
    assert_eq!(old_calls, before);
    assert_eq!(old_calls + new_calls, 20_000);
    println!("every emission called one of the two, none called both");
    println!("keys: {:?}", asked.keys());

    // A handle of the past does not touch the listener of today.
    assert!(!old.remove());
    assert!(asked.contains_key("vat"));
    Ok(())
}
