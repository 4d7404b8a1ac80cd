//! Random changes and events, against a list of what must come of each event.

use std::collections::VecDeque;
use std::sync::Arc;

use super::state::{Due, FOR_GOOD, HeldEvent, Kept, Next, State, Way};

fn event(n: usize) -> HeldEvent {
    HeldEvent {
        event: Arc::new(n),
        envelope: None,
        wanted_by: 0,
    }
}

fn number(held: &HeldEvent) -> usize {
    *held.event.downcast_ref::<usize>().unwrap()
}

/// A listener with its switch, whoever delivers what it holds, and what must come of it.
#[derive(Default)]
struct Twin {
    state: State,
    now: u64,
    next: usize,
    /// Held, and not delivered.
    expected: VecDeque<usize>,
    /// There is a task that delivers, or one that waits.
    tasks: [bool; 2],
    seen: Vec<usize>,
}

impl Twin {
    fn emit(&mut self) {
        self.state.tick(self.now);
        let n = self.next;
        self.next += 1;
        match self.state.way() {
            Way::Call => {
                assert!(self.expected.is_empty(), "it comes before what is held");
                assert!(!self.tasks[0], "it comes while what was held runs");
                self.seen.push(n);
            }
            Way::Skip(_) => assert!(self.state.skip().is_some()),
            Way::Hold => match self.state.hold(&event(n)) {
                Kept::Held => self.expected.push_back(n),
                Kept::Full { limit } => assert!(self.expected.len() >= limit),
                Kept::Changed => unreachable!("nothing has"),
            },
        }
        self.begin();
    }

    /// Begins what is due, as the signal does after each change.
    fn begin(&mut self) {
        if let Some(due) = self.state.take_up() {
            let task = &mut self.tasks[usize::from(due == Due::Wait)];
            assert!(!std::mem::replace(task, true), "{due:?} is done by two");
        } else {
            let due = self.state.skip().is_none() && !self.expected.is_empty();
            assert!(!due || self.tasks[0], "nobody delivers");
        }
    }

    fn deliver(&mut self) {
        if !self.tasks[0] {
            return;
        }
        self.state.tick(self.now);
        match self.state.next() {
            Next::Event(held) => {
                assert_eq!(Some(number(&held)), self.expected.pop_front());
                assert!(self.state.skip().is_none(), "it is switched off");
                self.seen.push(number(&held));
            }
            Next::End => self.tasks[0] = false,
            Next::Moved => unreachable!("it is not replaced"),
        }
        self.begin();
    }

    fn wait(&mut self) {
        if self.tasks[1] {
            self.state.tick(self.now);
            self.tasks[1] = self.state.waits_until().is_some();
            self.begin();
        }
    }

    fn replace(&mut self) {
        let mut successor = State::default();
        if let Some(inherited) = self.state.inherited() {
            successor.expect(&inherited);
            assert_eq!(successor.due(), None, "what is held is not there yet");
            assert_ne!(successor.way(), Way::Call, "it comes before what is held");
            if successor.hold(&event(self.next)) == Kept::Held {
                self.expected.push_back(self.next);
            }
            self.next += 1;
        }
        // The task that waits belongs to the listener that is replaced.
        self.tasks[1] = false;
        successor.take_over(self.state.hand_over());
        assert!(matches!(self.state.next(), Next::Moved));
        assert_eq!(self.state.hold(&event(0)), Kept::Changed);
        self.state = successor;
        self.begin();
    }

    fn step(&mut self, step: u64) {
        let n = step / 16;
        match step % 16 {
            0..=5 => self.emit(),
            6 | 7 => self.deliver(),
            8 => self.wait(),
            9 => self.now += n % 5,
            10 => drop(self.state.pause(FOR_GOOD, Some(1 + (n % 4) as usize))),
            11 => drop(
                self.state
                    .pause(self.now + n % 7, Some(1 + (n % 4) as usize)),
            ),
            12 => drop(self.state.pause(self.now + n % 7, None)),
            13 => drop(self.state.resume()),
            14 if n % 2 == 0 => drop(self.state.disable()),
            14 => self.replace(),
            _ => drop(self.state.enable()),
        }
        self.begin();
        assert_eq!(self.state.held(), self.expected.len());
    }
}

#[test]
fn what_is_held_is_delivered_once_in_its_order_by_one_task() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut twin = Twin::default();
        for _ in 0..200 {
            twin.step(random.u64(..));
        }
        twin.state.enable();
        twin.begin();
        while twin.tasks[0] {
            twin.deliver();
        }
        assert!(twin.expected.is_empty());
        assert!(twin.seen.is_sorted(), "{seed}: {:?}", twin.seen);
        assert!(
            !twin.state.is_to_be_looked_at(),
            "the way is as short as before"
        );
    }
}
