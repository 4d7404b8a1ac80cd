//! How listeners do, and which of them are worst.

use std::cmp::Reverse;

use super::judge::{Sight, is_above_share};
use super::{ListenerHealth, Reason, WorstListeners};
use crate::layer::BreakerCounts;
use crate::metrics::SlowCall;
use crate::observe::{Blame, ListenerSnapshot, SignalSnapshot};

/// Of 100 calls, one may take longer than the 99th percentile.
const P99: u64 = 100;

/// What is not well with the listeners of a signal.
pub(super) fn reasons(sight: &Sight<'_>, signal: &SignalSnapshot) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for listener in &signal.listeners {
        reasons.extend(switched_off(signal, listener));
        reasons.extend(breaker_open(signal, listener));
        reasons.extend(failing(sight, signal, listener));
        reasons.extend(slow(sight, signal, listener));
    }
    reasons
}

fn switched_off(signal: &SignalSnapshot, listener: &ListenerSnapshot) -> Option<Reason> {
    let why = listener.switched_off?;
    let (signal, held) = (signal.name.clone(), listener.held);
    let listener_label = listener.label.clone();
    Some(if listener.awaits_ready {
        Reason::AwaitsReady {
            signal,
            listener: listener_label,
            held,
        }
    } else {
        Reason::SwitchedOff {
            signal,
            listener: listener_label,
            why,
            held,
        }
    })
}

fn breaker_open(signal: &SignalSnapshot, listener: &ListenerSnapshot) -> Option<Reason> {
    let BreakerCounts {
        closed,
        open,
        half_open,
    } = listener.breakers?;
    (open > 0).then(|| Reason::BreakerOpen {
        signal: signal.name.clone(),
        listener: listener.label.clone(),
        open,
        breakers: closed + open + half_open,
    })
}

fn failing(
    sight: &Sight<'_>,
    signal: &SignalSnapshot,
    listener: &ListenerSnapshot,
) -> Option<Reason> {
    let since = sight.counts.listener_since(sight.earlier, listener.id);
    // A call that was given up may fail after that too, or in the next window.
    let (failed, calls) = (since.failed.min(since.calls), since.calls);
    let enough = calls >= sight.policy.min_calls as u64;
    let failing = enough && is_above_share(failed, calls, sight.policy.failure_share);
    failing.then(|| Reason::Failing {
        signal: signal.name.clone(),
        listener: listener.label.clone(),
        failed,
        calls,
    })
}

fn slow(sight: &Sight<'_>, signal: &SignalSnapshot, listener: &ListenerSnapshot) -> Option<Reason> {
    let since = sight.counts.listener_since(sight.earlier, listener.id);
    let (slow, timed) = (since.slow, since.timed);
    let enough = timed >= sight.policy.min_calls as u64;
    (enough && slow > timed / P99).then(|| Reason::Slow {
        signal: signal.name.clone(),
        listener: listener.label.clone(),
        slow,
        timed,
        limit: sight.policy.slow_p99,
        blame: blame(sight, listener.id),
    })
}

/// What the latest slow call of the listener was slow for, in the window. That the runtime was stalled only a monitor can say, and so without one no more than what the listener did itself.
fn blame(sight: &Sight<'_>, id: u64) -> Option<Blame> {
    let in_window = |call: &&SlowCall| {
        let ago = sight.now.saturating_duration_since(call.ended());
        call.listener_id() == id && sight.window.is_none_or(|window| ago <= window)
    };
    let call = sight.slow_calls.iter().rev().find(in_window)?;
    match sight.runtime {
        Some(runtime) => Some(Blame::of(call, &runtime.stalls)),
        None => Some(Blame::of(call, &[])).filter(|blame| matches!(blame, Blame::Blocks { .. })),
    }
}

/// The worst of all listeners.
pub(super) fn worst(sight: &Sight<'_>) -> WorstListeners {
    let all = sight.snapshot.signals.iter().flat_map(|signal| {
        let listeners = signal.listeners.iter();
        listeners.map(|listener| health(sight, signal, listener))
    });
    let all: Vec<_> = all.collect();
    let top = |is_bad: fn(&ListenerHealth) -> bool,
               order: fn(&ListenerHealth, &ListenerHealth) -> std::cmp::Ordering| {
        let mut bad: Vec<_> = all.iter().filter(|listener| is_bad(listener)).collect();
        bad.sort_by(|a, b| order(a, b));
        bad.truncate(sight.policy.worst);
        bad.into_iter().cloned().collect()
    };
    WorstListeners {
        failing: top(
            |listener| listener.failed > 0,
            |a, b| b.failure_share().total_cmp(&a.failure_share()),
        ),
        slow: top(|listener| listener.p99.is_some(), |a, b| b.p99.cmp(&a.p99)),
        holding: top(
            |listener| listener.held > 0,
            |a, b| Reverse(a.held).cmp(&Reverse(b.held)),
        ),
    }
}

fn health(
    sight: &Sight<'_>,
    signal: &SignalSnapshot,
    listener: &ListenerSnapshot,
) -> ListenerHealth {
    let since = sight.counts.listener_since(sight.earlier, listener.id);
    ListenerHealth {
        signal: signal.name.clone(),
        listener: listener.label.clone(),
        id: listener.id,
        calls: since.calls,
        failed: since.failed,
        p99: listener.durations.quantile(0.99),
        held: listener.held,
    }
}
