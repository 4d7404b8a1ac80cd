//! The shop example, as a person runs it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::process::Command;

#[test]
fn every_order_is_a_parcel_or_a_reminder_and_every_change_is_told() {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let example = profile
        .join("examples")
        .join(format!("shop{}", std::env::consts::EXE_SUFFIX));
    assert!(
        example.exists(),
        "the example is not built: run `cargo build --example shop` first"
    );
    let output = Command::new(example).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}");
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
