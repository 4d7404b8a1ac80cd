//! Options of a bus.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Bus;
use crate::buffer::{Marks, Overflow};
use crate::dispatch::{DeadEvents, Dispatch, Lifecycle, OnError, Options, Order, Timing};
use crate::error::OptionError;
use crate::event::Event;
use crate::layer::{Layers, RateLimit, layer_methods};
use crate::outcome::ReportEntry;
use crate::pool::Pool;
use crate::registry::Changed;
use crate::signal::{Signal, SignalBuilder};
use crate::sync::Handle;

/// Options of a [`Bus`]: the defaults that its signals start from. [`SignalBuilder`] says what each does, its default and its limit.
///
/// [`Bus::builder`] shows how it is used.
#[must_use = "a builder does nothing until `build` is called"]
pub struct BusBuilder {
    options: Options,
    layers: Layers,
    name: String,
    signals: Vec<Configured>,
    emission_limit: Option<RateLimit>,
}

/// Makes one signal with options of its own in the new bus.
type Configured = Box<dyn FnOnce(&Bus, Options, Layers) -> Result<(), OptionError> + Send>;

impl BusBuilder {
    pub(super) fn new() -> Self {
        Self {
            options: Options::default(),
            layers: Layers::default(),
            name: "bus".to_owned(),
            signals: Vec::new(),
            emission_limit: None,
        }
    }

    /// The name of the bus, for logs about events that have no signal. Default: "bus". Not empty. See [`Bus::builder`](crate::Bus::builder).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Makes the signal of `E` with options of its own; it starts from those of the bus, whichever is called first.
    ///
    /// ```
    /// use fanfare::{Bus, Dispatch, Overflow};
    ///
    /// let bus = Bus::builder()
    ///     .buffer(10_000)
    ///     .signal::<u32>(|s| s.name("readings").dispatch(Dispatch::Sequential).overflow(Overflow::DropOldest))
    ///     .build();
    /// assert_eq!(bus.signal::<u32>().name(), "readings");
    /// assert_eq!(bus.signal::<u32>().buffered(), (0, 10_000));
    /// ```
    pub fn signal<E: Event>(
        mut self,
        configure: impl FnOnce(SignalBuilder<E>) -> SignalBuilder<E> + Send + 'static,
    ) -> Self {
        self.signals.push(Box::new(move |bus, options, layers| {
            let signal = SignalBuilder::with_options(options, layers);
            let signal: Signal<E> = configure(signal).try_build()?;
            bus.signal_or(|| signal);
            Ok(())
        }));
        self
    }

