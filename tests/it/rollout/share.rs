//! Which keys and which deliveries a fraction takes in.

use std::collections::HashSet;

use fanfare::{Rollout, Signal};

use super::{both_sides, by_number, is_of_new_side};

/// Those of so many keys that are in.
async fn taken(rollout: &Rollout<u64>, keys: u64) -> HashSet<u64> {
    let signal = Signal::<u64>::new();
    signal.listen().rollout(rollout).on_sync(|_| ()).unwrap();
    let mut taken = HashSet::new();
    for key in 0..keys {
        if signal.emit(key).await.delivered() == 1 {
            taken.insert(key);
        }
    }
    taken
}

#[tokio::test]
async fn of_100_000_keys_each_fraction_takes_its_share_and_a_larger_one_the_same_and_more() {
    const KEYS: u32 = 100_000;
    let fractions = [0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 0.99];
    let signal = Signal::<u64>::new();
    let listeners = fractions.map(|fraction| {
        let listener = signal.listen().key(fraction.to_string());
        listener
            .rollout(&by_number(fraction))
            .on_sync(|_| ())
            .unwrap()
    });
    for key in 0..KEYS {
        let report = signal.emit(u64::from(key)).await;
        let passed_over = report.entries().iter().map(|entry| entry.key());
        assert!(
            passed_over.eq(signal
                .keys()
                .iter()
                .map(|key| Some(key.as_str()))
                .take(report.skipped()))
        );
    }
    for (fraction, listener) in fractions.iter().zip(listeners) {
        let calls = u32::try_from(listener.metadata().calls()).unwrap();
        let off = f64::from(calls) - f64::from(KEYS) * fraction;
        assert!(off.abs() <= 0.002 * f64::from(KEYS), "{fraction}: {calls}");
    }
}

#[tokio::test]
async fn a_raised_fraction_only_adds_keys_and_a_lowered_one_only_takes_them_away() {
    let rollout = by_number(0.0);
    let mut before = taken(&rollout, 1_000).await;
    assert!(before.is_empty());
    for fraction in [0.01, 0.05, 0.3, 0.3, 0.99, 1.0] {
        rollout.set(fraction).unwrap();
        let after = taken(&rollout, 1_000).await;
        assert!(after.is_superset(&before), "{fraction}");
        before = after;
    }
    assert_eq!(before.len(), 1_000);
    for fraction in [0.99, 0.3, 0.05, 0.01, 0.0] {
        rollout.set(fraction).unwrap();
        let after = taken(&rollout, 1_000).await;
        assert!(
            after.is_subset(&before) && after.len() < before.len(),
            "{fraction}"
        );
        before = after;
    }
    assert!(before.is_empty());
}

#[tokio::test]
async fn a_key_stays_on_its_side_over_many_emissions_and_in_another_rollout_of_the_same_salt() {
    let rollout = by_number(0.4);
    let first = taken(&rollout, 300).await;
    assert!((60..180).contains(&first.len()));
    for _ in 0..20 {
        assert_eq!(taken(&rollout, 300).await, first);
        assert_eq!(taken(&by_number(0.4), 300).await, first);
    }
}

#[tokio::test]
async fn a_key_has_the_same_place_in_every_version() {
    // By another implementation of SipHash-1-3. If this fails, an update would move customers to the other side.
    let places: [(&str, &[u8], f64); 10] = [
        ("", b"", 0.400_142_463_471_175_27),
        ("", b"ada", 0.415_233_650_775_621_1),
        ("", b"grace", 0.384_907_233_098_414_1),
        ("", &7_u64.to_be_bytes(), 0.664_864_631_077_816_5),
        (
            "",
            b"a key that is longer than sixteen bytes",
            0.408_876_138_727_792_44,
        ),
        ("new-pricing", b"", 0.260_434_689_116_163_96),
        ("new-pricing", b"ada", 0.770_097_222_692_682_1),
        ("new-pricing", b"grace", 0.183_177_209_376_770_23),
        ("new-pricing", &7_u64.to_be_bytes(), 0.729_434_138_994_016_7),
        (
            "new-pricing",
            b"a key that is longer than sixteen bytes",
            0.777_705_243_493_349_3,
        ),
    ];
    for (salt, key, place) in places {
        let rollout = Rollout::by_key(place - 1e-12, Vec::<u8>::clone).salt(salt);
        let signal = Signal::<Vec<u8>>::new();
        signal.listen().rollout(&rollout).on_sync(|_| ()).unwrap();
        assert_eq!(
            signal.emit(key.to_vec()).await.delivered(),
            0,
            "{salt}, {key:?}"
        );
        rollout.set(place + 1e-12).unwrap();
        assert_eq!(
            signal.emit(key.to_vec()).await.delivered(),
            1,
            "{salt}, {key:?}"
        );
    }
}

