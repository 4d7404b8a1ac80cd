//! The batches of one listener that have not ended, as a plain value: no clock, no lock, no task.

use std::collections::BTreeMap;
use std::mem;
use std::pin::Pin;
use std::task::Waker;

use crate::clock::Instant;
use crate::outcome::Verdict;

/// One event in a batch, and the call that waits for it.
pub(super) struct Place<E> {
    /// Until it is delivered.
    event: Option<E>,
    waker: Option<Waker>,
    verdict: Option<Verdict>,
}

enum Stage<Fut> {
    Open,
    /// Its time is up. It waits for its turn, and takes events until then.
    Due,
    /// It is full, and waits for its turn.
    Sealed,
    /// It is its turn: the call that leads is about to call the listener.
    Begun,
    /// What the listener returned is here while no call polls it.
    Called(Option<Pin<Box<Fut>>>),
}

/// One batch.
struct Sheet<E, Fut> {
    /// Those whose calls wait, in the order in which they came: whoever goes takes its place along.
    places: BTreeMap<usize, Place<E>>,
    /// The index of the next place.
    next: usize,
    /// The call that does what is to be done for all.
    leader: usize,
    due: Instant,
    stage: Stage<Fut>,
    /// The places whose events the listener was called with.
    delivered: Vec<usize>,
}

/// A call's place: the number of the batch, and where it is in it.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) number: u64,
    pub(super) index: usize,
}

/// What a call is to do now.
pub(super) enum Next {
    /// Wait for others, up to then: the batch is due.
    Gather(Instant),
    /// Call the listener, or go on with its call.
    Lead,
    Wait,
    Over(Verdict),
}

/// What a call that leads goes on with.
pub(super) enum Lead<E, Fut> {
    Events(Vec<E>),
    /// What it returned for so many events.
    Future(Pin<Box<Fut>>, usize),
}

/// What a call leaves behind, to be dropped when no lock is held.
pub(super) struct Left<E, Fut> {
    /// To be woken.
    pub(super) wakes: Option<Waker>,
    pub(super) cancelled: Cancelled<Fut>,
    /// What is only to be dropped.
    pub(super) rest: Option<Place<E>>,
}

/// Whether a batch that had begun has nobody left: it ends once what the listener returned is dropped.
pub(super) enum Cancelled<Fut> {
    No,
    /// The listener has not been called yet.
    Early,
    Late(Pin<Box<Fut>>),
}

pub(super) struct Sheets<E, Fut> {
    size: usize,
    at_once: usize,
    /// Those that have not ended, by number: in the order of their events.
    going: BTreeMap<u64, Sheet<E, Fut>>,
    /// Those that have ended, and whose outcomes have not all been seen.
    ended: BTreeMap<u64, Sheet<E, Fut>>,
    /// The number of the next one.
    next: u64,
    /// How many have begun.
    running: usize,
}

impl<E, Fut> Sheets<E, Fut> {
    pub(super) fn new(size: usize, at_once: usize) -> Self {
        Self {
            size,
            at_once,
            going: BTreeMap::new(),
            ended: BTreeMap::new(),
            next: 0,
            running: 0,
        }
    }

    /// Puts an event into the open batch.
    pub(super) fn add(&mut self, event: E, due: Instant) -> At {
        let open = self.going.last_key_value();
        let open = open.filter(|(_, sheet)| matches!(sheet.stage, Stage::Open | Stage::Due));
        let number = open.map_or(self.next, |(number, _)| *number);
        self.next = self.next.max(number + 1);
        let sheet = self.going.entry(number).or_insert_with(|| Sheet {
            places: BTreeMap::new(),
            next: 0,
            leader: 0,
            due,
            stage: Stage::Open,
            delivered: Vec::new(),
        });
        let index = sheet.next;
        sheet.next += 1;
        if sheet.places.is_empty() {
            // All that were in it are gone.
            (sheet.due, sheet.leader, sheet.stage) = (due, index, Stage::Open);
        }
        let place = Place {
            event: Some(event),
            waker: None,
            verdict: None,
        };
        sheet.places.insert(index, place);
        if sheet.places.len() == self.size {
            sheet.leader = index;
            sheet.stage = Stage::Sealed;
        }
        At { number, index }
    }