    /// How the listeners of an emission run. See [`SignalBuilder::dispatch`].
    pub fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.options.dispatch = Some(dispatch);
        self
    }

    /// Which of two equal listeners is called first. See [`SignalBuilder::order`].
    pub fn order(mut self, order: Order) -> Self {
        self.options.order = order;
        self
    }

    /// What a failure means for the listeners that have not started. See [`SignalBuilder::on_error`].
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.options.on_error = on_error;
        self
    }

    /// Which listeners are timed. See [`SignalBuilder::timing`].
    pub fn timing(mut self, timing: Timing) -> Self {
        self.options.timing = timing;
        self
    }

    /// Bounds how many listeners of all signals run at once, and makes [`Dispatch::Parallel`] the default. See [`SignalBuilder::pool`].
    pub fn pool(mut self, pool: Pool) -> Self {
        self.options.pool = Some(pool);
        self
    }

    /// How many events the buffer of each signal holds. See [`SignalBuilder::buffer`].
    pub fn buffer(mut self, events: usize) -> Self {
        self.options.buffer = events;
        self
    }

    /// What happens when a buffer is full. See [`SignalBuilder::overflow`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// Between which marks the buffer of each signal is under pressure. See [`SignalBuilder::watermarks`].
    pub fn watermarks(mut self, low: usize, high: usize) -> Self {
        self.options.marks = Some(Marks { low, high });
        self
    }

    /// How many buffered events of a signal are emitted at once. See [`SignalBuilder::enqueue_concurrency`].
    pub fn enqueue_concurrency(mut self, emissions: usize) -> Self {
        self.options.enqueue_concurrency = emissions;
        self
    }

    /// How many detached emissions of a signal may be under way. See [`SignalBuilder::max_detached`].
    pub fn max_detached(mut self, emissions: usize) -> Self {
        self.options.max_detached = emissions;
        self
    }

    /// How many listeners a signal is expected to have. See [`SignalBuilder::max_listeners`].
    pub fn max_listeners(mut self, listeners: usize) -> Self {
        self.options.max_listeners = listeners;
        self
    }

    /// How deep emissions may be nested. See [`SignalBuilder::recursion_limit`].
    pub fn recursion_limit(mut self, emissions: usize) -> Self {
        self.options.recursion_limit = emissions;
        self
    }

    /// Adds a callback for every listener of every signal that did not succeed. Callbacks of a signal are called too. See
    /// [`SignalBuilder::on_failure`].
    pub fn on_failure(mut self, callback: impl Fn(&ReportEntry) + Send + Sync + 'static) -> Self {
        self.options.on_failure.push(Arc::new(callback));
        self
    }

    /// Adds a callback for whatever is changed at run time in any signal. Callbacks of a signal are called too. See [`SignalBuilder::on_change`].
    pub fn on_change(mut self, callback: impl Fn(&Changed) + Send + Sync + 'static) -> Self {
        self.options.on_change.push(Arc::new(callback));
        self
    }

    /// Adds a callback for whatever listener of any signal comes or goes. Callbacks of a signal are called too. See [`SignalBuilder::on_lifecycle`].
    pub fn on_lifecycle(mut self, callback: impl Fn(&Lifecycle) + Send + Sync + 'static) -> Self {
        self.options.on_lifecycle.push(Arc::new(callback));
        self
    }

    /// What happens to an event that nobody listens to. See [`SignalBuilder::dead_events`].
    pub fn dead_events(mut self, policy: DeadEvents) -> Self {
        self.options.dead_events = policy;
        self
    }

    /// Keeps the last events of each signal for late listeners. An event that its signal is not there for yet makes the signal, unless it [follows](Bus::follow) from another.
    /// See [`SignalBuilder::replay`].
    pub fn replay(mut self, events: usize) -> Self {
        self.options.replay = Some(events);
        self
    }

    /// Keeps the last event of each signal. See [`SignalBuilder::sticky`].
    pub fn sticky(self) -> Self {
        self.replay(1)
    }

    /// Bounds how often the signals of the bus emit, all together: one limit for all. A signal with one of its own takes a token of that first. With
    /// [`per_key`](RateLimit::per_key), events of other types share one bucket. See [`SignalBuilder::emission_limit`].
    pub fn emission_limit(mut self, limit: RateLimit) -> Self {
        self.emission_limit = Some(limit);
        self
    }

    /// The runtime for buffered events and tasks. See [`SignalBuilder::runtime`].
    pub fn runtime(mut self, handle: Handle) -> Self {
        self.options.runtime = Some(handle);
        self
    }

    /// Cancels every emission of every signal when the token fires. See [`SignalBuilder::cancel_on`].
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        self.options.token = Some(token);
        self
    }

    /// How many calls of each signal may go on in the background. See [`SignalBuilder::max_background`].
    pub fn max_background(mut self, calls: usize) -> Self {
        self.options.max_background = calls;
        self
    }

    /// Notes the time of every emission for the deliveries of its listeners. See [`SignalBuilder::timestamps`].
    pub fn timestamps(mut self) -> Self {
        self.options.timestamps = true;
        self
    }

    layer_methods!();

    /// Makes the bus.
    ///
    /// # Panics
    ///
    /// Where [`try_build`](Self::try_build) returns an error.
    #[track_caller]
    pub fn build(self) -> Bus {
        match self.try_build() {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes the bus, or says which option makes no sense.
    ///
    /// ```
    /// let error = fanfare::Bus::builder().buffer(0).try_build().unwrap_err();
    /// assert_eq!((error.option(), error.value()), ("buffer", "0"));
    /// ```
    ///
    /// # Errors
    ///
    /// The first option whose value is outside its limits, of the bus or of one of its signals.
    pub fn try_build(mut self) -> Result<Bus, OptionError> {
        self.options.check()?;
        self.options.board.take_level(&mut self.options.level);
        if let Some(limit) = &self.emission_limit {
            limit.check()?;
            self.options.tolls.push(limit.toll());
        }
        self.layers.check()?;
        if self.name.is_empty() {
            return Err(OptionError::new(
                "name",
                "\"\"",
                "it takes text that is not empty",
            ));
        }
        let bus = Bus::with_options(self.options.clone(), self.layers.clone(), self.name.into());
        for configured in self.signals {
            configured(&bus, self.options.clone(), self.layers.clone())?;
        }
        Ok(bus)
    }
}

/// For what stands above.
#[cfg(feature = "metrics")]
impl BusBuilder {
    pub(crate) fn options(&mut self) -> &mut Options {
        &mut self.options
    }
}

impl fmt::Debug for BusBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
