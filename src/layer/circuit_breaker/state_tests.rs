//! The state against its twin.

use std::time::Duration;

use proptest::prelude::*;

use super::BreakerState;
use super::rules::{Rules, Span};
use super::state::{Answer, Circuit, Command, Ticket};
use super::twin::Twin;
use super::window::{Tally, Window};
use crate::clock::{self, Instant};

#[derive(Clone, Debug)]
enum Step {
    Start,
    /// The one of those that run, by its place among them.
    End {
        which: usize,
        failed: bool,
    },
    Drop {
        which: usize,
    },
    Pass(u64),
    Command(Command),
    /// Other rules, but for the span.
    Change(Setting),
}

#[derive(Clone, Debug)]
struct Setting {
    rules: Rules,
    failure_tenths: usize,
    slow_tenths: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let command = prop_oneof![
        2 => Just(Command::Reset),
        1 => Just(Command::StayOpen),
        1 => Just(Command::StayClosed),
    ];
    let step = prop_oneof![
        14 => Just(Step::Start),
        10 => (0..8_usize, any::<bool>()).prop_map(|(which, failed)| Step::End { which, failed }),
        3 => (0..8_usize).prop_map(|which| Step::Drop { which }),
        8 => prop_oneof![0..30_u64, 90..110_u64, 0..700_u64].prop_map(Step::Pass),
        2 => command.prop_map(Step::Command),
        1 => settings().prop_map(Step::Change),
    ];
    prop::collection::vec(step, 1..150)
}

prop_compose! {
    fn settings()(
        calls in 1..8_usize, length in 20..400_u64, buckets in 1..7_u32, by_calls in any::<bool>(),
        min_calls in 1..5_usize, min_is_set in any::<bool>(),
        failure_tenths in 1..=10_usize, slow_tenths in 1..=10_usize,
        slow in prop::option::of(1..40_u64),
        factor in prop::option::of(1..=3_u32), most in 100..500_u64,
        probes in 1..5_usize, needed in 1..5_usize, needed_is_set in any::<bool>(),
        probe_timeout in 50..400_u64,
    ) -> Setting {
        let millis = Duration::from_millis;
        let tenth = |tenths: usize| f64::from(u8::try_from(tenths).unwrap()) / 10.0;
        let span = if by_calls {
            Span::Calls(calls)
        } else {
            Span::Time { length: millis(length), buckets }
        };
        let rules = Rules {
            span,
            min_calls: (min_is_set || !by_calls).then_some(if by_calls { min_calls.min(calls) } else { min_calls }),
            failure_rate: tenth(failure_tenths),
            slow: slow.map(|slow| (tenth(slow_tenths), millis(slow))),
            open_for: millis(100),
            growth: factor.map(|factor| (f64::from(factor), millis(most))),
            probes,
            probe_successes: needed_is_set.then_some(needed.min(probes)),
            probe_timeout: millis(probe_timeout),
        };
        Setting { rules, failure_tenths, slow_tenths }
    }
}

/// Both, the time, and the calls that run.
struct Pair {
    circuit: Circuit,
    twin: Twin,
    rules: Rules,
    now: Instant,
    running: Vec<(Ticket, usize)>,
    /// As many as there were ever to be at once.
    most_probes: usize,
    /// As each change told it.
    state: BreakerState,
}

impl Pair {
    fn new(setting: &Setting) -> Self {
        let Setting {
            rules,
            failure_tenths,
            slow_tenths,
        } = *setting;
        rules.check().unwrap();
        let now = clock::now();
        Self {
            circuit: Circuit::new(rules, Command::Reset),
            twin: Twin::new(rules, failure_tenths, slow_tenths, now),
            rules,
            now,
            running: Vec::new(),
            most_probes: 0,
            state: BreakerState::Closed,
        }
    }

    fn told(&mut self, change: Option<super::state::Change>) {
        if let Some(change) = change {
            assert_eq!(change.from, self.state);
            assert_ne!(change.from, change.to);
            self.state = change.to;
        }
    }

    fn start(&mut self) {
        let (answer, change) = self.circuit.start(self.now);
        self.told(change);
        match (answer, self.twin.start(self.now)) {
            (Answer::Go(ticket), Ok(call)) => {
                assert_eq!(ticket.is_probe, self.state == BreakerState::HalfOpen);
                self.running.push((ticket, call));
            }
            (Answer::Rejected { retry_after }, Err(expected)) => assert_eq!(retry_after, expected),
            (answer, expected) => panic!("{answer:?}, where the twin says {expected:?}"),
        }
    }

    fn end(&mut self, which: usize, failed: bool) {
        if self.running.is_empty() {
            return;
        }
        let (ticket, call) = self.running.remove(which % self.running.len());
        let change = self.circuit.end(ticket, failed, self.now);
        self.told(change);
        self.twin.end(call, failed, self.now);
    }

    fn cancel(&mut self, which: usize) {
        if !self.running.is_empty() {
            let (ticket, call) = self.running.remove(which % self.running.len());
            self.circuit.cancel(ticket);
            self.twin.cancel(call);
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Start => self.start(),
            Step::End { which, failed } => self.end(which, failed),
            Step::Drop { which } => self.cancel(which),
            Step::Pass(millis) => self.pass(Duration::from_millis(millis)),
            Step::Command(command) => {
                let change = self.circuit.command(command);
                self.told(change);
                self.twin.command(command, self.now);
            }
            Step::Change(ref setting) => self.change(setting),
        }
        self.agree();
    }

