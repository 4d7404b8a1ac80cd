//! The methods that the builders of listeners, signals and buses have in common.

/// The named layers, and the way to add others, for a builder that has its [`Layers`](super::Layers) in a field `layers`.
macro_rules! layer_methods {
    () => {
        /// Opens `tracing` spans: around each call of a listener, and around each emission of a signal that has it itself or from its bus. Default: none. See [`Trace`](crate::layer::Trace).
        pub fn trace(mut self, trace: crate::layer::Trace) -> Self {
            self.layers.slots().trace = Some(trace);
            self
        }

        /// Hands what has failed for good to a listener, a signal or a store. Default: none. See [`DeadLetter`](crate::layer::DeadLetter).
        pub fn dead_letter(mut self, dead_letter: crate::layer::DeadLetter) -> Self {
            self.layers.slots().dead_letter = Some(dead_letter);
            self
        }

        /// Does something else instead, once the listener has failed for good: another listener, a value, an event. Default: none. See [`Fallback`](crate::layer::Fallback).
        pub fn fallback(mut self, fallback: crate::layer::Fallback) -> Self {
            self.layers.slots().fallback = Some(fallback);
            self
        }

        /// Ends a call, with all its attempts and the waits between them, that takes longer than this. Default: none; above zero, and above the
        /// [`timeout`](Self::timeout) of an attempt. See [`Deadline`](crate::layer::Deadline).
        pub fn deadline(mut self, deadline: impl Into<crate::layer::Deadline>) -> Self {
            self.layers.slots().deadline = Some(deadline.into());
            self
        }

        /// Skips an event whose key was seen already. Default: none. See [`Dedup`](crate::layer::Dedup).
        pub fn dedup(mut self, dedup: crate::layer::Dedup) -> Self {
            self.layers.slots().dedup = Some(dedup);
            self
        }

        /// Tries a failed call again. Default: one attempt. See [`Retry`](crate::layer::Retry).
        pub fn retry(mut self, retry: crate::layer::Retry) -> Self {
            self.layers.slots().retry = Some(retry);
            self
        }

        /// Bounds how often attempts are made. Default: no limit. See [`RateLimit`](crate::layer::RateLimit).
        pub fn rate_limit(mut self, rate_limit: crate::layer::RateLimit) -> Self {
            self.layers.slots().rate_limit = Some(rate_limit);
            self
        }

        /// Bounds how many attempts run at once. Default: no limit but the pool's. See [`Concurrency`](crate::layer::Concurrency).
        pub fn concurrency(mut self, concurrency: crate::layer::Concurrency) -> Self {
            self.layers.slots().concurrency = Some(concurrency);
            self
        }

        /// Rejects attempts for a while once too many have failed. Default: none. See [`CircuitBreaker`](crate::layer::CircuitBreaker).
        pub fn circuit_breaker(mut self, breaker: crate::layer::CircuitBreaker) -> Self {
            self.layers.slots().circuit_breaker = Some(breaker);
            self
        }

        /// Ends an attempt that takes longer than this. Default: none; above zero. See [`Timeout`](crate::layer::Timeout).
        pub fn timeout(mut self, timeout: impl Into<crate::layer::Timeout>) -> Self {
            self.layers.slots().timeout = Some(timeout.into());
            self
        }

        /// Injects failures, panics, delays and hangs, for tests: innermost, as if the listener did it. Default: none. See [`Fault`](crate::layer::Fault).
        pub fn fault(mut self, fault: crate::layer::Fault) -> Self {
            self.layers.slots().fault = Some(fault);
            self
        }

        /// Says which failure means what, before the rules that are there already: a listener's come before its signal's, a signal's before those of its bus. Default: no rules. See
        /// [`FailurePolicy`](crate::layer::FailurePolicy).
        pub fn failure_policy(mut self, policy: crate::layer::FailurePolicy) -> Self {
            let slots = self.layers.slots();
            slots.policy = policy.then(&slots.policy);
            self
        }

        /// Puts any `tower` layer outermost: [`layer_at`](Self::layer_at) the place [`Trace`](crate::layer::Place::Trace).
        pub fn layer<L>(self, layer: L) -> Self
        where
            L: tower_layer::Layer<crate::layer::BoxListener> + Send + Sync + 'static,
            L::Service: tower_service::Service<crate::Delivery, Response = ()>
                // fix: a layer for `Service<Delivery>` that answers `()`
                + Clone // fix: `layer_exclusive` takes what is not `Clone` or not `Sync`
                + Send
                + Sync
                + 'static,
            <L::Service as tower_service::Service<crate::Delivery>>::Error: Into<crate::BoxError>,
            <L::Service as tower_service::Service<crate::Delivery>>::Future: Send + 'static,
        {
            self.layer_at(crate::layer::Place::Trace, layer)
        }

        /// Puts any `tower` layer just outside the named layer of a place. Its service is cloned a call, made ready, and called.
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
        /// use fanfare::Signal;
        /// use fanfare::layer::Place;
        /// use tower::limit::ConcurrencyLimitLayer;
        ///
        /// let signal = Signal::<u32>::builder().layer_at(Place::Retry, ConcurrencyLimitLayer::new(8)).build();
        /// signal.on(async |_| {});
        /// assert_eq!(signal.emit(1).await.delivered(), 1);
        /// # Ok(()) }
        /// ```
        pub fn layer_at<L>(mut self, place: crate::layer::Place, layer: L) -> Self
        where
            L: tower_layer::Layer<crate::layer::BoxListener> + Send + Sync + 'static,
            L::Service: tower_service::Service<crate::Delivery, Response = ()>
                // fix: a layer for `Service<Delivery>` that answers `()`
                + Clone // fix: `layer_exclusive` takes what is not `Clone` or not `Sync`
                + Send
                + Sync
                + 'static,
            <L::Service as tower_service::Service<crate::Delivery>>::Error: Into<crate::BoxError>,
            <L::Service as tower_service::Service<crate::Delivery>>::Future: Send + 'static,
        {
            self.layers.add(place, layer);
            self
        }

        /// Puts a `tower` layer whose service is not `Clone` (tower's own `RateLimit`) just outside the named layer of a place. One call at a time makes the service ready and calls
        /// it; the calls themselves overlap.
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), fanfare::RegisterError> {
        /// use std::time::Duration;
        /// use fanfare::Signal;
        /// use fanfare::layer::Place;
        /// use tower::limit::RateLimitLayer;
        ///
        /// let signal = Signal::<u32>::new();
        /// let rate = RateLimitLayer::new(5, Duration::from_secs(1));
        /// signal.listen().layer_exclusive(Place::RateLimit, rate).on(async |_| {})?;
        /// assert_eq!(signal.emit(1).await.delivered(), 1);
        /// # Ok(()) }
        /// ```
        pub fn layer_exclusive<L>(mut self, place: crate::layer::Place, layer: L) -> Self
        where
            L: tower_layer::Layer<crate::layer::BoxListener> + Send + Sync + 'static,
            L::Service: tower_service::Service<crate::Delivery, Response = ()> + Send + 'static, // fix: a layer for `Service<Delivery>` that answers `()`
            <L::Service as tower_service::Service<crate::Delivery>>::Error: Into<crate::BoxError>,
            <L::Service as tower_service::Service<crate::Delivery>>::Future: Send + 'static,
        {
            self.layers.add_exclusive(place, layer);
            self
        }

        /// Leaves out what stands at a place so far, inherited or not. See [`Place`](crate::layer::Place).
        pub fn without(mut self, place: crate::layer::Place) -> Self {
            self.layers.without(place);
            self
        }
    };
}

pub(crate) use layer_methods;
