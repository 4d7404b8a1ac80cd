//! Errors that more than one room speaks of.

use std::fmt;

/// The error type of listeners: anything that implements `std::error::Error`, or a string.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An option was given a value that makes no sense. Names the option, the value, and what it takes.
///
/// ```
/// let error = fanfare::Bus::builder().recursion_limit(0).try_build().unwrap_err();
/// assert_eq!((error.option(), error.value()), ("recursion_limit", "0"));
/// assert_eq!(error.to_string(), "option `recursion_limit` cannot be 0: it takes 1 to 1,024 nested emissions");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    option: &'static str,
    value: String,
    expected: &'static str,
}

impl OptionError {
    pub(crate) fn new(
        option: &'static str,
        value: impl fmt::Display,
        expected: &'static str,
    ) -> Self {
        Self {
            option,
            value: value.to_string(),
            expected,
        }
    }

    /// The option's name, as the builder's method is called. See [`OptionError`](crate::OptionError).
    pub fn option(&self) -> &'static str {
        self.option
    }

    /// The value that was refused. See [`OptionError`](crate::OptionError).
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            option,
            value,
            expected,
        } = self;
        write!(f, "option `{option}` cannot be {value}: {expected}")
    }
}

impl std::error::Error for OptionError {}

/// Checks a count against the limits of its option.
pub(crate) fn check_count(
    option: &'static str,
    value: usize,
    most: usize,
    expected: &'static str,
) -> Result<(), OptionError> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(OptionError::new(option, value, expected))
    }
}

/// Checks how many of the last events are wanted.
pub(crate) fn check_replay(option: &'static str, events: usize) -> Result<(), OptionError> {
    check_count(option, events, 1_000_000, "it takes 1 to 1,000,000 events")
}
