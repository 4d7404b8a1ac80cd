//! One call of a listener, and the script that it follows.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures::future::{Either, join_all, select};
use tokio::time::{Instant, sleep_until};

use super::program::{Act, Change, End};
use super::world::{CallRecord, Event, State, World};
use crate::support::yield_once;

/// How deep scripts nest emissions.
const DEEPEST: usize = 2;

/// One call of a listener. It ends when it is dropped, and may panic then.
pub(super) struct Call {
    world: Arc<World>,
    no: usize,
    id: usize,
    path: u64,
    depth: usize,
    value: u32,
}

#[derive(Debug)]
pub(super) struct Scripted(pub(super) String);

impl std::fmt::Display for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Scripted {}

pub(super) type Verdict = Result<ControlFlow<()>, Scripted>;

impl Call {
    pub(super) fn begin(world: &Arc<World>, no: usize, event: &Event) -> Self {
        let path = event.path;
        let id = {
            let mut ledger = world.ledger();
            // Under the lock: between the two another thread would begin a call.
            let held = world.engine().holds(no);
            ledger.check_start(&world.program, no, path);
            ledger.calls_of[no] += 1;
            if let Some(times) = world.program.listeners[no].times {
                if ledger.calls_of[no] > times {
                    ledger.violations.push(format!("{no} is called too often"));
                }
            }
            ledger.starts.entry(path).or_default().push(no);
            ledger.calls.push(CallRecord {
                no,
                path,
                state: State::Running,
                suspended: false,
            });
            ledger.check_bound(world, no, held.map(|(_, permits)| permits));
            ledger.calls.len() - 1
        };
        let call = Self {
            world: Arc::clone(world),
            no,
            id,
            path,
            depth: event.depth,
            value: event.value,
        };
        if call.end() == End::PanicInCall {
            call.panics("in the call");
        }
        call
    }

    /// A listener that does not suspend.
    pub(super) fn run_in_place(self) -> Verdict {
        for act in &self.world.program.listeners[self.no].acts {
            self.act_at_once(*act);
        }
        self.finish()
    }

    pub(super) async fn run(self) -> Verdict {
        let world = Arc::clone(&self.world);
        for (place, act) in world.program.listeners[self.no].acts.iter().enumerate() {
            match *act {
                Act::Yield(times) => {
                    for _ in 0..times {
                        yield_once().await;
                        self.world.ledger().calls[self.id].suspended = true;
                    }
                }
                Act::Sleep(slots) => sleep_until(self.instant(slots)).await,
                Act::Nest {
                    signal,
                    joined,
                    give_up,
                } => self.nest(signal, place as u64, joined, give_up).await,
                act => self.act_at_once(act),
            }
        }
        self.finish()
    }

    fn act_at_once(&self, act: Act) {
        match act {
            Act::Change(change) => self.world.change(change),
            Act::Leave => self.world.change(Change::Remove(self.no)),
            Act::Yield(_) | Act::Sleep(_) | Act::Nest { .. } => {}
        }
    }

    async fn nest(&self, signal: usize, place: u64, joined: u64, give_up: Option<u64>) {
        if self.depth >= DEEPEST {
            return;
        }
        let emissions = (0..joined).map(|nth| {
            let path = (self.path * 16 + self.no as u64) * 8 + place * 2 + nth;
            let event = World::event(path, self.depth + 1, self.value);
            Box::pin(self.world.emit(signal, event, None))
        });
        let emissions = join_all(emissions);
        self.set(State::Waiting);
        match give_up {
            None => {
                emissions.await;
            }
            Some(slots) => {
                let limit = Box::pin(sleep_until(self.instant(slots)));
                let ended = select(emissions, limit).await;
                let in_vain = matches!(ended, Either::Right(_));
                drop(ended);
                if in_vain {
                    self.set(State::Regaining);
                    yield_once().await;
                }
            }
        }
        self.set(State::Running);
    }

    fn finish(self) -> Verdict {
        match self.end() {
            End::Done | End::PanicInCall | End::PanicInDrop => Ok(ControlFlow::Continue(())),
            End::Break => Ok(ControlFlow::Break(())),
            End::PanicInPoll => self.panics("in the poll"),
            End::Fail => {
                self.world.ledger().errors_of[self.no] += 1;
                Err(Scripted(format!("error of {}", self.no)))
            }
        }
    }

    fn end(&self) -> End {
        self.world.program.listeners[self.no].end
    }

    fn panics(&self, place: &str) -> ! {
        self.world.ledger().panics_of[self.no] += 1;
        panic!("scripted: {place} of {}", self.no);
    }

    fn instant(&self, slots: u64) -> Instant {
        self.world
            .instant(slots, 2 * (self.path * 16 + self.no as u64))
    }

    fn set(&self, state: State) {
        let mut ledger = self.world.ledger();
        // Under the lock: between the two another thread would begin a call.
        let held = self.world.engine().holds(self.no);
        if state != State::Over {
            ledger.calls[self.id].state = state;
        }
        // The first poll of a call in the emitter's task leaves no mark.
        let marked = held.is_none_or(|(marked, _)| marked);
        if ledger.calls[self.id].suspended && !marked {
            let complaint = format!("{} has suspended and runs without a mark", self.no);
            ledger.violations.push(complaint);
        }
        ledger.check_bound(&self.world, self.no, held.map(|(_, permits)| permits));
        ledger.calls[self.id].state = state;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.set(State::Over);
        self.world.ledger().shrink_cap(&self.world.program);
        if self.end() == End::PanicInDrop && !std::thread::panicking() {
            self.panics("in the drop");
        }
    }
}