    /// What this call is to do. One that is to wait is woken by this waker when that changes; the waker that it had before is given back.
    pub(super) fn look(&mut self, at: At, waker: &mut Option<Waker>) -> Next {
        if let Some(sheet) = self.ended.get_mut(&at.number) {
            let verdict = sheet.place(at).verdict.take();
            return Next::Over(verdict.expect("it is asked for once"));
        }
        let is_its_turn = self.running < self.at_once && self.is_first(at.number);
        let sheet = self.sheet(at);
        let leads = sheet.leader == at.index;
        let next = match sheet.stage {
            Stage::Begun | Stage::Called(_) if leads => return Next::Lead,
            Stage::Due | Stage::Sealed if leads && is_its_turn => {
                sheet.stage = Stage::Begun;
                self.running += 1;
                return Next::Lead;
            }
            Stage::Open if leads => Next::Gather(sheet.due),
            _ => Next::Wait,
        };
        mem::swap(&mut sheet.place(at).waker, waker);
        next
    }

    /// The time of the open batch is up. It may be full by now, or have ended even.
    pub(super) fn due(&mut self, at: At) {
        if let Some(sheet) = self.going.get_mut(&at.number) {
            if matches!(sheet.stage, Stage::Open) {
                sheet.stage = Stage::Due;
            }
        }
    }

    /// What the call that leads goes on with, now that it can.
    pub(super) fn lead(&mut self, at: At) -> Lead<E, Fut> {
        let sheet = self.sheet(at);
        if let Stage::Called(left) = &mut sheet.stage {
            if let Some(future) = left.take() {
                return Lead::Future(future, sheet.delivered.len());
            }
        }
        let mut events = Vec::with_capacity(sheet.places.len());
        for (index, place) in &mut sheet.places {
            if let Some(event) = place.event.take() {
                events.push(event);
                sheet.delivered.push(*index);
            }
        }
        Lead::Events(events)
    }

    /// The listener was called, and what it returned was polled: the next batch may begin beside this one. Whom to wake.
    pub(super) fn called(&mut self, at: At) -> Option<Waker> {
        self.sheet(at).stage = Stage::Called(None);
        self.next_leader()
    }

    /// The batch has ended with these outcomes. Whom to wake, and the outcomes that nobody waits for.
    pub(super) fn end(&mut self, at: At, verdicts: Vec<Verdict>) -> (Vec<Waker>, Vec<Verdict>) {
        let mut sheet = self.take(at.number);
        let mut nobodys = Vec::new();
        for (index, verdict) in sheet.delivered.iter().zip(verdicts) {
            match sheet.places.get_mut(index) {
                Some(place) => place.verdict = Some(verdict),
                None => nobodys.push(verdict),
            }
        }
        let waiting = sheet.places.values_mut();
        let mut wakes: Vec<_> = waiting.filter_map(|place| place.waker.take()).collect();
        self.ended.insert(at.number, sheet);
        wakes.extend(self.ends());
        (wakes, nobodys)
    }

    /// A batch that was cancelled has ended. Whom to wake.
    pub(super) fn end_cancelled(&mut self, at: At) -> Option<Waker> {
        drop(self.take(at.number));
        self.ends()
    }

    /// A call goes: it has its outcome, or is dropped and leaves what it was polling.
    pub(super) fn leave(&mut self, at: At, polled: Option<Pin<Box<Fut>>>) -> Left<E, Fut> {
        let mut left = Left {
            wakes: None,
            cancelled: Cancelled::No,
            rest: None,
        };
        if let Some(sheet) = self.ended.get_mut(&at.number) {
            left.rest = sheet.places.remove(&at.index);
            if sheet.places.is_empty() {
                self.ended.remove(&at.number);
            }
            return left;
        }
        let sheet = self.sheet(at);
        left.rest = sheet.places.remove(&at.index);
        if let (Stage::Called(left), Some(polled)) = (&mut sheet.stage, polled) {
            *left = Some(polled);
        }
        if let Some(mut next) = sheet.places.first_entry() {
            if sheet.leader == at.index {
                sheet.leader = *next.key();
                let next = &mut next.get_mut().waker;
                left.wakes = next.take_if(|_| !cfg!(fanfare_plant = "leader-goes-quietly"));
            }
            return left;
        }
        match &mut sheet.stage {
            Stage::Begun => left.cancelled = Cancelled::Early,
            Stage::Called(future) => {
                left.cancelled = future.take().map_or(Cancelled::Early, Cancelled::Late);
            }
            // The next event begins it anew.
            Stage::Open | Stage::Due => sheet.stage = Stage::Open,
            Stage::Sealed => {
                drop(self.take(at.number));
                left.wakes = self.next_leader();
            }
        }
        left
    }

