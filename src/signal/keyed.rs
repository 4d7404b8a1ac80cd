//! The lanes of a signal whose events run in the order of their keys.

use super::Signal;
use crate::buffer::Buffer;
use crate::error::OptionError;
use crate::event::Event;
use crate::keyed::check_lanes;
use crate::registry::Setting;

/// # Order by key
impl<E: Event> Signal<E> {
    /// How many keys run at once, if events are [keyed](crate::SignalBuilder::keyed_by). See [`resize_lanes`](Self::resize_lanes).
    pub fn lanes(&self) -> Option<usize> {
        match &self.inner.buffer {
            Buffer::Queue(_) => None,
            Buffer::Keyed(keyed) => Some(keyed.lanes().size()),
        }
    }

    /// How many keys have an event now that waits or runs. Zero if events are not [keyed](crate::SignalBuilder::keyed_by).
    pub fn active_keys(&self) -> usize {
        match &self.inner.buffer {
            Buffer::Queue(_) => 0,
            Buffer::Keyed(keyed) => keyed.lines().len(),
        }
    }

    /// Changes how many keys run at once, while events wait and run. No event changes its place in the order: that is kept by the key's own line, whatever the lanes.
    ///
    /// More lanes are used at once; fewer as listeners end: none is stopped. The parts of the buffer stay as the signal was built with. Observers are told:
    /// [`Setting::Lanes`](crate::Setting::Lanes).
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::builder().keyed_by(|n: &u32| n % 10).lanes(4).build();
    /// signal.resize_lanes(8)?;
    /// assert_eq!(signal.lanes(), Some(8));
    /// # Ok::<(), fanfare::OptionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Outside of 1 to 65,536, or if the signal has no lanes of its own: its events are not keyed, or the permits of a pool are its lanes.
    pub fn resize_lanes(&self, keys: usize) -> Result<(), OptionError> {
        check_lanes(keys)?;
        let core = &self.inner.core;
        let Some(lanes) = core
            .options
            .pool
            .as_ref()
            .filter(|_| core.options.own_lanes)
        else {
            return Err(OptionError::new(
                "lanes",
                keys,
                "the signal has no lanes of its own: it takes `keyed_by`, and no pool, whose permits are the lanes otherwise",
            ));
        };
        let before = lanes.size();
        lanes.resize(keys)?;
        core.home
            .changed(None, Setting::Lanes, before.to_string(), keys.to_string());
        Ok(())
    }
}
