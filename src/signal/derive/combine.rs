//! The methods that signals and derived signals have in common.

/// The combinators, for a type that has a method `upstream`.
macro_rules! combinators {
    () => {
        /// The events that `wanted` says yes to, as a signal of their own. What it says no to is not cloned. Runs once an event for each derived signal that is listened to. See
        /// [`Derived`](crate::Derived).
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() {
        /// let numbers = fanfare::Signal::<u32>::new();
        /// let even = numbers.filter(|n| n % 2 == 0);
        /// even.on(async |n| assert_eq!(n, 2));
        /// for n in [1, 2, 3] {
        ///     assert!(numbers.emit(n).await.is_ok());
        /// }
        /// assert_eq!(even.stats().emissions(), 1);
        /// # }
        /// ```
        #[track_caller]
        pub fn filter(&self, wanted: impl Fn(&E) -> bool + Send + Sync + 'static) -> Derived<E> {
            self.upstream().filter(Location::caller(), wanted)
        }

        /// Another event for each event. See [`filter`](Self::filter) and [`Derived`](crate::Derived).
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() {
        /// let numbers = fanfare::Signal::<u32>::new();
        /// let words = numbers.map(|n| n.to_string());
        /// words.on(async |word| assert_eq!(word, "7"));
        /// assert!(numbers.emit(7).await.is_ok());
        /// # }
        /// ```
        #[track_caller]
        pub fn map<T: Event>(&self, map: impl Fn(&E) -> T + Send + Sync + 'static) -> Derived<T> {
            self.upstream().map(Location::caller(), map)
        }

        /// Another event for those events that have one. See [`filter`](Self::filter) and [`Derived`](crate::Derived).
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() {
        /// let lines = fanfare::Signal::<String>::new();
        /// let numbers = lines.filter_map(|line| line.parse::<u32>().ok());
        /// numbers.on(async |n| assert_eq!(n, 7));
        /// assert!(lines.emit("seven".to_owned()).await.is_ok());
        /// assert!(lines.emit("7".to_owned()).await.is_ok());
        /// assert_eq!(numbers.stats().emissions(), 1);
        /// # }
        /// ```
        #[track_caller]
        pub fn filter_map<T: Event>(
            &self,
            map: impl Fn(&E) -> Option<T> + Send + Sync + 'static,
        ) -> Derived<T> {
            self.upstream().filter_map(Location::caller(), map)
        }

        /// The same events, each looked at on its way: once for each derived signal behind it that is listened to. See [`Derived`](crate::Derived).
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() {
        /// let numbers = fanfare::Signal::<u32>::new();
        /// let seen = numbers.inspect(|n| println!("on its way: {n}")).filter(|n| *n > 3);
        /// seen.on(async |_| {});
        /// assert!(numbers.emit(7).await.is_ok());
        /// # }
        /// ```
        #[track_caller]
        pub fn inspect(&self, look: impl Fn(&E) + Send + Sync + 'static) -> Derived<E> {
            self.upstream().inspect(Location::caller(), look)
        }

        /// The events of this signal and of another, those of each in their order: an emission of either waits for the listeners. Of a signal that is merged with itself, each event comes
        /// twice. See [`Derived`](crate::Derived).
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() {
        /// use fanfare::Signal;
        ///
        /// let (placed, returned) = (Signal::<u32>::new(), Signal::<i64>::new());
        /// let changes = returned.merge(placed.map(|n| -i64::from(*n)));
        /// changes.on(async |stock| println!("{stock}"));
        /// assert_eq!(placed.emit(3).await.delivered(), 1);
        /// assert_eq!(returned.emit(1).await.delivered(), 1);
        /// # }
        /// ```
        #[track_caller]
        pub fn merge(&self, other: impl Into<Upstream<E>>) -> Derived<E> {
            let at = Location::caller();
            self.upstream().merge_all(at, [other.into()])
        }

        /// The events of this signal and of all the others. See [`merge`](Self::merge).
        ///
        /// ```
        /// use fanfare::Signal;
        /// let [north, south, west] = [(); 3].map(|()| Signal::<u32>::new());
        /// let all = north.merge_all([&south, &west]);
        /// all.on(async |_| {});
        /// assert_eq!((north.len(), south.len(), west.len()), (1, 1, 1));
        /// ```
        #[track_caller]
        pub fn merge_all<U: Into<Upstream<E>>>(
            &self,
            others: impl IntoIterator<Item = U>,
        ) -> Derived<E> {
            let others: Vec<_> = others.into_iter().map(Into::into).collect();
            self.upstream().merge_all(Location::caller(), others)
        }

        /// Several signals, each with one part of the events, and with a type of its own: [`OneOf2`](crate::OneOf2) to [`OneOf6`](crate::OneOf6) say which. `sort` runs once an event
        /// for each part that is listened to. See [`Derived`](crate::Derived).
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() {
        /// use fanfare::{OneOf2, Signal};
        ///
        /// let lines = Signal::<String>::new();
        /// let (numbers, words) = lines.partition(|line| match line.parse::<i64>() {
        ///     Ok(number) => OneOf2::A(number),
        ///     Err(_) => OneOf2::B(line.clone()),
        /// });
        /// numbers.on(async |n| assert_eq!(n, 7));
        /// words.on(async |word| assert_eq!(word, "seven"));
        /// assert!(lines.emit("7".to_owned()).await.is_ok());
        /// assert!(lines.emit("seven".to_owned()).await.is_ok());
        /// # }
        /// ```
        #[track_caller]
        pub fn partition<P: OneOf>(
            &self,
            sort: impl Fn(&E) -> P + Send + Sync + 'static,
        ) -> P::Signals {
            self.upstream().partition(Location::caller(), sort)
        }

        /// The events in windows: [`Window`](crate::Window) says of how many, or of how much time. All that listens to it has the same windows.
        ///
        /// A window by count is emitted in the emission of the event that completes it, which waits for it. A window by time is emitted when its time is over, by a task, for which it takes
        /// tokio's timer and a runtime; without one it is emitted with the next event after its end. A shutdown of the source ends what is begun, and waits for it. Windows that
        /// emissions of different tasks complete may be delivered side by side.
        ///
        /// When its last listener goes, what is in the window is dropped, and counted in [`Stats::dropped`](crate::Stats::dropped).
        ///
        /// # Panics
        ///
        /// Where [`try_window`](Self::try_window) returns an error.
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() {
        /// use fanfare::{Signal, Window};
        ///
        /// let numbers = Signal::<u32>::new();
        /// let sums = numbers.window(Window::count(3)).map(|window| window.iter().sum::<u32>());
        /// sums.on(async |sum| assert_eq!(sum, 6));
        /// for n in [1, 2, 3] {
        ///     assert!(numbers.emit(n).await.is_ok());
        /// }
        /// assert_eq!(sums.stats().emissions(), 1);
        /// # }
        /// ```
        #[track_caller]
        pub fn window<Of: Measure>(&self, window: Window<Of>) -> Derived<Windowed<E>> {
            made(self.upstream().window(Location::caller(), &window))
        }

        /// The same as [`window`](Self::window), for options that are not known to make sense. See [`Window`](crate::Window).
        ///
        /// # Errors
        ///
        /// The first option whose value is outside its limits.
        #[track_caller]
        pub fn try_window<Of: Measure>(
            &self,
            window: Window<Of>,
        ) -> Result<Derived<Windowed<E>>, OptionError> {
            self.upstream().window(Location::caller(), &window)
        }

        /// The first event, and then none until `every` is over, and so on. What it keeps back is counted: see [`held_back`](crate::Derived::held_back), where there is an example. Takes no
        /// task and no timer. From 1 ms to 365 days.
        ///
        /// # Panics
        ///
        /// Where [`try_throttle`](Self::try_throttle) returns an error.
        #[track_caller]
        pub fn throttle(&self, every: Duration) -> Derived<E> {
            made(self.upstream().throttle(Location::caller(), every))
        }

        /// The same as [`throttle`](Self::throttle), for a time that is not known to make sense.
        ///
        /// # Errors
        ///
        /// If `every` is outside its limits.
        #[track_caller]
        pub fn try_throttle(&self, every: Duration) -> Result<Derived<E>, OptionError> {
            self.upstream().throttle(Location::caller(), every)
        }

        /// The last event, once none has come for `quiet`. Those before it are superseded, and counted: see [`held_back`](crate::Derived::held_back). It is emitted by a task; a runtime and a
        /// shutdown mean to it what they do to a [`window`](Self::window). From 1 ms to 365 days.
        ///
        /// # Panics
        ///
        /// Where [`try_debounce`](Self::try_debounce) returns an error.
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
        /// use std::time::Duration;
        ///
        /// let typed = fanfare::Signal::<String>::new();
        /// let search = typed.debounce(Duration::from_millis(300));
        /// search.on(async |text| assert_eq!(text, "fanfare"));
        /// for text in ["f", "fan", "fanfare"] {
        ///     let _ = typed.emit(text.to_owned()).await;
        /// }
        /// tokio::time::sleep(Duration::from_secs(1)).await;
        /// assert_eq!((search.stats().emissions(), search.held_back()), (1, 2));
        /// # }
        /// ```
        #[track_caller]
        pub fn debounce(&self, quiet: Duration) -> Derived<E> {
            made(self.upstream().debounce(Location::caller(), quiet))
        }

        /// The same as [`debounce`](Self::debounce), for a time that is not known to make sense.
        ///
        /// # Errors
        ///
        /// If `quiet` is outside its limits.
        #[track_caller]
        pub fn try_debounce(&self, quiet: Duration) -> Result<Derived<E>, OptionError> {
            self.upstream().debounce(Location::caller(), quiet)
        }
    };
}

pub(super) use combinators;

use crate::error::OptionError;

/// What options that were refused come to where nobody looks at the error.
#[track_caller]
pub(super) fn made<T>(result: Result<T, OptionError>) -> T {
    match result {
        Ok(made) => made,
        Err(error) => panic!("{error}"),
    }
}