    fn sheet(&mut self, at: At) -> &mut Sheet<E, Fut> {
        let sheet = self.going.get_mut(&at.number);
        sheet.expect("a batch is there while a call waits for it")
    }

    fn take(&mut self, number: u64) -> Sheet<E, Fut> {
        let sheet = self.going.remove(&number);
        sheet.expect("a batch is there until it has ended")
    }

    fn ends(&mut self) -> Option<Waker> {
        self.running -= 1;
        if cfg!(fanfare_plant = "batch-ends-quietly") {
            return None;
        }
        self.next_leader()
    }

    /// The first batch whose listener has not been called.
    fn first(&mut self) -> Option<(u64, &mut Sheet<E, Fut>)> {
        let mut going = self.going.iter_mut();
        let first = going.find(|(_, sheet)| !matches!(sheet.stage, Stage::Called(_)));
        first.map(|(number, sheet)| (*number, sheet))
    }

    fn is_first(&mut self, number: u64) -> bool {
        if cfg!(fanfare_plant = "batch-out-of-turn") {
            return true;
        }
        self.first().is_some_and(|(first, _)| first == number)
    }

    /// The call that leads the batch whose turn it is, if it waits for that.
    fn next_leader(&mut self) -> Option<Waker> {
        if self.running >= self.at_once {
            return None;
        }
        let (_, sheet) = self.first()?;
        let waits = matches!(sheet.stage, Stage::Due | Stage::Sealed);
        let leader = sheet.places.get_mut(&sheet.leader)?;
        leader.waker.take_if(|_| waits)
    }
}

impl<E, Fut> Sheet<E, Fut> {
    fn place(&mut self, at: At) -> &mut Place<E> {
        let place = self.places.get_mut(&at.index);
        place.expect("a place is there while its call waits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    type Few = Sheets<u32, ()>;

    fn look(sheets: &mut Few, at: At) -> Next {
        sheets.look(at, &mut Some(Waker::noop().clone()))
    }

    #[test]
    fn calls_that_have_gone_leave_nothing() {
        let now = clock::now();
        let mut sheets = Few::new(100, 1);
        let stays = sheets.add(0, now);
        for n in 1..1_000 {
            let goes = sheets.add(n, now);
            assert!(sheets.leave(goes, None).rest.is_some());
        }
        let last = sheets.add(1_000, now);
        assert_eq!(sheets.sheet(stays).places.len(), 2);
        assert!(sheets.leave(stays, None).rest.is_some());
        assert!(matches!(look(&mut sheets, last), Next::Gather(_)), "leads");
        assert!(sheets.leave(last, None).rest.is_some());
        assert_eq!(sheets.sheet(last).places.len(), 0);
    }

    #[test]
    fn a_batch_begins_beside_another_once_the_listener_was_called_with_that() {
        let now = clock::now();
        let mut sheets = Few::new(1, 2);
        let (first, second) = (sheets.add(0, now), sheets.add(1, now));
        assert!(matches!(look(&mut sheets, first), Next::Lead));
        assert!(matches!(look(&mut sheets, second), Next::Wait));
        assert!(matches!(sheets.lead(first), Lead::Events(events) if events == [0]));
        assert!(matches!(look(&mut sheets, second), Next::Wait));
        assert!(sheets.called(first).is_some(), "wakes the second");
        assert!(matches!(look(&mut sheets, second), Next::Lead));
    }
}
