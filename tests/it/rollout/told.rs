//! What is shown and told of a rollout.

use fanfare::{Changed, Rollout, Setting, Signal};

use super::{both_sides, by_number};
use crate::support::Log;

/// A signal whose changes are kept.
fn observed(name: &str) -> (Signal<u64>, Log<Changed>) {
    let log = Log::default();
    let sink = log.clone();
    let builder = Signal::builder().name(name);
    let observer = move |change: &Changed| sink.push(change.clone());
    (builder.on_change(observer).build(), log)
}

fn lines(log: &Log<Changed>) -> Vec<String> {
    let changes = log.take();
    assert!(
        changes
            .iter()
            .all(|change| change.setting() == Setting::Rollout)
    );
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn observers_of_each_signal_are_told_of_each_listener() {
    let rollout = by_number(0.01);
    let ((orders, log), (returns, other_log)) = (observed("orders"), observed("returns"));
    let [new, _old] = both_sides(&orders, &rollout);
    returns
        .listen()
        .key("new")
        .rollout(&rollout.with_key(|n: &u64| n.to_le_bytes()))
        .on(async |_| {})
        .unwrap();
    rollout.set(0.10).unwrap();
    let changes = lines(&log);
    assert_eq!(
        changes,
        [
            "`new` of `orders`: rollout: 1% -> 10%",
            "`old` of `orders`: rollout: 99% -> 90%"
        ]
    );
    assert_eq!(
        lines(&other_log),
        ["`new` of `returns`: rollout: 1% -> 10%"]
    );

    // What does not change is not told, nor of whom is gone.
    rollout.set(0.10).unwrap();
    assert_eq!(log.len() + other_log.len(), 0);
    new.remove();
    rollout.rest().set(0.07).unwrap();
    assert_eq!(lines(&log), ["`old` of `orders`: rollout: 90% -> 7%"]);
    drop(returns);
    orders.clear();
    rollout.set(0.0).unwrap();
    assert_eq!(log.len(), 0);
    assert_eq!(
        lines(&other_log),
        ["`new` of `returns`: rollout: 10% -> 93%"]
    );
}

#[test]
fn an_observer_sees_the_new_fraction_and_may_set_another() {
    let rollout = by_number(0.5);
    let guard = rollout.clone();
    let log = Log::default();
    let sink = log.clone();
    let never_more_than_a_half = move |change: &Changed| {
        sink.push((change.after().to_owned(), guard.to_string()));
        if guard.fraction() > 0.5 {
            guard.set(0.5).unwrap();
        }
    };
    let signal = Signal::<u64>::builder()
        .on_change(never_more_than_a_half)
        .build();
    signal.listen().rollout(&rollout).on(async |_| {}).unwrap();
    rollout.set(0.6).unwrap();
    let by_key = |percent| format!("{percent} by key (salt `new-pricing`)");
    let told = [("60%", by_key("60%")), ("50%", by_key("50%"))];
    assert_eq!(
        log.take(),
        told.map(|(after, words)| (after.to_owned(), words))
    );
}

#[test]
fn metadata_and_description_show_the_rollout_as_it_is_now() {
    let signal = Signal::<u64>::builder().name("orders").build();
    let rollout = by_number(0.01);
    let [new, old] = both_sides(&signal, &rollout);
    let plain = signal.on(async |_| {});
    let words = |sub: &fanfare::Subscription| sub.metadata().rollout().map(str::to_owned);
    assert_eq!(words(&new).unwrap(), "1% by key (salt `new-pricing`)");
    assert_eq!(
        words(&old).unwrap(),
        "the other 99% by key (salt `new-pricing`)"
    );
    assert_eq!(words(&plain), None);
    rollout.set(0.125).unwrap();
    let text = signal.describe().to_string();
    assert!(
        text.contains("\n  rollout: of `new`: 12.5% by key (salt `new-pricing`)"),
        "{text}"
    );
    assert!(
        text.contains("\n  rollout: of `old`: the other 87.5% by key (salt `new-pricing`)"),
        "{text}"
    );
    assert_eq!(text.matches("rollout").count(), 2);
    assert_eq!(
        Rollout::<u64>::of_deliveries(0.05).to_string(),
        "5% of deliveries"
    );
    assert_eq!(
        format!("{:?}", Rollout::by_key(1.0, u64::to_string)),
        "Rollout(100% by key)"
    );
}

#[test]
fn the_rest_has_what_is_left_of_one_and_the_rest_of_that_is_the_rollout() {
    let rollout = by_number(0.25);
    let rest = rollout.rest();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a}, {b}");
    near(rest.fraction(), 0.75);
    near(rest.rest().fraction(), 0.25);
    rest.set(0.4).unwrap();
    near(rollout.fraction(), 0.6);
    rollout.clone().set(0.1).unwrap();
    near(rest.fraction(), 0.9);
    // Another salt makes another rollout, of the same side and with the fraction of now.
    let other = rest.salt("other");
    near(other.fraction(), 0.9);
    rollout.set(0.3).unwrap();
    near(other.fraction(), 0.9);
}
