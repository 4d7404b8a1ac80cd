//! The smaller examples, as a person runs them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "support/example.rs"]
mod example;

#[test]
fn a_rollout_moves_customers_one_way_and_prices_every_order_once() {
    let output = example::run("rollout", &[]);
    let printed = example::stdout(&output);
    assert!(
        output.status.success(),
        "{printed}{}",
        example::stderr(&output)
    );
    assert!(
        printed.contains("priced just once, and nobody went back"),
        "{printed}"
    );
    let steps = ["1%", "5%", "10%", "25%", "50%", "100%"];
    for step in steps {
        let told = format!("-> {step}\n");
        assert!(printed.contains(&told), "{step}\n{printed}");
        let row = printed
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{step} ")));
        assert!(
            row.is_some_and(|row| row.ends_with(" 0")),
            "{step}\n{printed}"
        );
    }
}

#[test]
fn every_order_is_a_parcel_or_a_reminder_and_every_change_is_told() {
    let output = example::run("shop", &[]);
    let printed = example::stdout(&output);
    assert!(
        output.status.success(),
        "{printed}{}",
        example::stderr(&output)
    );
    let lines = [
        "300 orders: 294 parcels, 6 reminders; nothing was left",
        "0 parcels packed, 98 waiting",
        "calls: enabled -> paused, holding up to 1,000",
        "retry: 3 attempts, every 2ms -> 5 attempts, every 1ms",
        "timeout: 1s -> 5s",
        "order 50 is not paid: failed: card declined",
    ];
    for line in lines {
        assert_eq!(printed.matches(line).count(), 1, "{line}\n{printed}");
    }
}

#[test]
fn a_bad_row_fails_alone_in_its_batch_and_none_is_lost() {
    let output = example::run("batches", &[]);
    let printed = example::stdout(&output);
    assert!(
        output.status.success(),
        "{printed}{}",
        example::stderr(&output)
    );
    let lines = [
        "three rows in one trip: 1 done; `insert` failed: row 1 has the amount -5; 1 done\n",
        "999 rows are in the table, 1 row is a dead letter\n",
        "1000 emissions passed the limit\n",
        "OK: one bad row failed alone, and no row was lost\n",
    ];
    for line in lines {
        assert_eq!(printed.matches(line).count(), 1, "{line}\n{printed}");
    }
    let trips = printed.lines().find_map(|line| line.split_once(" trips"));
    let trips: u32 = trips.unwrap().0.parse().unwrap();
    assert!((11..1_000).contains(&trips), "{printed}");
}
