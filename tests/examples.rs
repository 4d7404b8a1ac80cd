//! The smaller examples, as a person runs them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "support/example.rs"]
mod example;

#[test]
fn a_rollout_moves_customers_one_way_and_prices_every_order_once() {
    let printed = example::printed("rollout", &[]);
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
    let printed = example::printed("shop", &[]);
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
fn every_quake_comes_to_one_end_under_each_policy_and_who_is_ready_loses_none() {
    let printed = example::printed("backpressure", &[]);
    for (policy, delivered) in [
        ("Wait ", "1707"),
        ("Reject", "237"),
        ("DropOldest", "237"),
        ("DropNewest", "237"),
        ("ready, DropOldest", "1707"),
    ] {
        let row = printed.lines().find(|line| line.starts_with(policy));
        let row = row.unwrap_or_default().trim_start_matches(policy);
        let first = row.split_whitespace().next();
        assert_eq!(first, Some(delivered), "{policy}\n{printed}");
    }
    assert!(
        printed.contains("with priorities 0 of them were lost"),
        "{printed}"
    );
}

#[test]
fn every_shape_is_followed_in_the_simulator_and_a_bus_tells_of_its_pool() {
    let folder = std::env::temp_dir().join(format!("fanfare-scaling-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let printed = example::printed("scaling", &["--svg", folder.to_str().unwrap()]);
    for shape in ["step", "burst", "sawtooth", "diurnal", "slow-leak"] {
        let rows = printed.matches(&format!("| {shape} | ")).count();
        assert_eq!(rows, 2, "{shape}\n{printed}");
        let drawn = std::fs::read_to_string(folder.join(format!("scaling-{shape}.svg"))).unwrap();
        let committed = format!(
            "{}/book/src/figures/scaling-{shape}.svg",
            env!("CARGO_MANIFEST_DIR")
        );
        assert!(drawn.contains("size, conservative"), "{shape}");
        assert!(std::fs::exists(committed).unwrap(), "{shape}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let told = "pool `orders`: 4 -> 6 permits: the wait was above the target";
    assert!(printed.contains(told), "{printed}");
    assert!(
        printed.contains("permits: few permits were in use"),
        "{printed}"
    );
    assert!(printed.ends_with("shutdown was clean: true\n"), "{printed}");
}

#[test]
fn a_bad_row_fails_alone_in_its_batch_and_none_is_lost() {
    let printed = example::printed("batches", &[]);
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

#[test]
fn a_slow_reader_is_told_of_its_gap_and_the_cold_is_an_event_of_its_own() {
    let printed = example::printed("streams", &[]);
    let expected = [
        "frost in room 3",
        "first frost in room 2, a window closed in room 2",
        "slow: the stream lagged and missed 8 events",
        "slow: -3 degrees in room 0",
        "slow: -4 degrees in room 1",
        "slow: -5 degrees in room 2",
        "slow: -6 degrees in room 3",
        "coldest: -6 degrees",
        "nothing was left",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{printed}");
}

#[test]
fn every_line_of_the_log_is_json_and_says_which_order_it_is_about() {
    let printed = example::printed("json_logs", &[]);
    let mut said = Vec::new();
    for line in printed.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        let order = text(&line["span"]["correlation"]);
        said.push((order, text(&line["level"]), text(&line["message"])));
        if line["message"] == "a listener did not succeed" {
            assert_eq!(line["key"], "charge", "{line}");
            assert_eq!(line["cause"], "failed: nothing to charge", "{line}");
        }
    }
    said.sort();
    let line = |order: &str, level: &str, message: &str| {
        (order.to_owned(), level.to_owned(), message.to_owned())
    };
    let expected = [
        line("order-7", "DEBUG", "another attempt"),
        line("order-7", "INFO", "charged"),
        line("order-7", "INFO", "shipped"),
        line("order-8", "DEBUG", "another attempt"),
        line("order-8", "INFO", "shipped"),
        line("order-8", "WARN", "a listener did not succeed"),
    ];
    assert_eq!(said, expected);
}

#[cfg(feature = "otel")]
#[test]
fn a_collector_gets_a_tree_of_spans_and_the_metrics() {
    let printed = example::printed("otel", &[]);
    let mut at = 0;
    for line in [
        "order-8: ",
        "  emit otel::OrderPlaced \n",
        "    deliver charge \n      - another attempt\n",
        "    deliver pack \n      emit otel::ParcelPacked \n        deliver ship \n",
        "  emit otel::OrderPlaced 1 of 2 listeners did not succeed, the first: `charge` failed: nothing to charge\n",
        "    deliver charge failed: nothing to charge\n",
        "  fanfare.listener.calls {bus=shop, listener=charge, signal=otel::OrderPlaced} 2 \n",
        "  fanfare.listener.duration {bus=shop, listener=charge, quantile=max, signal=otel::OrderPlaced} ",
    ] {
        let found = printed[at..].find(line);
        let found = found.unwrap_or_else(|| panic!("{line} after {at} of\n{printed}"));
        at += found + line.len();
    }
}

#[cfg(feature = "prometheus")]
#[test]
fn prometheus_is_told_what_happened() {
    let printed = example::printed("prometheus", &[]);
    let expected = r#"# HELP fanfare_emissions_total Emissions that were begun, dead and cancelled ones included.
# TYPE fanfare_emissions_total counter
fanfare_emissions_total{bus="shop",signal="orders"} 20
# HELP fanfare_listener_errors_total How many calls of the listener returned an error.
# TYPE fanfare_listener_errors_total counter
fanfare_listener_errors_total{bus="shop",signal="orders",listener="invoice"} 0
fanfare_listener_errors_total{bus="shop",signal="orders",listener="mail"} 2
"#;
    assert_eq!(printed, expected);
}

#[cfg(all(feature = "metrics", feature = "serde"))]
#[test]
fn every_switch_is_a_line_of_json_and_no_customer_is_named() {
    let printed = example::printed("audit", &[]);
    let records: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told = records.iter().map(|record| {
        let word = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", word("actor"), word("what"), word("after"))
    });
    let expected = [
        "- registered -",
        "- registered -",
        "- registered -",
        "alice calls disabled",
        "alice timeout 5s",
        "bob calls enabled",
        "- calls disabled",
        "deploy 7 shutdown shutting down",
        "deploy 7 shutdown shut down, left: `customer-(withheld)` of `audit::Refund` (1 running)",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected, "{printed}");
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record["sequence"], number);
    }
    assert!(!printed.contains("-471"), "{printed}");
    assert_eq!(records[6]["key"], "customer-(withheld)");
}
