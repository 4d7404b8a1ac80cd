//! What one emission has chosen.

use once_cell::race::OnceBox;

use super::Gate;
use crate::event::Event;
use crate::outcome::{Cause, Skip, catch};
use crate::sync::Mutex;

/// On which side of each rollout one emission is: chosen when it comes to the first listener of the rollout, and kept to, or between the look at one side and the look at the
/// other a change could come, and the event be seen by both or by neither.
///
/// Behind a pointer: most emissions come to no rollout.
#[derive(Default)]
pub(crate) struct Sides(OnceBox<Mutex<Vec<(u64, bool)>>>);

impl Sides {
    /// Why the gate lets this emission pass by its listener, if it does. The emission has the list of this number.
    pub(crate) fn refuses<E: Event>(&self, gate: &Gate<E>, list: u64, event: &E) -> Option<Cause> {
        let taken = match self.known(gate.choice()) {
            Some(taken) => taken,
            None => match self.choose(gate, list, event) {
                Ok(taken) => taken,
                Err(panicked) => return Some(panicked),
            },
        };
        (taken == gate.is_rest()).then_some(Cause::Skipped(Skip::OutsideFraction))
    }

    fn known(&self, choice: u64) -> Option<bool> {
        let chosen = self.0.get()?.lock();
        find(&chosen, choice)
    }

    fn choose<E: Event>(&self, gate: &Gate<E>, list: u64, event: &E) -> Result<bool, Cause> {
        let fraction = gate.fraction(list);
        let point = catch(|| gate.point(fraction, event)).map_err(Cause::Panicked)?;
        let mut chosen = self.0.get_or_init(Box::default).lock();
        // Of two tasks of one emission, the second goes by what the first has chosen meanwhile.
        if let Some(taken) = find(&chosen, gate.choice()) {
            return Ok(taken);
        }
        let taken = gate.takes(fraction, point);
        chosen.push((gate.choice(), taken));
        Ok(taken)
    }
}

fn find(chosen: &[(u64, bool)], choice: u64) -> Option<bool> {
    let mut chosen = chosen.iter();
    chosen
        .find(|(id, _)| *id == choice)
        .map(|(_, taken)| *taken)
}