    fn change(&mut self, setting: &Setting) {
        let span = self.rules.span;
        let min_calls = match span {
            Span::Calls(calls) => setting.rules.min_calls.map(|least| least.min(calls)),
            Span::Time { .. } => setting.rules.min_calls,
        };
        self.rules = Rules {
            span,
            min_calls,
            ..setting.rules
        };
        let change = self.circuit.change(self.rules, self.now);
        self.told(change);
        let (failure, slow) = (setting.failure_tenths, setting.slow_tenths);
        self.twin.change(self.rules, failure, slow, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn agree(&mut self) {
        let view = self.circuit.view(self.now);
        assert_eq!(view.state, self.twin.state());
        assert_eq!(view.state, self.state);
        assert_eq!(view.retry_after, self.twin.retry_after(self.now));
        let (calls, failed, slow) = self.twin.window(self.now);
        let tally = view.tally;
        assert_eq!(
            (tally.calls, tally.failed, tally.slow),
            (calls, failed, slow)
        );
        let rate = |part: usize| {
            let share = |part| f64::from(u32::try_from(part).unwrap());
            (calls >= self.rules.min_calls()).then(|| share(part) / share(calls))
        };
        assert_eq!(view.failure_rate, rate(failed));
        assert_eq!(view.slow_rate, self.rules.slow.and(rate(slow)));
        assert_eq!(view.probes_running, self.twin.probes_running());
        self.most_probes = self.most_probes.max(self.rules.probes);
        assert!(view.probes_running <= self.most_probes);
        assert_eq!(view.opened, self.twin.opened());
        assert_eq!(view.rejected, self.twin.rejected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_its_twin_does(setting in settings(), steps in steps()) {
        let mut pair = Pair::new(&setting);
        for step in &steps {
            pair.step(step);
        }
    }

    #[test]
    fn it_never_stays_half_open(setting in settings(), steps in steps(), hang in any::<bool>()) {
        let mut pair = Pair::new(&setting);
        for step in steps.iter().filter(|step| !matches!(step, Step::Command(_))) {
            pair.step(step);
        }
        // What runs is dropped, or never ends.
        while !hang && !pair.running.is_empty() {
            pair.step(&Step::Drop { which: 0 });
        }
        pair.running.clear();
        for _ in 0..=2 * pair.rules.probes {
            if pair.state == BreakerState::Closed {
                break;
            }
            pair.pass(Duration::from_millis(500));
            pair.step(&Step::Start);
            pair.step(&Step::End { which: 0, failed: false });
        }
        prop_assert_eq!(pair.state, BreakerState::Closed);
    }
}

proptest! {
    #[test]
    fn a_window_that_changes_keeps_the_newest_calls_that_it_holds(
        calls in prop::collection::vec((0..50_u64, any::<bool>()), 0..60),
        from in span(),
        to in span(),
    ) {
        let mut now = clock::now();
        let (mut window, mut all) = (Window::new(from), Vec::new());
        for (millis, failed) in calls {
            now += Duration::from_millis(millis);
            window.record(Tally::one(failed, !failed), now);
            all.push((now, failed));
        }
        let before = window.tally(now);
        window.change(to, now);
        let after = window.tally(now);
        match (from, to) {
            (Span::Calls(held), Span::Calls(holds)) => {
                let newest = &all[all.len().saturating_sub(held.min(holds))..];
                let failed = newest.iter().filter(|(_, failed)| *failed).count();
                prop_assert_eq!((after.calls, after.failed), (newest.len(), failed));
            }
            (Span::Time { .. }, Span::Calls(holds)) => {
                prop_assert_eq!(after.calls, before.calls.min(holds));
                if before.calls <= holds {
                    prop_assert_eq!(after, before);
                }
            }
            (Span::Calls(_), Span::Time { length, .. }) => {
                prop_assert_eq!(after, before);
                prop_assert_eq!(window.tally(now + length).calls, 0);
            }
            (Span::Time { length: held, buckets }, Span::Time { length, .. }) => {
                let young = |longest: Duration| all.iter().filter(|(at, _)| now - *at < longest).count();
                prop_assert!(after.calls <= before.calls.min(young(length + held / buckets)));
                prop_assert_eq!(window.tally(now + length).calls, 0);
            }
        }
    }

    #[test]
    fn a_window_that_changes_and_grows_loses_no_call(
        calls in prop::collection::vec((0..50_u64, any::<bool>()), 1..60),
        length in 100..200_u64,
        buckets in 1..6_u32,
        others in 1..6_u32,
    ) {
        let of = |length: u64, buckets| Span::Time { length: Duration::from_millis(length), buckets };
        let mut now = clock::now();
        let mut window = Window::new(of(length, buckets));
        for (millis, failed) in calls {
            now += Duration::from_millis(millis);
            window.record(Tally::one(failed, false), now);
        }
        let before = window.tally(now);
        // A bucket's calls may be forgotten with the bucket: twice as long holds them all.
        window.change(of(2 * length + 200, others), now);
        if others > 1 {
            prop_assert_eq!(window.tally(now), before);
        }
        prop_assert!(window.tally(now).failed <= before.failed);
    }
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        (1..40_usize).prop_map(Span::Calls),
        (20..400_u64, 1..7_u32).prop_map(|(length, buckets)| Span::Time {
            length: Duration::from_millis(length),
            buckets,
        }),
    ]
}
