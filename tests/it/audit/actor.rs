//! On whose behalf something was changed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::layer::{Decision, FailurePolicy};
use fanfare::observe::audit::AuditLog;
use fanfare::{Signal, acting_as, while_acting_as};
use tokio::time::advance;

use crate::support::yield_once;

const SECOND: Duration = Duration::from_secs(1);
/// Nothing takes so long that goes on at all.
const MINUTE: Duration = Duration::from_secs(60);

fn audited() -> (Signal<u32>, AuditLog) {
    let log = AuditLog::builder().lifecycle().build();
    (Signal::builder().audit(&log).build(), log)
}

/// Who did what, in order.
fn deeds(log: &AuditLog) -> Vec<String> {
    let deed = |record: &std::sync::Arc<fanfare::observe::audit::AuditRecord>| {
        let what = record.after.as_deref().unwrap_or(&record.what);
        format!("{}: {what}", record.actor.as_deref().unwrap_or("-"))
    };
    log.records().iter().map(deed).collect()
}

#[tokio::test]
async fn the_innermost_actor_counts_and_ends_with_its_scope_also_by_a_panic() {
    let (signal, log) = audited();
    let sub = acting_as("alice", || {
        let sub = signal.on(async |_| {});
        acting_as("bob", || sub.disable());
        sub.enable();
        sub
    });
    let panicked = std::panic::catch_unwind(|| acting_as("carol", || panic!("on purpose")));
    assert!(panicked.is_err());
    sub.remove();
    assert_eq!(
        deeds(&log),
        [
            "alice: registered",
            "bob: disabled",
            "alice: enabled",
            "-: removed"
        ]
    );
}

#[tokio::test]
async fn an_actor_of_a_future_counts_while_that_is_polled_alone() {
    let (signal, log) = audited();
    let sub = signal.on(async |_| {});
    let mut first = Box::pin(while_acting_as("alice", async {
        sub.disable();
        yield_once().await;
        sub.enable();
    }));
    assert!(crate::support::poll_once(&mut first).is_none());
    signal.on(async |_| {});
    let other = sub.clone();
    let spawned = while_acting_as("bob", async move {
        tokio::spawn(async move { other.remove() }).await
    });
    assert!(spawned.await.unwrap());
    first.await;
    assert_eq!(
        deeds(&log),
        [
            "-: registered",
            "alice: disabled",
            "-: registered",
            "-: removed",
            "alice: enabled"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_program_decides_by_itself_is_nobodys_doing() {
    let (signal, log) = audited();
    let sub = signal.listen().once().on(async |_| {}).unwrap();
    while_acting_as("alice", signal.emit(1)).await;
    assert!(sub.is_removed());

    let policy = FailurePolicy::new().otherwise(Decision::Pause(SECOND));
    let listen = signal.listen().failure_policy(policy);
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    while_acting_as("alice", signal.emit(2)).await;
    advance(2 * SECOND).await;
    acting_as("alice", || {
        assert_eq!(signal.listeners()[0].switched_off(), None);
    });
    acting_as("alice", || signal.clear());
    assert_eq!(
        deeds(&log),
        [
            "-: registered",
            "-: spent",
            "-: registered",
            "-: paused",
            "-: enabled",
            "alice: cleared"
        ]
    );
}

#[test]
fn who_tells_of_a_change_of_another_thread_does_not_sign_for_it() {
    use std::sync::mpsc;

    let (here, arrives) = mpsc::channel::<()>();
    let (go, goes) = mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let log = AuditLog::builder().lifecycle().build();
    let changes = AuditLog::new();
    let other = Signal::<u32>::builder().audit(&changes).build();
    let (subs, at) = (
        [other.on(async |_| {}), other.on(async |_| {})],
        AtomicUsize::new(0),
    );
    let signal = Signal::<u32>::builder()
        .on_lifecycle(move |_| {
            subs[at.fetch_add(1, Ordering::SeqCst)].disable();
        })
        .on_lifecycle(move |told| {
            if told.actor() == Some("alice") {
                here.send(()).unwrap();
                goes.lock().unwrap().recv_timeout(MINUTE).unwrap();
            }
        })
        .audit(&log)
        .build();
    std::thread::scope(|scope| {
        let alice = scope.spawn(|| acting_as("alice", || signal.on(async |_| {}).id()));
        arrives.recv_timeout(MINUTE).unwrap();
        // Alice is just telling, and tells of this too.
        acting_as("bob", || signal.on(async |_| {}));
        go.send(()).unwrap();
        alice.join().unwrap();
    });
    assert_eq!(deeds(&log), ["alice: registered", "bob: registered"]);
    // Nor for what a callback changes that is told of it.
    assert_eq!(deeds(&changes), ["alice: disabled", "bob: disabled"]);
}

#[tokio::test]
async fn a_link_that_goes_with_its_last_listener_is_the_act_of_whoever_removed_that() {
    let (signal, log) = audited();
    let doubled = signal.map(|n| 2 * n);
    let sub = doubled.on(async |_| {});
    acting_as("alice", || sub.remove());
    doubled.listen().once().on(async |_| {}).unwrap();
    while_acting_as("bob", signal.emit(1)).await;
    assert!(signal.is_empty());
    let links: Vec<_> = log
        .records()
        .iter()
        .filter(|record| record.signal == signal.name())
        .cloned()
        .collect();
    let actors: Vec<_> = links.iter().map(|link| link.actor.as_deref()).collect();
    // Linked, cut by the one, linked again, and cut by nobody.
    assert_eq!(actors, [None, Some("alice"), None, None], "{links:?}");
}
