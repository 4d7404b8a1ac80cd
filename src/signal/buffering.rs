//! In which order the buffer gives its events out, which it keeps, and when it is under pressure.

use std::hash::Hash;

use super::SignalBuilder;
use crate::buffer::{Lanes, Marks, Shape};
use crate::error::OptionError;
use crate::event::Event;
use crate::keyed::EventKey;

/// The options of a buffer that speak of the event, and so are a signal's only.
pub(crate) struct Buffering<E> {
    latest: Option<EventKey<E>>,
    lanes: Option<Lanes<E>>,
    aging: Option<usize>,
}

impl<E> Default for Buffering<E> {
    fn default() -> Self {
        Self {
            latest: None,
            lanes: None,
            aging: None,
        }
    }
}

impl<E: 'static> Clone for Buffering<E> {
    fn clone(&self) -> Self {
        Self {
            latest: self.latest.clone(),
            lanes: self.lanes.clone(),
            aging: self.aging,
        }
    }
}

impl<E: 'static> Buffering<E> {
    pub(super) fn latest_by<K: Hash>(
        mut self,
        key: impl Fn(&E) -> K + Send + Sync + 'static,
    ) -> Self {
        self.latest = Some(EventKey::of(key));
        self
    }

    pub(super) fn priorities(
        mut self,
        lanes: usize,
        lane: impl Fn(&E) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.lanes = Some(Lanes::new(lanes, lane));
        self
    }

    pub(super) fn aging(mut self, events: usize) -> Self {
        self.aging = Some(events);
        self
    }

    pub(super) fn check(&self, keyed: bool) -> Result<(), OptionError> {
        let in_order = "it takes a signal without `keyed_by`, whose events keep the order of their keys, and all of them";
        let beside = |option| Err(OptionError::new(option, "set with `keyed_by`", in_order));
        match (&self.lanes, self.aging) {
            (Some(_), _) if keyed => return beside("priorities"),
            (Some(lanes), aging) => lanes.clone().with_aging(aging).check()?,
            (None, Some(aging)) => {
                return Err(OptionError::new(
                    "aging",
                    aging,
                    "it takes `priorities` beside it, which says what the lane of an event is",
                ));
            }
            (None, None) => {}
        }
        if self.latest.is_some() && keyed {
            return beside("latest_by");
        }
        Ok(())
    }

    /// What a buffer of these options is like, which have been checked.
    pub(super) fn shape(self, mut shape: Shape<E>) -> Shape<E> {
        shape.latest = self.latest;
        shape.lanes = self.lanes.map(|lanes| lanes.with_aging(self.aging));
        shape
    }
}

/// # What the buffer does under load
impl<E: Event> SignalBuilder<E> {
    /// Between which marks the buffer is under pressure: from `high` events on, until there are no more than `low`. [`Signal::ready`](crate::Signal::ready) waits for that to end, and
    /// [`is_under_pressure`](crate::Signal::is_under_pressure) says whether it is so. Nothing else goes by the marks: `enqueue` fills the buffer.
    ///
    /// Counted are the events that wait, in the fullest lane where there are [priorities](Self::priorities). Default: four fifths of the [`buffer`](Self::buffer) and half of it; from 1
    /// event to the buffer, and the low mark is not above the high one.
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::builder().buffer(100).watermarks(10, 90).build();
    /// for n in 0..90 {
    ///     assert!(!signal.is_under_pressure());
    ///     signal.try_enqueue(n).unwrap();
    /// }
    /// assert!(signal.is_under_pressure());
    /// ```
    pub fn watermarks(mut self, low: usize, high: usize) -> Self {
        self.options.marks = Some(Marks { low, high });
        self
    }

    /// Keeps only the latest event of each key in the buffer: an event whose key waits takes the place of the older one, which is dropped with
    /// [`DropReason::Superseded`](crate::DropReason::Superseded). Default: every event is kept.
    ///
    /// For values whose last state is what counts: prices, positions, progress. The newer event keeps the older one's place in the order, and its lane; it needs no room, so the
    /// [`overflow`](Self::overflow) policy concerns events of keys that do not wait. Newer is what the buffer takes later: where two tasks enqueue events of one key at once and have to wait
    /// for room, that is the one which gets it last. An event that is being emitted does not wait any more.
    ///
    /// A key is kept as 128 bits of hash while its event waits. `key` runs in the caller's task, outside of any lock, and should be quick; where it panics, `enqueue` panics. Refused beside
    /// [`keyed_by`](Self::keyed_by).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::time::Duration;
    /// use fanfare::{DropReason, Signal};
    ///
    /// let prices = Signal::<(&str, u32)>::builder().latest_by(|price: &(&str, u32)| price.0).build();
    /// prices.on(async |(name, price)| println!("{name} {price}"));
    /// for price in [("a", 10), ("b", 70), ("a", 11), ("a", 12)] {
    ///     prices.enqueue(price).await.unwrap();
    /// }
    /// assert!(prices.shutdown(Duration::from_secs(1)).await.is_clean()); // a 12, b 70
    /// assert_eq!(prices.stats().dropped_by(DropReason::Superseded), 2);
    /// # }
    /// ```
    pub fn latest_by<K: Hash>(mut self, key: impl Fn(&E) -> K + Send + Sync + 'static) -> Self {
        self.buffering = self.buffering.latest_by(key);
        self
    }

    /// Gives the buffer lanes by priority: `lane` says in which an event waits, from 0, the most urgent; what is beyond the last is in the last. The next event is that of the most urgent lane
    /// that has one, but for [`aging`](Self::aging). Within a lane events keep their order. Default: one lane; from 2 to 16.
    ///
    /// Each lane has [`buffer`](Self::buffer) places of its own, so that what can wait never keeps out what is urgent; the memory is that many times the lanes. `lane` runs in the caller's
    /// task, outside of any lock, and should be quick; where it panics, `enqueue` panics. Refused beside [`keyed_by`](Self::keyed_by). This is the order of events; that of listeners is
    /// [`ListenBuilder::priority`](crate::ListenBuilder::priority).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::sync::{Arc, Mutex};
    /// use std::time::Duration;
    /// use fanfare::Signal;
    ///
    /// let alarms = Signal::<(usize, &str)>::builder().priorities(2, |alarm: &(usize, &str)| alarm.0).build();
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let list = Arc::clone(&seen);
    /// alarms.on_sync(move |alarm| list.lock().unwrap().push(alarm.1));
    /// for alarm in [(1, "door"), (1, "dust"), (0, "fire")] {
    ///     alarms.try_enqueue(alarm).unwrap();
    /// }
    /// assert!(alarms.shutdown(Duration::from_secs(1)).await.is_clean());
    /// assert_eq!(*seen.lock().unwrap(), ["fire", "door", "dust"]);
    /// # }
    /// ```
    pub fn priorities(
        mut self,
        lanes: usize,
        lane: impl Fn(&E) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.buffering = self.buffering.priorities(lanes, lane);
        self
    }

    /// How often the oldest event of a lane is passed over, where there are [priorities](Self::priorities), before its turn comes: counted in events, so that no lane starves, however much comes
    /// in the others. Among n lanes none is passed over more than so often and n - 2 times on end. Default: 16; from 1 to 16,777,216. See [`priorities`](Self::priorities).
    pub fn aging(mut self, events: usize) -> Self {
        self.buffering = self.buffering.aging(events);
        self
    }
}