#[tokio::test]
async fn rollouts_of_different_salts_choose_independently() {
    let one = taken(&by_number(0.5), 20_000).await;
    let other = taken(&by_number(0.5).salt("new-search"), 20_000).await;
    let none = taken(&Rollout::by_key(0.5, |n: &u64| n.to_be_bytes()), 20_000).await;
    for (one, other) in [(&one, &other), (&one, &none), (&other, &none)] {
        let both = one.intersection(other).count();
        assert!((4_800..5_200).contains(&both), "{both}");
    }
}

#[tokio::test]
async fn one_rollout_of_several_event_types_has_one_fraction_and_the_same_keys_on_its_side() {
    #[derive(Clone)]
    struct Returned(u64);
    let placed = by_number(0.2);
    let returned = placed
        .rest()
        .with_key(|returned: &Returned| returned.0.to_be_bytes());
    let signal = Signal::<Returned>::new();
    signal.listen().rollout(&returned).on_sync(|_| ()).unwrap();
    for fraction in [0.2, 0.7] {
        placed.set(fraction).unwrap();
        assert!((returned.rest().fraction() - fraction).abs() < 1e-12);
        let keys = taken(&placed, 500).await;
        for key in 0..500 {
            let of_the_rest = signal.emit(Returned(key)).await.delivered() == 1;
            assert_eq!(of_the_rest, !keys.contains(&key));
        }
    }
    // Two keys of one event type are two choices.
    let signal = Signal::<u64>::new();
    let constant = placed.with_key(|_: &u64| b"the same for all");
    signal.listen().rollout(&placed).on_sync(|_| ()).unwrap();
    let constant = signal.listen().rollout(&constant).on_sync(|_| ()).unwrap();
    for key in 0..100 {
        let _ = signal.emit(key).await;
    }
    assert!([0, 100].contains(&constant.metadata().calls()));
}

#[tokio::test]
async fn of_n_deliveries_a_fraction_takes_its_share_give_or_take_one_also_while_it_changes() {
    for start in [0.0, 0.05, 1.0 / 3.0, 0.5, 0.999, 1.0] {
        let rollout = Rollout::of_deliveries(start).salt("sample");
        let signal = Signal::<u64>::new();
        both_sides(&signal, &rollout);
        let (mut expected, mut count) = (0.0, 0.0);
        for n in 0..3_000 {
            if n == 1_000 {
                rollout.set(0.07).unwrap();
            } else if n == 2_000 {
                rollout.set(0.61).unwrap();
            }
            expected += rollout.fraction();
            count += f64::from(u8::from(is_of_new_side(&signal.emit(n).await)));
            assert!(
                f64::abs(count - expected) <= 1.0 + 1e-9,
                "{start}, {n}: {count}"
            );
        }
    }
}

#[tokio::test]
async fn the_salt_says_where_the_count_of_deliveries_begins() {
    let mut firsts = HashSet::new();
    for salt in ["a", "b", "c", "d"] {
        let rollout = Rollout::of_deliveries(0.1).salt(salt);
        let calls: Vec<_> = taken(&rollout, 10).await.into_iter().collect();
        assert_eq!(calls.len(), 1);
        let again = taken(&Rollout::of_deliveries(0.1).salt(salt), 10).await;
        assert_eq!(Vec::from_iter(again), calls);
        firsts.extend(calls);
    }
    assert!(firsts.len() > 1, "{firsts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_share_of_deliveries_is_exact_for_emitters_on_several_threads() {
    let rollout = Rollout::of_deliveries(0.3);
    let signal = Signal::<u64>::new();
    let [new, old] = both_sides(&signal, &rollout);
    let emitters = [0, 1].map(|_| {
        let signal = signal.clone();
        tokio::spawn(async move {
            for n in 0..5_000 {
                let _ = is_of_new_side(&signal.emit(n).await);
            }
        })
    });
    for emitter in emitters {
        emitter.await.unwrap();
    }
    let calls = (new.metadata().calls(), old.metadata().calls());
    assert!((2_999..=3_001).contains(&calls.0), "{calls:?}");
    assert_eq!(calls.0 + calls.1, 10_000);
}
