use super::*;

fn bounds() -> Bounds {
    Bounds {
        min: 2,
        max: 20,
        steps: (0.5, 0.25),
        cool_down: 3,
        saturation: 0.9,
    }
}

fn stats(size: usize) -> PoolStats {
    PoolStats::new(size)
}

fn judged(frame: &mut Frame, stats: &PoolStats, to: usize) -> Decision {
    frame.tick();
    frame.judge(stats, Some(stats.resize(to, "")))
}

fn resized(decision: Decision) -> Option<usize> {
    match decision {
        Decision::Resize { to, .. } => Some(to),
        _ => None,
    }
}

#[test]
fn whatever_a_policy_says_the_size_stays_within_its_limits_and_steps() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let limits = (random.usize(1..50), random.usize(0..100));
        let bounds = Bounds {
            min: limits.0,
            max: limits.0 + limits.1,
            steps: (random.f64() * 4.0 + 0.01, random.f64() * 0.5 + 0.001),
            cool_down: 0,
            saturation: 0.95,
        };
        let size = random.usize(bounds.min..=bounds.max);
        let to = random.usize(0..200);
        let decided = judged(&mut Frame::new(bounds), &stats(size), to);
        let Some(decided) = resized(decided) else {
            let at_limit = (to > size && size == bounds.max) || (to < size && size == bounds.min);
            assert!(to == size || at_limit, "{size} to {to}: {decided:?}");
            continue;
        };
        assert!((bounds.min..=bounds.max).contains(&decided));
        assert!(decided != size && (decided > size) == (to > size));
        assert!(decided.abs_diff(size) <= to.abs_diff(size).max(bounds.min.abs_diff(size)));
        let grown = ratio(decided) <= ratio(size) * (1.0 + bounds.steps.0) + 1.0;
        let shrunk = ratio(decided) >= ratio(size) * (1.0 - bounds.steps.1) - 1.0;
        assert!(grown && shrunk, "{size} to {decided} within {bounds:?}");
    }
}

#[test]
fn a_saturated_runtime_is_not_fed_more_but_may_be_fed_less() {
    let mut frame = Frame::new(bounds());
    let mut busy = stats(8);
    for (share, to) in [(0.89, Some(12)), (0.9, None), (1.0, None)] {
        busy.runtime_busy = Some(share);
        assert_eq!(resized(judged(&mut frame, &busy, 30)), to, "{share}");
    }
    assert_eq!(frame.counts.held_back[HeldBack::RuntimeBusy.place()], 2);
    assert_eq!(resized(judged(&mut frame, &busy, 1)), Some(6));
}

#[test]
fn a_runtime_that_was_saturated_a_moment_ago_is_not_fed_more_yet() {
    let mut frame = Frame::new(bounds());
    let mut busy = stats(8);
    // What a worker that never rests says comes in lumps.
    let ticks = [(0.7, true), (1.0, false), (0.7, false), (0.7, false)];
    for (share, grows) in ticks.into_iter().chain([(0.7, true), (0.95, false)]) {
        busy.runtime_busy = Some(share);
        let decision = judged(&mut frame, &busy, 30);
        assert_eq!(resized(decision).is_some(), grows, "{frame:?}");
    }
    frame.begin();
    busy.runtime_busy = None;
    assert_eq!(resized(judged(&mut frame, &busy, 30)), Some(12));
}

#[test]
fn after_a_change_it_may_grow_at_once_and_shrinks_once_it_has_cooled_down() {
    let mut frame = Frame::new(bounds());
    assert_eq!(
        resized(judged(&mut frame, &stats(8), 1)),
        Some(6),
        "nothing has changed yet"
    );
    frame.changed(8, 6);
    assert_eq!(resized(judged(&mut frame, &stats(6), 30)), Some(9));
    frame.changed(6, 9);
    for tick in 0..3 {
        let held = judged(&mut frame, &stats(9), 1);
        let Decision::HeldBack { why, is_new, .. } = held else {
            panic!("{held:?}");
        };
        assert_eq!((why, is_new), (HeldBack::CoolDown, tick == 0));
    }
    assert_eq!(resized(judged(&mut frame, &stats(9), 1)), Some(7));
    frame.changed(9, 7);
    assert!(matches!(
        judged(&mut frame, &stats(7), 1),
        Decision::HeldBack { is_new: false, .. }
    ));
    frame.cool_down();
    assert!(matches!(
        judged(&mut frame, &stats(9), 1),
        Decision::HeldBack { is_new: true, .. }
    ));
    assert_eq!(
        (frame.counts.ups, frame.counts.downs, frame.counts.ticks),
        (1, 2, 8)
    );
}
