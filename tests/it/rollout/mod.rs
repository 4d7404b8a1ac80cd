//! Gradual rollout: which keys and deliveries a fraction takes in, and that the two sides of a rollout agree.

mod agree;
mod gate;
mod share;
mod told;

use fanfare::{Cause, Report, Rollout, Signal, Skip, Subscription};

/// A rollout by the number itself.
fn by_number(fraction: f64) -> Rollout<u64> {
    Rollout::by_key(fraction, |n: &u64| n.to_be_bytes()).salt("new-pricing")
}

/// Registers a listener for each of the two sides, the new one first.
fn both_sides(signal: &Signal<u64>, rollout: &Rollout<u64>) -> [Subscription; 2] {
    let new = signal.listen().key("new").rollout(rollout);
    let old = signal.listen().key("old").rollout(&rollout.rest());
    [new.on(async |_| {}).unwrap(), old.on(async |_| {}).unwrap()]
}

fn is_outside(cause: &Cause) -> bool {
    matches!(cause, Cause::Skipped(Skip::OutsideFraction))
}

/// Whether just one of the two listeners was called.
fn is_of_one_side(report: &Report) -> bool {
    let counts = (report.listeners(), report.delivered(), report.skipped());
    counts == (2, 1, 1) && is_outside(report.entries()[0].cause())
}

/// Whether the new side was called. It is one of the two.
fn is_of_new_side(report: &Report) -> bool {
    assert!(is_of_one_side(report), "{report}");
    report.entries()[0].key() == Some("old")
}
