//! Switching listeners off and on by their keys.

use std::fmt;
use std::sync::Arc;

use super::{AnySignal as _, Pause, Signal, Subscription};
use crate::error::OptionError;
use crate::event::Event;

/// # Switches
///
/// As on [`Subscription`], by the key of the listener. Each is O(1), works while emissions run, and is told to
/// [`on_change`](crate::SignalBuilder::on_change). The `bool` says whether it changed anything.
impl<E: Event> Signal<E> {
    /// The handle of the listener with this key. `None` if there is no such listener. O(1), no lock.
    ///
    /// ```
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.listen().key("audit").on(async |_| {})?;
    /// assert!(signal.subscription("audit").is_some_and(|audit| audit.is_enabled()));
    /// assert!(signal.subscription("billing").is_none());
    /// # Ok::<(), fanfare::RegisterError>(())
    /// ```
    pub fn subscription(&self, key: &str) -> Option<Subscription> {
        self.inner.subscription(key)
    }

    /// Calls the listener no more until it is enabled. See [`Subscription::disable`].
    ///
    /// # Errors
    ///
    /// [`SwitchError::NoSuchKey`], if no listener has this key.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.listen().key("audit").on(async |_| {})?;
    /// assert!(signal.disable("audit")?);
    /// assert_eq!(signal.emit(1).await.skipped(), 1);
    /// assert!(signal.enable("audit")?);
    /// assert_eq!(signal.emit(2).await.delivered(), 1);
    /// assert!(signal.disable("billing").is_err());
    /// # Ok(()) }
    /// ```
    pub fn disable(&self, key: &str) -> Result<bool, SwitchError> {
        Ok(self.of_key(key)?.disable())
    }

    /// Calls the listener again, whether it was disabled or paused. See [`Subscription::enable`].
    ///
    /// # Errors
    ///
    /// [`SwitchError::NoSuchKey`], if no listener has this key.
    pub fn enable(&self, key: &str) -> Result<bool, SwitchError> {
        Ok(self.of_key(key)?.enable())
    }

    /// Calls the listener no more for a time, or until it is resumed. What comes meanwhile is skipped or held: [`Pause`] says more, and has an example.
    ///
    /// # Errors
    ///
    /// [`SwitchError::NoSuchKey`], if no listener has this key; [`SwitchError::Option`], if the pause makes no sense.
    pub fn pause(&self, key: &str, pause: impl Into<Pause>) -> Result<bool, SwitchError> {
        Ok(self.of_key(key)?.pause(pause)?)
    }

    /// Ends a pause of the listener. One that is disabled stays so. See [`Subscription::resume`].
    ///
    /// # Errors
    ///
    /// [`SwitchError::NoSuchKey`], if no listener has this key.
    pub fn resume(&self, key: &str) -> Result<bool, SwitchError> {
        Ok(self.of_key(key)?.resume())
    }

    fn of_key(&self, key: &str) -> Result<Subscription, SwitchError> {
        self.subscription(key)
            .ok_or_else(|| SwitchError::NoSuchKey {
                key: key.to_owned(),
                signal: Arc::clone(&self.inner.core.name),
            })
    }
}

/// Why a listener was not switched. Nothing was changed. [`Signal::pause`] and its siblings return it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SwitchError {
    /// No listener of the signal has this key.
    NoSuchKey {
        /// The key.
        key: String,
        /// The name of the signal.
        signal: Arc<str>,
    },
    /// An option of the pause makes no sense: `buffer(0)`.
    Option(OptionError),
}

impl fmt::Display for SwitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchKey { key, signal } => write!(
                f,
                "signal `{signal}` has no listener with the key `{key}`: `keys()` lists those that it has"
            ),
            Self::Option(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SwitchError {}

impl From<OptionError> for SwitchError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}
