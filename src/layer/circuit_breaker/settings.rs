//! All that a config says.

use std::fmt;
use std::sync::Arc;

use super::BreakerChange;
use super::key::KeyOf;
use super::rules::{Rules, Span};
use crate::error::{BoxError, OptionError, check_count};

const MOST_KEYS: usize = 1_000_000;

/// All that a config says.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) rules: Rules,
    pub(super) scope: Scope,
    pub(super) key_of: Option<Arc<KeyOf>>,
    pub(super) max_keys: usize,
    pub(super) failure_if: Option<Arc<FailureIf>>,
    pub(super) on_change: Vec<Arc<OnChange>>,
}

pub(super) type FailureIf = dyn Fn(&BoxError) -> bool + Send + Sync;
pub(super) type OnChange = dyn Fn(&BreakerChange) + Send + Sync;

/// Whose calls one state counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Listener,
    Config,
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), OptionError> {
        self.rules.check()?;
        check_count(
            "max_keys",
            self.max_keys,
            MOST_KEYS,
            "it takes 1 to 1,000,000 keys",
        )
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            scope: Scope::Listener,
            key_of: None,
            max_keys: 10_000,
            failure_if: None,
            on_change: Vec::new(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("rules", &self.rules)
            .field("scope", &self.scope)
            .field("per_key", &self.key_of.is_some())
            .field("max_keys", &self.max_keys)
            .field("failure_if", &self.failure_if.is_some())
            .field("on_change", &self.on_change.len())
            .finish()
    }
}

impl fmt::Display for Settings {
    /// "0.5 of 100 calls, open for 30s, shared, per key"; what is not as it is by default is named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rules, usual) = (&self.rules, Rules::default());
        write!(f, "{} of ", rules.failure_rate)?;
        match rules.span {
            Span::Calls(calls) => write!(f, "{calls} calls")?,
            Span::Time { length, buckets } => {
                write!(f, "the calls of {length:?} in {buckets} buckets")?;
            }
        }
        if let Some(least) = rules.min_calls {
            write!(f, ", at least {least}")?;
        }
        if let Some((share, slow)) = rules.slow {
            write!(f, ", {share} slower than {slow:?}")?;
        }
        write!(f, ", open for {:?}", rules.open_for)?;
        if let Some((factor, longest)) = rules.growth {
            write!(f, " x {factor} to {longest:?}")?;
        }
        if (rules.probes, rules.probe_successes) != (usual.probes, usual.probe_successes) {
            write!(
                f,
                ", {} of {} probes",
                rules.probe_successes(),
                rules.probes
            )?;
        }
        if rules.probe_timeout != usual.probe_timeout {
            write!(f, ", each up to {:?}", rules.probe_timeout)?;
        }
        if self.scope == Scope::Config {
            f.write_str(", shared")?;
        }
        if self.key_of.is_some() {
            f.write_str(", per key")?;
            if self.max_keys != Self::default().max_keys {
                write!(f, " of {}", self.max_keys)?;
            }
        }
        Ok(())
    }
}
