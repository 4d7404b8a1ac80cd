//! Whether spans are made.

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::event::{Envelope, Traced};
use crate::sync::{AtomicU64, Ordering};

/// The level of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Debug,
    Info,
}

impl Detail {
    pub(crate) fn level(self) -> Level {
        match self {
            Self::Debug => Level::DEBUG,
            Self::Info => Level::INFO,
        }
    }

    /// Whether any subscriber asks for the level. Looked at before anything else.
    pub(crate) fn is_heard(self) -> bool {
        let level = self.level();
        level <= tracing::level_filters::STATIC_MAX_LEVEL && level <= LevelFilter::current()
    }
}

/// Which spans are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) detail: Detail,
    /// One emission in so many.
    pub(crate) one_in: u32,
}

/// A rule, and how far it has come.
#[derive(Debug)]
pub(crate) struct Sampler {
    rule: Rule,
    /// Those that no parent has decided about.
    seen: AtomicU64,
}

impl Sampler {
    pub(crate) fn new(rule: Rule) -> Self {
        Self {
            rule,
            seen: AtomicU64::new(0),
        }
    }

    pub(crate) fn detail(&self) -> Detail {
        self.rule.detail
    }

    /// See [`Detail::is_heard`].
    pub(crate) fn is_heard(&self) -> bool {
        self.rule.detail.is_heard()
    }

    /// Whether an emission, or a call whose emission has not decided, has a span: as its `traceparent` says, or else as what it was caused by has decided, or else one in so many.
    pub(crate) fn wants(&self, envelope: &Envelope) -> bool {
        match (envelope.headers.traceparent(), &envelope.traced) {
            (Some(parent), _) => parent.is_sampled(),
            (None, Traced::Yes(_)) => true,
            (None, Traced::No) => false,
            (None, Traced::Undecided) => self.is_next(),
        }
    }

    fn is_next(&self) -> bool {
        let of = u64::from(self.rule.one_in.max(1));
        of == 1 || self.seen.fetch_add(1, Ordering::Relaxed) % of == 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;

    fn envelope(traced: Traced, parent: Option<&str>) -> Envelope {
        let mut envelope = Envelope::default();
        envelope.traced = traced;
        if let Some(parent) = parent {
            envelope.headers.insert("traceparent", parent);
        }
        envelope
    }

    #[test]
    fn a_parent_decides_and_without_one_the_first_of_each_n_is_taken() {
        let detail = Detail::Info;
        let sampler = Sampler::new(Rule { detail, one_in: 3 });
        let yes = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let no = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let dead = || Traced::Yes(Weak::new());
        let mut taken = Vec::new();
        for _ in 0..6 {
            taken.push(sampler.wants(&envelope(Traced::Undecided, None)));
            // None of these counts.
            assert!(sampler.wants(&envelope(Traced::Undecided, Some(yes))));
            assert!(!sampler.wants(&envelope(Traced::Undecided, Some(no))));
            assert!(!sampler.wants(&envelope(dead(), Some(no))));
            assert!(sampler.wants(&envelope(dead(), None)));
            assert!(!sampler.wants(&envelope(Traced::No, None)));
            assert!(sampler.wants(&envelope(dead(), Some("nonsense"))));
        }
        assert_eq!(taken, [true, false, false, true, false, false]);
        let all = Sampler::new(Rule { detail, one_in: 1 });
        assert!((0..3).all(|_| all.wants(&envelope(Traced::Undecided, None))));
    }
}
